"""Counts of configurations by status, read while others write."""

from __future__ import annotations

import pytest
from tiny_studies import TINY, tiny

from remix_study.study import optuna_tables, runner
from remix_study.study.leases import Worker
from remix_study.study.registration import register_study
from remix_study.study.schedules import GridSchedule, make_schedules
from remix_study.study.storage import open_reader
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.trials import Trials
from remix_study.studyfile.parsing import parse_study

GRID = ('"remix"]', '"remix"]\nlearning_rate = [0.1, 2.0]\nbatch_size = [8, 16]')
SEARCH = ("[search.space]", '[search]\nalgorithm = "random"\ntrials = 6\n[search.space]')
RATES = ('"remix"]', '"remix"]\nlearning_rate = {low = 0.5, high = 2.5}')


def counts() -> dict[str, int]:
    """Counts of the one task that are not zero."""
    (progress,) = optuna_tables.read_progress(open_reader("sqlite:///x.db"))
    assert progress.name == "tiny/wine"
    names = ("planned", "complete", "running", "failed", "dead", "missing")
    return {name: count for name in names if (count := getattr(progress, name))}


def schedule_of(storage, text: str) -> GridSchedule:
    (task,) = prepare_tasks(parse_study(text, "tiny.toml"))
    (schedule,) = make_schedules([Trials(storage, task, register_study(storage, task))])
    return schedule


@pytest.mark.usefixtures("simulated")
def test_a_grid_with_failed_configurations(storage):
    schedule_of(storage, tiny(GRID))
    assert counts() == {"planned": 12, "missing": 12}
    runner.run(parse_study(tiny(GRID)), storage="sqlite:///x.db")
    assert counts() == {"planned": 12, "complete": 6, "failed": 6, "missing": 6}


@pytest.mark.usefixtures("storage", "simulated")
def test_a_search_counts_slots():
    text = tiny(SEARCH, RATES)
    summary = runner.run(parse_study(text), storage="sqlite:///x.db")
    n = len(summary.failures)
    assert 0 < n < 6
    assert counts() == {"planned": 6, "complete": 6 - n, "failed": n, "missing": n}


def test_running_and_dead_configurations(storage):
    schedule = schedule_of(storage, TINY)
    uuid = schedule.trials.registered.uuid
    worker = Worker(storage.engine)
    running, dead, _ = schedule.configurations()
    worker.acquire(uuid, running)
    worker.assign_trial(uuid, running, schedule.start(running).number)
    schedule.start(dead)
    assert counts() == {"planned": 3, "running": 1, "dead": 1, "missing": 2}
    worker.unregister()
    assert counts() == {"planned": 3, "dead": 2, "missing": 3}


def test_a_study_that_was_deleted_in_the_dashboard_is_left_out(storage):
    import optuna

    schedule_of(storage, TINY)
    optuna.delete_study(study_name="tiny/wine", storage=storage)
    assert optuna_tables.read_progress(open_reader("sqlite:///x.db")) == []
    schedule_of(storage, tiny(("epochs = 2", "epochs = 3")))
    assert counts()["missing"] == 3


@pytest.mark.usefixtures("simulated")
def test_a_trial_enqueued_by_hand_does_not_count(storage):
    trials = schedule_of(storage, TINY).trials
    trials.registered.optuna.enqueue_trial({"strategy": "cost"})
    summary = runner.run(parse_study(TINY), storage="sqlite:///x.db")
    assert summary.complete == 3
    states = [trial.state.name for trial in trials.registered.optuna.trials]
    assert states == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
