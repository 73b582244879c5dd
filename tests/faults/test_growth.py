"""Repeats that are added by several processes at once, some of which are killed."""

from __future__ import annotations

import os
import signal

import pytest
from run_folder import BOTH_DATABASES, HOLD, RunFolder, study_text

TWO = ("run", "tiny.toml", "--workers", "2")


def grow(folder: RunFolder, repeats: int) -> None:
    folder.write(study_text(4).replace("repeats = 1", f"repeats = {repeats}"))


def assert_grown(folder: RunFolder, repeats: int, trials: int) -> None:
    """Assert that every configuration has each fold once, in so many COMPLETE trials."""
    folds = folder.query(
        "SELECT r.label, f.repeat, f.fold FROM remix_folds f JOIN remix_runs r ON r.id = f.run_id"
    )
    assert len(folds) == len(set(folds)) == 4 * repeats * 2
    assert folder.trial_states()["COMPLETE"] == trials
    assert folder.trial_states()["RUNNING"] == 0
    parts = folder.query("SELECT DISTINCT repeat, fold, part FROM remix_parts")
    assert len(parts) == repeats * 2 * 2
    assert folder.query("SELECT * FROM remix_claims") == []
    code, out, errors = folder.run("repair")
    assert (code, out, errors) == (0, "nothing is wrong\n", "")


@pytest.mark.slow
@BOTH_DATABASES
def test_workers_that_add_repeats_are_killed(folder):
    grow(folder, 1)
    assert folder.run()[0] == 0
    before = folder.complete_rows()
    grow(folder, 3)
    running = folder.start(*TWO, SIMULATED_HOLD=HOLD)

    def held_processes() -> list[int]:
        is_held = folder.trial_states() == {"COMPLETE": 6, "RUNNING": 2}
        return folder.processes_in_trials() if is_held else []

    victims = folder.wait_until(lambda: len(held_processes()) == 2 and held_processes())
    for pid in (running.pid, *victims):
        os.kill(pid, signal.SIGKILL)
    running.communicate()
    code, _, errors = folder.run(*TWO)
    assert (code, errors) == (0, "")
    assert folder.failure_reasons() == ["its worker died"] * 2
    after = folder.complete_rows()
    for trial, rows in before.items():
        assert set(map(repr, rows)) < set(map(repr, after[trial]))
    assert_grown(folder, 3, trials=8)


@pytest.mark.slow
@BOTH_DATABASES
def test_several_processes_add_the_same_repeats_at_once(folder):
    grow(folder, 1)
    assert folder.run()[0] == 0
    grow(folder, 4)
    for process in [folder.start("run", "tiny.toml", seconds=0.1) for _ in range(3)]:
        code, _, errors = folder.wait(process)
        assert (code, errors) == (0, "")
    assert_grown(folder, 4, trials=8)
    grow(folder, 2)
    code, _, errors = folder.run()
    assert code == 2
    assert errors.count("\n") == 1
    assert "cv.repeats: 4 -> 2" in errors
