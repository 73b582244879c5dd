"""Tiny studies, commands as processes of their own, and queries of databases."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import remix_study

SIMULATION = Path(__file__).with_name("simulated_training.py")

# Three configurations: remix with alpha 0 is balance.
TINY = """
[study]
name = "tiny"
objectives = ["g_mean", "bbs"]

[[problems]]
dataset = "wine"

[cv]
folds = 2
repeats = 1

[model]
hidden = [4]

[training]
epochs = 2
batch_size = 16
stop = "never"

[search.space]
strategy = ["baseline", "remix"]
alpha.remix = [0.0, 0.1]
"""


def tiny(*changes: tuple[str, str]) -> str:
    """The tiny study with parts of its text replaced."""
    text = TINY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def command(
    *words: str, cwd: Path, simulated: bool = False, seconds: float = 0
) -> subprocess.Popen:
    """Start ``remix-study`` as a process, with training that takes seconds or is simulated."""
    program = [str(SIMULATION)] if simulated else ["-m", "remix_study"]
    paths = os.pathsep.join([str(Path(remix_study.__file__).parents[1]), str(SIMULATION.parent)])
    return subprocess.Popen(
        [sys.executable, *program, *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": paths, "SIMULATED_SECONDS": str(seconds)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def query(database: Path, sql: str) -> list[tuple]:
    """Query a SQLite file without locking it."""
    uri = f"{database.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
        return connection.execute(sql).fetchall()


def wait_for(
    database: Path, states: dict[str, int], process: subprocess.Popen | None = None
) -> None:
    """Wait until there are at least so many trials in each state."""
    for _ in range(6000):
        try:
            counts = dict(query(database, "SELECT state, count(*) FROM trials GROUP BY state"))
        except sqlite3.OperationalError:
            counts = {}
        if all(counts.get(state, 0) >= count for state, count in states.items()):
            return
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"never came to {states}, only to {counts}")


def trials(database: Path) -> list[tuple]:
    """(study, parameters, state) of every trial, in order."""
    rows = query(
        database,
        "SELECT t.trial_id, s.study_name, t.state FROM trials t JOIN studies s USING (study_id) "
        "ORDER BY t.trial_id",
    )
    parameters: dict[int, dict[str, object]] = {}
    for trial, name, value, text in query(
        database, "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params"
    ):
        distribution = json.loads(text)
        choices = distribution["attributes"].get("choices")
        parameters.setdefault(trial, {})[name] = choices[int(value)] if choices else value
    return [(study, str(sorted(parameters.get(trial, {}).items())), s) for trial, study, s in rows]


def complete_values(database: Path) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """Values of each study's COMPLETE configurations; asserts that each is there once."""
    keys = [(study, text) for study, text, state in trials(database) if state == "COMPLETE"]
    assert len(keys) == len(set(keys)), "a configuration was run twice"
    rows = query(
        database,
        "SELECT trial_id, objective, value FROM trial_values ORDER BY trial_id, objective",
    )
    ids = query(database, "SELECT trial_id FROM trials WHERE state = 'COMPLETE' ORDER BY 1")
    values: dict[int, list[tuple[int, float]]] = {}
    for trial, objective, value in rows:
        values.setdefault(trial, []).append((objective, value))
    return {key: values[trial] for key, (trial,) in zip(keys, ids, strict=True)}


def assert_clean(database: Path) -> None:
    """Assert that nothing runs or is leased, and that no row of ours is without its trial."""
    states = {state for _, _, state in trials(database)}
    assert states <= {"COMPLETE", "FAIL"}, states
    assert query(database, "SELECT * FROM remix_claims") == []
    assert query(database, "SELECT * FROM remix_workers") == []
    uuids = query(
        database,
        "SELECT value_json FROM trial_user_attributes a JOIN trials t USING (trial_id) "
        "WHERE key = 'remix_run' AND state = 'COMPLETE'",
    )
    runs = query(database, "SELECT uuid FROM remix_runs")
    assert sorted(json.loads(text) for (text,) in uuids) == sorted(uuid for (uuid,) in runs)
    for table in ("folds", "scores", "probabilities"):
        orphans = f"SELECT * FROM remix_{table} WHERE run_id NOT IN (SELECT id FROM remix_runs)"
        assert query(database, orphans) == []
    for table in ("studies", "runs", "parts", "manifests"):
        key = "uuid" if table == "studies" else "study_uuid"
        orphans = (
            f"SELECT * FROM remix_{table} WHERE {key} NOT IN (SELECT trim(value_json, '\"') "
            "FROM study_user_attributes WHERE key = 'remix_study')"
        )
        assert query(database, orphans) == []
