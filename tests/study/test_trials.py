"""Finishing trials: all rows in the database or none, and never those of another worker."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from small_searches import text_of
from sqlalchemy import event, func, select
from tiny_studies import TINY, tiny

from remix_study.study import configuration_queue, leases, record, tables
from remix_study.study.configuration_queue import ConfigurationQueue
from remix_study.study.evaluation import Evaluation, evaluate
from remix_study.study.leases import Worker
from remix_study.study.record import record_trial
from remix_study.study.registration import register_study
from remix_study.study.schedule import finished
from remix_study.study.schedules import GridSchedule, make_schedules
from remix_study.study.scoring import MembersFailed
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.trials import (
    TakenOver,
    Trials,
    close_dead_trials,
    fail_trial,
    finish_trial,
)
from remix_study.studyfile.parsing import parse_study
from remix_study.version import ENGINE_VERSION

pytestmark = pytest.mark.usefixtures("simulated")

BASELINE = '{"strategy": "baseline"}'


def schedule_of(storage, text: str) -> GridSchedule:
    (task,) = prepare_tasks(parse_study(text, "tiny.toml"))
    (schedule,) = make_schedules([Trials(storage, task, register_study(storage, task))])
    return schedule


@pytest.fixture
def schedule(storage) -> GridSchedule:
    """The tiny study's grid."""
    return schedule_of(storage, TINY)


@pytest.fixture
def trials(schedule) -> Trials:
    """Trials of the tiny study's task."""
    return schedule.trials


def test_only_new_trials_are_read(trials, schedule, monkeypatch):
    """What a trial costs must not grow with the study."""
    for _ in range(5):
        fail_trial(trials.storage, schedule.start(BASELINE)._trial_id, "interrupted")
    assert len(trials.in_state("FAIL")) == 5
    n_read, read = [], trials.storage._get_trials

    def count_read(*words):
        n_read.append(len(trials_read := read(*words)))
        return trials_read

    monkeypatch.setattr(trials.storage, "_get_trials", count_read)
    running = schedule.start(BASELINE)
    assert (len(trials.in_state("RUNNING")), len(trials.ended())) == (1, 5)
    fail_trial(trials.storage, running._trial_id, "interrupted")
    assert (len(trials.in_state("RUNNING")), len(trials.ended())) == (0, 6)
    # Whole, when they are asked for while they run, and once they have ended.
    assert n_read == [1, 1]


def train(trials: Trials) -> Evaluation:
    return evaluate(trials.task, {"strategy": "baseline"})


def count_rows(trials: Trials) -> dict[str, int]:
    """Number of rows in each of the project's tables of runs."""
    with trials.storage.engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.runs, tables.folds, tables.scores, tables.probabilities)
        }


NO_ROWS = {"remix_runs": 0, "remix_folds": 0, "remix_scores": 0, "remix_probabilities": 0}


def states(trials: Trials) -> list[str]:
    return [trial.state.name for trial in trials.registered.optuna.get_trials()]


def test_a_finished_trial_has_all_its_rows(schedule, trials):
    trial = schedule.start(BASELINE)
    evaluation = train(trials)
    finish_trial(trials, trial, evaluation)
    assert states(trials) == ["COMPLETE"]
    assert finished(schedule) == {BASELINE}
    stored = trials.registered.optuna.trials[0]
    assert stored.values == list(evaluation.values)
    assert stored.user_attrs[tables.RUN_ATTRIBUTE] == evaluation.uuid
    metrics = {metric for fold in evaluation.scores for part in fold.values() for metric in part}
    assert count_rows(trials) == {
        "remix_runs": 1,
        "remix_folds": 2,
        "remix_scores": 2 * 2 * len(metrics),
        "remix_probabilities": 4,
    }
    # The answer to the first call may be lost.
    before = count_rows(trials)
    finish_trial(trials, trial, evaluation)
    assert (states(trials), count_rows(trials)) == (["COMPLETE"], before)


def test_ended_trials_are_in_the_order_of_their_numbers(schedule, trials):
    fail_trial(trials.storage, schedule.start(BASELINE)._trial_id, "interrupted")
    finish_trial(trials, schedule.start(BASELINE), train(trials))
    assert [trial.number for trial in trials.ended()] == [0, 1]


def test_values_are_means_of_validation_scores(trials):
    evaluation = train(trials)
    for name, value in zip(("g_mean", "bbs"), evaluation.values, strict=True):
        assert value == np.mean([fold["validation"][name] for fold in evaluation.scores])
        assert value != np.mean([fold["test"][name] for fold in evaluation.scores])


