"""How far studies are, read while others write."""

from __future__ import annotations

import pytest
from tiny_studies import TINY, tiny

from remix_study.study import runner, study_progress
from remix_study.study.leases import Worker
from remix_study.study.registration import enter
from remix_study.study.start_trial import ask
from remix_study.study.storage import open_reader
from remix_study.study.task import prepare
from remix_study.study.trial_status import problem_trials
from remix_study.study.trials import Trials
from remix_study.studyfile.parsing import parse_study

SETTINGS = ('"remix"]', '"remix"]\nlearning_rate = [0.1, 2.0]\nbatch_size = [8, 16]')
SEARCH = ("[search.space]", '[search]\nalgorithm = "random"\ntrials = 6\n[search.space]')
RATES = ('"remix"]', '"remix"]\nlearning_rate = {low = 0.5, high = 2.5}')


def numbers() -> dict[str, int]:
    (found,) = study_progress.read_progress(open_reader("sqlite:///x.db"))
    assert found.name == "tiny/wine"
    names = ("planned", "complete", "running", "failed", "dead", "missing")
    return {name: count for name in names if (count := getattr(found, name))}


def room(storage, text: str) -> Trials:
    (task,) = prepare(parse_study(text, "tiny.toml"))
    return problem_trials(storage, task, enter(storage, task))


@pytest.mark.usefixtures("pretended")
def test_a_grid_with_failed_points(storage):
    room(storage, tiny(SETTINGS))
    assert numbers() == {"planned": 12, "missing": 12}
    runner.run(parse_study(tiny(SETTINGS)), storage="sqlite:///x.db")
    assert numbers() == {"planned": 12, "complete": 6, "failed": 6, "missing": 6}


@pytest.mark.usefixtures("storage", "pretended")
def test_a_search_counts_slots():
    text = tiny(SEARCH, RATES)
    summary = runner.run(parse_study(text), storage="sqlite:///x.db")
    failed = len(summary.failures)
    assert 0 < failed < 6
    assert numbers() == {"planned": 6, "complete": 6 - failed, "failed": failed, "missing": failed}


def test_running_and_dead_points(storage):
    trials = room(storage, TINY)
    worker = Worker(storage.engine)
    running, dead, _ = trials.planned
    worker.claim(trials.entry.uuid, running)
    worker.assign(trials.entry.uuid, running, ask(trials, running).number)
    ask(trials, dead)
    assert numbers() == {"planned": 3, "running": 1, "dead": 1, "missing": 2}
    worker.leave()
    assert numbers() == {"planned": 3, "dead": 2, "missing": 3}


def test_a_study_that_was_deleted_in_the_dashboard_is_not_told_of(storage):
    import optuna

    room(storage, TINY)
    optuna.delete_study(study_name="tiny/wine", storage=storage)
    assert study_progress.read_progress(open_reader("sqlite:///x.db")) == []
    room(storage, tiny(("epochs = 2", "epochs = 3")))
    assert numbers()["missing"] == 3


@pytest.mark.usefixtures("pretended")
def test_a_trial_enqueued_by_hand_does_not_take_a_planned_ones_place(storage):
    trials = room(storage, TINY)
    trials.entry.optuna.enqueue_trial({"strategy": "cost"})
    summary = runner.run(parse_study(TINY), storage="sqlite:///x.db")
    assert summary.complete == 3
    states = [trial.state.name for trial in trials.entry.optuna.trials]
    assert states == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
