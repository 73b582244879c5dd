"""A study, its database and the processes on it: started, hurt, and looked at from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import text
from tiny_studies import tiny

import remix_study

HERE = Path(__file__).parent
PATHS = [HERE / "hook", HERE.parent, Path(remix_study.__file__).parents[1]]
# What four points leave when the first two are done; workers stay there until told to go on.
HOLD = "remix (0.001);remix (0.002)"
OUR = ("runs", "folds", "scores", "probabilities")
STOPPED = "remix-study: stopped; run the same command to go on\n"


def both(fixture: str) -> pytest.MarkDecorator:
    """A fixture on both databases; on PostgreSQL among the slow tests."""
    kinds = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
    return pytest.mark.parametrize(fixture, kinds, indirect=True)


# Where one kind of database shows all, the other waits for the slow tests.
BOTH = both("scene")


def study(points: int, **keys: str) -> str:
    """The tiny study with baseline and so many points of ReMix, the first of them balance."""
    alphas = ", ".join(str(round(0.001 * i, 3)) for i in range(points - 1))
    changes = [("epochs = 2", f"epochs = 2\n{key} = {value}") for key, value in keys.items()]
    return tiny(("[0.0, 0.1]", f"[{alphas}]"), *changes)


class Scene:
    """A folder with ``tiny.toml``, a database, and an append-only log of executions."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.log = folder / "executions.log"
        self.log.touch()
        # To look at a server twenty times a second is cheap only on one connection; a file is left
        # alone between two looks.
        pool = {"poolclass": sqlalchemy.NullPool} if "sqlite" in url else {"pool_pre_ping": True}
        self.engine = sqlalchemy.create_engine(url, **pool)
        self.started: list[subprocess.Popen] = []

    def write(self, content: str) -> None:
        (self.folder / "tiny.toml").write_text(content)

    def start(
        self, *words: str, seconds: float = 0, prefix: tuple[str, ...] = (), **environment: str
    ) -> subprocess.Popen:
        """``remix-study`` on the database, with trials of some seconds."""
        made_up = {
            "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
            "PRETEND_SECONDS": str(seconds),
            "PRETEND_LOG": str(self.log),
        }
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "remix_study", *words, "--storage", self.url],
            cwd=self.folder,
            env=os.environ | made_up | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *words: str, **options) -> tuple[int, str, str]:
        """The same to its end: exit code, output, errors."""
        return self.end(self.start(*(words or ("run", "tiny.toml")), **options))

    def end(self, process: subprocess.Popen) -> tuple[int, str, str]:
        """Exit code, output and errors of a process; never a traceback or a password."""
        out, errors = process.communicate(timeout=400)
        assert "Traceback" not in errors, errors
        assert "secret" not in out + errors
        return process.returncode, out, errors

    def begun(self) -> list[tuple[int, str]]:
        """Process and point of every execution, in order."""
        return self._logged("begin")

    def ended(self) -> list[tuple[int, str]]:
        """Those that came to their end."""
        return self._logged("end")

    def _logged(self, word: str) -> list[tuple[int, str]]:
        lines = [line.split("\t") for line in self.log.read_text().splitlines()]
        return [(int(pid), label) for found, pid, label in lines if found == word]

    def at_work(self) -> list[int]:
        """Processes in the middle of a trial, as the log says."""
        begun, ended = Counter(self.begun()), Counter(self.ended())
        return [pid for pid, _ in (begun - ended) if _alive(pid)]

    def held(self) -> list[int]:
        """Wait until two points are done and two workers stay in the middle of the others."""

        def both() -> list[int]:
            found = self.at_work()
            states = self.states()
            wanted = len(found) == 2 and states["COMPLETE"] == states["RUNNING"] == 2
            return found if wanted else []

        return self.until(both)

    def go(self) -> None:
        """Let them come to their end."""
        (self.folder / "go").touch()

    def until(self, what, seconds: float = 400):
        """Wait for something to become true, and what it then is."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, (self.log.read_text(), self._said())
            time.sleep(0.05)
        return found

    def _said(self) -> list[tuple[str, str]]:
        return [
            p.communicate() for p in self.started if p.poll() is not None and not p.stdout.closed
        ]

    def query(self, sql: str) -> list[tuple]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def states(self) -> Counter[str]:
        """How many trials are in each state; none before there is a table."""
        try:
            return Counter(state for (state,) in self.query("SELECT state FROM trials"))
        except sqlalchemy.exc.DBAPIError:
            return Counter()

    def reasons(self) -> list[str]:
        """Why trials failed, in order."""
        rows = self.query(
            "SELECT value_json FROM trial_user_attributes WHERE key = 'failed' ORDER BY trial_id"
        )
        return [json.loads(value) for (value,) in rows]

    def kept(self) -> dict[int, list]:
        """Every row that hangs on a COMPLETE trial, by the trial."""
        found: dict[int, list] = {}
        for table in ("trials", "trial_params", "trial_values", "trial_user_attributes"):
            order = "1" if table == "trials" else "1, 3, 4"
            rows = self.query(
                f"SELECT t.trial_id, x.* FROM {table} x JOIN trials t ON t.trial_id = x.trial_id "
                f"WHERE t.state = 'COMPLETE' ORDER BY {order}"
            )
            for trial, *row in rows:
                found.setdefault(trial, []).append(tuple(row))
        for rows in found.values():
            (uuid,) = (json.loads(row[-1]) for row in rows if "remix_run" in row)
            ((run, *_),) = self.query(f"SELECT * FROM remix_runs WHERE uuid = '{uuid}'")
            for table in OUR[1:]:
                own = self.query(f"SELECT * FROM remix_{table} WHERE run_id = {run}")
                rows += sorted(own, key=repr)
        return found

    def assert_whole(self, points: int, failed: int = 0) -> None:
        """Every point COMPLETE once, nothing runs, nobody works, no row of ours alone or twice."""
        states = self.states()
        assert set(states) <= {"COMPLETE", "FAIL"}, states
        labels = [row[0] for row in self.query("SELECT label FROM remix_runs")]
        assert len(labels) == len(set(labels)) == states["COMPLETE"] == points - failed
        assert set(labels) <= {label for _, label in self.ended()}
        told = self.query(
            "SELECT value_json FROM trial_user_attributes a JOIN trials t "
            "ON t.trial_id = a.trial_id WHERE key = 'remix_run' AND state = 'COMPLETE'"
        )
        uuids = [uuid for (uuid,) in self.query("SELECT uuid FROM remix_runs")]
        assert sorted(json.loads(uuid) for (uuid,) in told) == sorted(uuids)
        for table in OUR[1:]:
            alone = f"SELECT * FROM remix_{table} WHERE run_id NOT IN (SELECT id FROM remix_runs)"
            assert self.query(alone) == []
        assert self.query("SELECT count(*) FROM remix_folds") == [(2 * len(labels),)]
        assert self.query("SELECT * FROM remix_claims") == []
        numbers = self.query("SELECT study_id, number FROM trials")
        assert len(numbers) == len(set(numbers))

    def close(self) -> None:
        """End what a failed test has left."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for pid in {pid for pid, _ in self.begun() if _alive(pid)}:
            os.kill(pid, signal.SIGKILL)
        self.engine.dispose()


def _alive(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z"