def test_attributes_know_nothing_of_test_rows(trials, monkeypatch):
    """A trial with other test predictions gets the same attributes."""
    attributes = []
    for has_other_tests in (False, True):
        evaluation = train(trials)
        if has_other_tests:
            for fold in evaluation.scores:
                fold["test"] = dict.fromkeys(fold["test"], 0.123)
            for outcome in evaluation.outcomes:
                outcome.test[:] = 1 / 3
        monkeypatch.setattr(record, "peak_memory_mb", lambda: 1.0)
        object.__setattr__(evaluation, "seconds", 1.0)
        attributes.append((record.trial_attributes(trials.task, evaluation), evaluation.values))
    assert attributes[0] == attributes[1]


def test_attributes_are_short_texts_and_plain_numbers(schedule, trials):
    trial = schedule.start(BASELINE)
    finish_trial(trials, trial, train(trials))
    attributes = trials.registered.optuna.trials[0].user_attrs
    assert attributes["row"] == "baseline"
    assert attributes["epochs"] == "median 4, 4 to 4"
    assert attributes["engine_version"] == ENGINE_VERSION
    assert set(attributes) > {"validation g-mean", "validation BBS", "folds failed", "seconds"}
    assert all(len(str(value)) < 200 for value in attributes.values())
    assert {type(value) for value in attributes.values()} == {str, int, float}


def test_how_a_trial_was_trained_is_stored_with_its_run(schedule, trials):
    finish_trial(trials, schedule.start(BASELINE), train(trials), facts={"other_workers": 3})
    with trials.storage.engine.connect() as connection:
        facts = connection.execute(select(tables.runs.c.facts)).scalar_one()
    assert facts == {
        "engine_version": ENGINE_VERSION,
        "trials_in_program": 1,
        "other_workers": 3,
    }


def test_a_failed_trial_keeps_its_reason_and_nothing_else(schedule, trials):
    trial = schedule.start(BASELINE)
    evaluation = train(trials)
    trial.set_user_attr(tables.RUN_ATTRIBUTE, evaluation.uuid)
    trial.set_user_attr(tables.SLOT_ATTRIBUTE, 1)
    with trials.storage.engine.begin() as connection:
        record_trial(connection, trials.registered.uuid, trials.task, evaluation, {})
    fail_trial(trials.storage, trial._trial_id, "because " * 100)
    assert states(trials) == ["FAIL"]
    attributes = trials.registered.optuna.trials[0].user_attrs
    reason = attributes["failed"]
    # Of a search: the slot is open again.
    assert tables.SLOT_ATTRIBUTE not in attributes
    assert reason.startswith("because")
    assert len(reason) == tables.MAX_ATTRIBUTE_LENGTH
    assert count_rows(trials) == NO_ROWS
    assert finished(schedule) == set()


def test_a_complete_trial_cannot_be_failed(schedule, trials):
    trial = schedule.start(BASELINE)
    finish_trial(trials, trial, train(trials))
    before = count_rows(trials)
    fail_trial(trials.storage, trial._trial_id, "too late")
    assert states(trials) == ["COMPLETE"]
    assert count_rows(trials) == before


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_trial_that_was_taken_over_leaves_nothing(schedule, trials, when, monkeypatch):
    trial = schedule.start(BASELINE)

    close = trials.storage.set_trial_state_values

    def take_over(*arguments):
        # All rows are written before the state.
        assert count_rows(trials) != NO_ROWS
        close(trial._trial_id, optuna.trial.TrialState.FAIL)
        return close(*arguments)

    if when == "before":
        close(trial._trial_id, optuna.trial.TrialState.FAIL)
    else:
        monkeypatch.setattr(trials.storage, "set_trial_state_values", take_over)
    with pytest.raises(TakenOver):
        finish_trial(trials, trial, train(trials))
    assert states(trials) == ["FAIL"]
    assert count_rows(trials) == NO_ROWS


def test_the_trial_of_a_dead_worker_is_closed_and_its_rows_deleted(schedule, trials):
    trial = schedule.start(BASELINE)
    evaluation = train(trials)
    trial.set_user_attr(tables.RUN_ATTRIBUTE, evaluation.uuid)
    with trials.storage.engine.begin() as connection:
        record_trial(connection, trials.registered.uuid, trials.task, evaluation, {})
    close_dead_trials(trials)
    assert states(trials) == ["FAIL"]
    assert trials.registered.optuna.trials[0].user_attrs["failed"] == "its worker died"
    assert count_rows(trials) == NO_ROWS


def test_the_trial_of_a_living_worker_is_left_alone(schedule, trials):
    worker = Worker(trials.storage.engine)
    for key, has_trial in (("p", True), ("q", False)):
        worker.acquire(trials.registered.uuid, key)
        if has_trial:
            worker.assign_trial(trials.registered.uuid, key, schedule.start(BASELINE).number)
        close_dead_trials(trials)
        assert states(trials) == ["RUNNING"]
    # While a worker is about to begin one, a trial without a lease may be its own.
    schedule.start(BASELINE)
    close_dead_trials(trials)
    assert states(trials) == ["RUNNING", "RUNNING"]
    worker.release(trials.registered.uuid, "q")
    close_dead_trials(trials)
    assert states(trials) == ["RUNNING", "FAIL"]


