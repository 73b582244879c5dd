"""The life of a trial: all of it in the database, or nothing; never another worker's."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from sqlalchemy import func, select
from tiny_studies import TINY, tiny

from remix_study.study import leases, tables, trial_attributes
from remix_study.study.configurations import configuration_of
from remix_study.study.evaluation import MembersFailed, evaluate
from remix_study.study.finish_trial import fail, free_dead, tell
from remix_study.study.leases import Worker
from remix_study.study.record import record
from remix_study.study.registration import LONGEST_ATTRIBUTE, enter
from remix_study.study.start_trial import ask
from remix_study.study.task import prepare
from remix_study.study.trial_status import complete, problem_trials
from remix_study.study.trials import TakenOver, Trials
from remix_study.studyfile.parsing import parse_study
from remix_study.training.engine_version import ENGINE_VERSION

pytestmark = pytest.mark.usefixtures("pretended")

POINT = '{"strategy": "baseline"}'


@pytest.fixture
def room(storage) -> Trials:
    """The tiny problem's trials."""
    (task,) = prepare(parse_study(TINY, "tiny.toml"))
    return problem_trials(storage, task, enter(storage, task))


def evaluation(room: Trials, point: str = POINT):
    task, parameters = room.task, room.planned[point]
    setting = configuration_of(parameters, task.spec.training, task.study.model)
    return evaluate(task, parameters, setting)


def rows(room: Trials) -> dict[str, int]:
    """How many rows of runs there are in our tables."""
    with room.storage.engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.runs, tables.folds, tables.scores, tables.probabilities)
        }


NOTHING = {"remix_runs": 0, "remix_folds": 0, "remix_scores": 0, "remix_probabilities": 0}


def states(room: Trials) -> list[str]:
    return [trial.state.name for trial in room.entry.optuna.get_trials()]


def test_a_told_trial_is_all_there(room):
    trial = ask(room, POINT)
    found = evaluation(room)
    tell(room, trial, found, None)
    assert states(room) == ["COMPLETE"]
    assert complete(room) == {POINT}
    kept = room.entry.optuna.trials[0]
    assert kept.values == list(found.values)
    assert kept.user_attrs[tables.RUN_ATTRIBUTE] == found.uuid
    metrics = {metric for fold in found.scores for part in fold.values() for metric in part}
    assert rows(room) == {
        "remix_runs": 1,
        "remix_folds": 2,
        "remix_scores": 2 * 2 * len(metrics),
        "remix_probabilities": 4,
    }


def test_values_are_means_of_validation_scores(room):
    found = evaluation(room)
    for name, value in zip(("g_mean", "bbs"), found.values, strict=True):
        assert value == np.mean([fold["validation"][name] for fold in found.scores])
        assert value != np.mean([fold["test"][name] for fold in found.scores])


def test_attributes_know_nothing_of_test_rows(room, monkeypatch):
    """The same trial with its test predictions spoilt tells Optuna the same."""
    told = []
    for spoilt in (False, True):
        found = evaluation(room)
        if spoilt:
            for fold in found.scores:
                fold["test"] = dict.fromkeys(fold["test"], 0.123)
            for outcome in found.outcomes:
                outcome.test[:] = 1 / 3
        monkeypatch.setattr(trial_attributes, "peak_memory_mb", lambda: 1.0)
        object.__setattr__(found, "seconds", 1.0)
        told.append((trial_attributes.attributes(room.task, found), found.values))
    assert told[0] == told[1]


def test_attributes_are_short_texts_and_plain_numbers(room):
    trial = ask(room, POINT)
    tell(room, trial, evaluation(room), None)
    attributes = room.entry.optuna.trials[0].user_attrs
    assert attributes["row"] == "baseline"
    assert attributes["epochs"] == "median 4, 4 to 4"
    assert attributes["engine_version"] == ENGINE_VERSION
    assert set(attributes) > {"validation g-mean", "validation BBS", "folds failed", "seconds"}
    assert all(len(str(value)) < 200 for value in attributes.values())
    assert {type(value) for value in attributes.values()} == {str, int, float}


