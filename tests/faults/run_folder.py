"""A folder with a study and its database, and the processes that run it, seen from outside."""

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
# Last two of four configurations; workers stay in their training until the file ``go`` is there.
HOLD = "remix (0.001);remix (0.002)"
RESULT_TABLES = ("runs", "folds", "scores", "probabilities")
STOPPED = "remix-study: stopped; run the same command to go on\n"


def on_both_databases(fixture: str) -> pytest.MarkDecorator:
    """Run a test with a fixture on SQLite and, among the slow tests, on PostgreSQL."""
    kinds = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
    return pytest.mark.parametrize(fixture, kinds, indirect=True)


# For tests that SQLite alone shows; PostgreSQL is among the slow tests.
BOTH_DATABASES = on_both_databases("folder")


def study_text(configurations: int, **keys: str) -> str:
    """The tiny study with so many configurations: baseline, balance, ReMix."""
    alphas = ", ".join(str(round(0.001 * i, 3)) for i in range(configurations - 1))
    changes = [("epochs = 2", f"epochs = 2\n{key} = {value}") for key, value in keys.items()]
    return tiny(("[0.0, 0.1]", f"[{alphas}]"), *changes)


class RunFolder:
    """A folder with ``tiny.toml``, a database, and a log of all trials that were trained."""

    def __init__(self, folder: Path, url: str) -> None:
        self.path, self.url = folder, url
        self.log = folder / "executions.log"
        self.log.touch()
        # Queries come twenty times a second: a server keeps one connection, a file has none open
        # between two of them.
        pool = {"poolclass": sqlalchemy.NullPool} if "sqlite" in url else {"pool_pre_ping": True}
        self.engine = sqlalchemy.create_engine(url, **pool)
        self.started: list[subprocess.Popen] = []

    def write(self, content: str) -> None:
        (self.path / "tiny.toml").write_text(content)

    def start(
        self, *words: str, seconds: float = 0, prefix: tuple[str, ...] = (), **environment: str
    ) -> subprocess.Popen:
        """Start ``remix-study`` on the database, with simulated trials of some seconds."""
        variables = {
            "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
            "SIMULATED_SECONDS": str(seconds),
            "SIMULATED_LOG": str(self.log),
        }
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "remix_study", *words, "--storage", self.url],
            cwd=self.path,
            env=os.environ | variables | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *words: str, **options) -> tuple[int, str, str]:
        """Run ``remix-study`` to its end: exit code, output, errors."""
        return self.wait(self.start(*(words or ("run", "tiny.toml")), **options))

    def wait(self, process: subprocess.Popen) -> tuple[int, str, str]:
        """Wait for a process: exit code, output, errors; none shows a traceback or a password."""
        out, errors = process.communicate(timeout=400)
        assert "Traceback" not in errors, errors
        assert "secret" not in out + errors
        return process.returncode, out, errors

    def started_trials(self) -> list[tuple[int, str]]:
        """Process and label of every trial that began, in order."""
        return self._logged("begin")

    def finished_trials(self) -> list[tuple[int, str]]:
        """Process and label of every trial that ended, in order."""
        return self._logged("end")

    def _logged(self, word: str) -> list[tuple[int, str]]:
        lines = [line.split("\t") for line in self.log.read_text().splitlines()]
        return [(int(pid), label) for logged, pid, label in lines if logged == word]

    def processes_in_trials(self) -> list[int]:
        """Living processes whose last trial has begun and not ended."""
        open_trials = Counter(self.started_trials()) - Counter(self.finished_trials())
        return [pid for pid, _ in open_trials if _is_alive(pid)]

    def wait_until_held(self) -> list[int]:
        """Wait until two trials are complete and two held ones train; returns their processes."""

        def held_processes() -> list[int]:
            processes, states = self.processes_in_trials(), self.trial_states()
            is_held = len(processes) == 2 and states["COMPLETE"] == states["RUNNING"] == 2
            return processes if is_held else []

        return self.wait_until(held_processes)

    def release(self) -> None:
        """Let held trials end."""
        (self.path / "go").touch()

    def wait_until(self, condition, seconds: float = 400):
        """Wait until a function returns something true, and return that."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, (self.log.read_text(), self._outputs())
            time.sleep(0.05)
        return value

    def _outputs(self) -> list[tuple[str, str]]:
        return [
            p.communicate() for p in self.started if p.poll() is not None and not p.stdout.closed
        ]

    def query(self, sql: str) -> list[tuple]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def trial_states(self) -> Counter[str]:
        """Number of trials in each state; empty before there is a table."""
        try:
            return Counter(state for (state,) in self.query("SELECT state FROM trials"))
        except sqlalchemy.exc.DBAPIError:
            return Counter()

    def failure_reasons(self) -> list[str]:
        """Reasons of failed trials, in order."""
        rows = self.query(
            "SELECT value_json FROM trial_user_attributes WHERE key = 'failed' ORDER BY trial_id"
        )
        return [json.loads(value) for (value,) in rows]

    def complete_rows(self) -> dict[int, list]:
        """All rows of every COMPLETE trial, ours and Optuna's, by its id."""
        rows_of_trial: dict[int, list] = {}
        for table in ("trials", "trial_params", "trial_values", "trial_user_attributes"):
            order = "1" if table == "trials" else "1, 3, 4"
            rows = self.query(
                f"SELECT t.trial_id, x.* FROM {table} x JOIN trials t ON t.trial_id = x.trial_id "
                f"WHERE t.state = 'COMPLETE' ORDER BY {order}"
            )
            for trial, *row in rows:
                rows_of_trial.setdefault(trial, []).append(tuple(row))
        for rows in rows_of_trial.values():
            (uuid,) = (json.loads(row[-1]) for row in rows if "remix_run" in row)
            ((run, *_),) = self.query(f"SELECT * FROM remix_runs WHERE uuid = '{uuid}'")
            for table in RESULT_TABLES[1:]:
                run_rows = self.query(f"SELECT * FROM remix_{table} WHERE run_id = {run}")
                rows += sorted(run_rows, key=repr)
        return rows_of_trial

    def assert_consistent(self, configurations: int, failed: int = 0) -> None:
        """Assert that all is COMPLETE once, nothing runs or is leased, no row is orphaned."""
        states = self.trial_states()
        assert set(states) <= {"COMPLETE", "FAIL"}, states
        labels = [row[0] for row in self.query("SELECT label FROM remix_runs")]
        assert len(labels) == len(set(labels)) == states["COMPLETE"] == configurations - failed
        assert set(labels) <= {label for _, label in self.finished_trials()}
        values = self.query(
            "SELECT value_json FROM trial_user_attributes a JOIN trials t "
            "ON t.trial_id = a.trial_id WHERE key = 'remix_run' AND state = 'COMPLETE'"
        )
        uuids = [uuid for (uuid,) in self.query("SELECT uuid FROM remix_runs")]
        assert sorted(json.loads(uuid) for (uuid,) in values) == sorted(uuids)
        for table in RESULT_TABLES[1:]:
            orphans = (
                f"SELECT * FROM remix_{table} WHERE run_id NOT IN (SELECT id FROM remix_runs)"
            )
            assert self.query(orphans) == []
        assert self.query("SELECT count(*) FROM remix_folds") == [(2 * len(labels),)]
        assert self.query("SELECT * FROM remix_claims") == []
        numbers = self.query("SELECT study_id, number FROM trials")
        assert len(numbers) == len(set(numbers))

    def close(self) -> None:
        """Kill the processes that a failed test has left."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for pid in {pid for pid, _ in self.started_trials() if _is_alive(pid)}:
            os.kill(pid, signal.SIGKILL)
        self.engine.dispose()


def _is_alive(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z"
