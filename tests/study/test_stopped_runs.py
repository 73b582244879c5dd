"""Runs in real processes: stopped, killed and continued, or two at a time."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from tiny_studies import (
    assert_clean,
    command,
    complete_values,
    query,
    tiny,
    trials,
    wait_for,
)

from remix_study.cli.main import main

# Four configurations of some tenths of a second each.
LONGER = tiny(("epochs = 2", "epochs = 60"), ("[0.0, 0.1]", "[0.0, 0.1, 0.2]"))
DATABASE = Path("remix-study.db")


def rows_of_complete_trials(database: Path) -> dict[int, list]:
    """Every row of each COMPLETE trial, by its number."""
    rows_of: dict[int, list] = {}
    for table in ("trials", "trial_params", "trial_values", "trial_user_attributes"):
        for row in query(
            database,
            f"SELECT trial_id, x.* FROM {table} x JOIN trials t USING (trial_id) "
            "WHERE t.state = 'COMPLETE' ORDER BY 1, 2, 3",
        ):
            rows_of.setdefault(row[0], []).append(row)
    for number, rows in rows_of.items():
        uuid = next(json.loads(row[-1]) for row in rows if "remix_run" in row)
        ((run, *_),) = query(database, f"SELECT * FROM remix_runs WHERE uuid = '{uuid}'")
        for table in ("folds", "scores", "probabilities"):
            rows_of[number] += query(database, f"SELECT * FROM remix_{table} WHERE run_id = {run}")
    return rows_of


def scores(database: Path) -> list[tuple]:
    """Every score of every fold and part, by configuration."""
    return query(
        database,
        "SELECT r.label, s.repeat, s.fold, s.part, s.metric, s.value FROM remix_scores s "
        "JOIN remix_runs r ON r.id = s.run_id ORDER BY 1, 2, 3, 4, 5",
    )


def terminate_in_second_trial() -> None:
    """Send SIGTERM to this process as soon as its second trial trains."""
    wait_for(DATABASE, {"COMPLETE": 1, "RUNNING": 1})
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.usefixtures("kept_programs")
def test_a_run_that_is_stopped_and_killed_is_finished_by_the_next(here, capfd):
    (here / "tiny.toml").write_text(LONGER)

    # This process, then another one.
    threading.Thread(target=terminate_in_second_trial).start()
    assert main(["run", "tiny.toml"]) == 143
    out, errors = capfd.readouterr()
    assert errors == "remix-study: stopped; run the same command to go on\n"
    assert "tiny/wine  0 of 4 configurations complete" in out
    assert_clean(DATABASE)
    first = rows_of_complete_trials(DATABASE)

    killed = command("run", "tiny.toml", cwd=here)
    wait_for(DATABASE, {"COMPLETE": len(first) + 1, "RUNNING": 1}, killed)
    killed.kill()
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert [state for *_, state in trials(DATABASE)].count("RUNNING") == 1
    second = rows_of_complete_trials(DATABASE)
    assert {trial: second[trial] for trial in first} == first

    assert main(["run", "tiny.toml"]) == 0
    assert_clean(DATABASE)
    last = rows_of_complete_trials(DATABASE)
    assert {trial: last[trial] for trial in second} == second
    values = complete_values(DATABASE)
    assert len(values) == 4

    # A study that was interrupted twice has the numbers of one that never was.
    assert main(["run", "tiny.toml", "--storage", "sqlite:///whole.db"]) == 0
    assert complete_values(Path("whole.db")) == values
    assert scores(Path("whole.db")) == scores(DATABASE)


@pytest.mark.parametrize("seconds", [0.5, pytest.param(1.0, marks=pytest.mark.slow)])
def test_ctrl_c_in_the_first_seconds_is_no_traceback(here, seconds):
    (here / "tiny.toml").write_text(LONGER)
    process = command("run", "tiny.toml", cwd=here)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors == "remix-study: stopped; run the same command to go on\n"
    assert out == ""


@pytest.mark.slow
def test_processes_that_start_together_run_no_configuration_twice(here):
    alphas = ", ".join(f"{i / 10}" for i in range(8))
    (here / "tiny.toml").write_text(tiny(("0.0, 0.1", alphas)))
    started = [
        command("run", "tiny.toml", "--json", cwd=here, simulated=True, seconds=0.05)
        for _ in range(2)
    ]
    answers = []
    for process in started:
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        answers.append(json.loads(out))
    assert sum(answer["completed"] for answer in answers) == 9
    assert [state for *_, state in trials(DATABASE)] == ["COMPLETE"] * 9
    assert len(complete_values(DATABASE)) == 9
    assert len(query(DATABASE, "SELECT * FROM remix_studies")) == 1
    assert_clean(DATABASE)