def test_a_failed_trial_keeps_its_reason_and_nothing_else(room):
    trial = ask(room, POINT)
    found = evaluation(room)
    trial.set_user_attr(tables.RUN_ATTRIBUTE, found.uuid)
    with room.storage.engine.begin() as connection:
        record(connection, room.entry.uuid, room.task, found)
    fail(room.storage, trial._trial_id, "because " * 100)
    assert states(room) == ["FAIL"]
    reason = room.entry.optuna.trials[0].user_attrs["failed"]
    assert reason.startswith("because")
    assert len(reason) == LONGEST_ATTRIBUTE
    assert rows(room) == NOTHING
    assert complete(room) == set()


def test_a_complete_trial_cannot_be_failed(room):
    trial = ask(room, POINT)
    tell(room, trial, evaluation(room), None)
    before = rows(room)
    fail(room.storage, trial._trial_id, "too late")
    assert states(room) == ["COMPLETE"]
    assert rows(room) == before


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_trial_that_was_taken_over_leaves_nothing(room, when, monkeypatch):
    trial = ask(room, POINT)

    close = room.storage.set_trial_state_values

    def take_over(*arguments):
        # By the time the trial is to be told, all of its rows are there.
        assert rows(room) != NOTHING
        close(trial._trial_id, optuna.trial.TrialState.FAIL)
        return close(*arguments)

    if when == "before":
        close(trial._trial_id, optuna.trial.TrialState.FAIL)
    else:
        monkeypatch.setattr(room.storage, "set_trial_state_values", take_over)
    with pytest.raises(TakenOver):
        tell(room, trial, evaluation(room), None)
    assert states(room) == ["FAIL"]
    assert rows(room) == NOTHING


def test_the_trial_of_a_dead_worker_is_freed_with_what_it_wrote(room):
    trial = ask(room, POINT)
    found = evaluation(room)
    trial.set_user_attr(tables.RUN_ATTRIBUTE, found.uuid)
    with room.storage.engine.begin() as connection:
        record(connection, room.entry.uuid, room.task, found)
    free_dead(room)
    assert states(room) == ["FAIL"]
    assert room.entry.optuna.trials[0].user_attrs["failed"] == "its worker died"
    assert rows(room) == NOTHING


def test_the_trial_of_a_living_worker_is_left_alone(room):
    worker = Worker(room.storage.engine)
    for point, trial in (("p", True), ("q", False)):
        worker.claim(room.entry.uuid, point)
        if trial:
            worker.assign(room.entry.uuid, point, ask(room, POINT).number)
        free_dead(room)
        assert states(room) == ["RUNNING"]
    # While somebody is about to ask, a trial without a claim may be theirs.
    ask(room, POINT)
    free_dead(room)
    assert states(room) == ["RUNNING", "RUNNING"]
    worker.release(room.entry.uuid, "q")
    free_dead(room)
    assert states(room) == ["RUNNING", "FAIL"]


def test_a_trial_that_completes_while_the_dead_are_looked_for(room, monkeypatch):
    """Its claim is gone by the time claims are read, but it was RUNNING a moment before."""
    trial = ask(room, POINT)
    found = evaluation(room)

    def complete_first(*arguments):
        if states(room) == ["RUNNING"]:
            tell(room, trial, found, None)
        return claimed(*arguments)

    claimed = leases.claimed
    monkeypatch.setattr(leases, "claimed", complete_first)
    free_dead(room)
    assert states(room) == ["COMPLETE"]
    assert rows(room)["remix_runs"] == 1


def test_a_member_whose_last_step_broke_it_is_failed(room, monkeypatch):
    fit = type(room.task).fit

    def break_one(self, setting, on_epoch=None, places=None):
        outcomes = fit(self, setting, on_epoch, places)
        outcomes[1].test[0] = np.nan
        return outcomes

    monkeypatch.setattr(type(room.task), "fit", break_one)
    with pytest.raises(MembersFailed, match="1 of 2 folds diverged: its probabilities are not fi"):
        evaluation(room)


def test_a_score_that_cannot_be_computed_fails_the_trial(storage, monkeypatch):
    (task,) = prepare(parse_study(tiny(('"g_mean", "bbs"', '"roc_auc"')), "tiny.toml"))
    room = problem_trials(storage, task, enter(storage, task))
    monkeypatch.setattr(
        "remix_study.study.evaluation.score", lambda *_arguments: {"roc_auc": float("nan")}
    )
    with pytest.raises(MembersFailed, match="roc_auc cannot be computed"):
        evaluation(room)