def test_a_trial_that_completes_while_the_dead_are_looked_for(schedule, trials, monkeypatch):
    """Its lease is gone by the time leases are read, but it was RUNNING a moment before."""
    trial = schedule.start(BASELINE)
    evaluation = train(trials)

    def complete_first(*arguments):
        if states(trials) == ["RUNNING"]:
            finish_trial(trials, trial, evaluation)
        return leased_configurations(*arguments)

    leased_configurations = leases.leased_configurations
    monkeypatch.setattr(leases, "leased_configurations", complete_first)
    close_dead_trials(trials)
    assert states(trials) == ["COMPLETE"]
    assert count_rows(trials)["remix_runs"] == 1


@pytest.mark.parametrize("is_late", [False, True])
def test_a_trial_that_begins_while_the_dead_are_looked_for(schedule, trials, monkeypatch, is_late):
    """Just before the trials are read, or just after."""
    worker, read = Worker(trials.storage.engine), Trials.running

    def begin_and_read(*arguments):
        rows = read(*arguments)
        worker.acquire(trials.registered.uuid, BASELINE)
        number = schedule.start(BASELINE).number
        worker.assign_trial(trials.registered.uuid, BASELINE, number)
        return rows if is_late else read(*arguments)

    monkeypatch.setattr(Trials, "running", begin_and_read)
    close_dead_trials(trials)
    assert states(trials) == ["RUNNING"]


@pytest.mark.parametrize("is_search", [False, True])
def test_workers_that_ask_at_once_begin_at_different_configurations(
    storage, monkeypatch, is_search
):
    """Of a grid: in a search, what a trial is depends on those before it."""
    text = text_of("random", trials=4) if is_search else TINY
    schedule = schedule_of(storage, text)
    keys, uuid = schedule.unfinished(), schedule.trials.registered.uuid
    others = [Worker(storage.engine) for _ in range(2)]

    def first(process_id):
        monkeypatch.setattr(configuration_queue.os, "getpid", lambda: process_id)
        queue = ConfigurationQueue(schedule, Worker(storage.engine))
        (leased,) = queue.lease(1)
        queue.worker.unregister()
        return keys.index(leased.key)

    assert [first(process_id) for process_id in range(4)] == [0] * 4, "nobody else works"
    others[0].acquire(uuid, keys[0])
    assert [first(process_id) for process_id in range(4)] == [1, 1 if is_search else 2] * 2
    # Whatever is left is found, also before the place where a worker begins.
    for key in keys[2:]:
        others[1].acquire(uuid, key)
    assert [first(process_id) for process_id in range(4)] == [1] * 4


@pytest.mark.parametrize("ends", [False, True])
def test_a_trial_that_a_silent_worker_left_open_is_taken_over(schedule, trials, monkeypatch, ends):
    """Unless its worker wakes up, and ends it at this moment."""
    trial, evaluation = schedule.start(BASELINE), train(trials)

    def fail(*arguments):
        if ends:
            finish_trial(trials, trial, evaluation)
        fail_trial(*arguments)

    monkeypatch.setattr(configuration_queue, "fail_trial", fail)
    (leased,) = ConfigurationQueue(schedule, Worker(trials.storage.engine)).lease(1)
    assert states(trials) == ["COMPLETE" if ends else "FAIL"]
    assert (leased.key == BASELINE) == (not ends)


def test_a_trial_is_closed_in_one_transaction(schedule, trials):
    """Whoever loses the answer to a part of it would leave rows behind."""
    trial, commits = schedule.start(BASELINE), []
    event.listen(trials.storage.engine, "commit", commits.append)
    fail_trial(trials.storage, trial._trial_id, "because")
    assert len(commits) == 1


def test_a_member_whose_last_step_broke_it_is_failed(trials, monkeypatch):
    fit = type(trials.task).fit

    def break_one(self, configuration, on_epoch=None, positions=None):
        outcomes = fit(self, configuration, on_epoch, positions)
        outcomes[1].test[0] = np.nan
        return outcomes

    monkeypatch.setattr(type(trials.task), "fit", break_one)
    with pytest.raises(MembersFailed, match="1 of 2 folds diverged: its probabilities are not fi"):
        train(trials)


def test_a_score_that_cannot_be_computed_fails_the_trial(storage, monkeypatch):
    trials = schedule_of(storage, tiny(('"g_mean", "bbs"', '"roc_auc"'))).trials
    monkeypatch.setattr(
        "remix_study.study.scoring.score",
        lambda *_arguments, **_keywords: {"roc_auc": float("nan")},
    )
    with pytest.raises(MembersFailed, match="roc_auc cannot be computed"):
        train(trials)
