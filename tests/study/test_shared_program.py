"""Trials that share a program: which may, their scores, and what ends one of them alone."""

from __future__ import annotations

import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from tiny_studies import assert_clean, query, tiny, trials

from remix_study.batches.samplers import STACK_SAMPLERS
from remix_study.errors import StudyFileError
from remix_study.study import (
    active_trials,
    configurations,
    leases,
    runner,
    trial_loop,
)
from remix_study.study.configurations import program_key
from remix_study.study.leases import Worker
from remix_study.study.reporter import Reporter
from remix_study.study.signals import Signals, Stopped
from remix_study.study.storage import open_storage
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.trial_loop import WorkerLimits
from remix_study.studyfile.parsing import parse_study

DATABASE = Path("x.db")
ALPHAS = ("[0.0, 0.1]", "[0.0, 0.1, 0.2, 0.3]")
FIVE = ["baseline", "balance", "remix (0.1)", "remix (0.2)", "remix (0.3)"]


def with_stack(stack, *changes):
    """The tiny study: five configurations on two folds, so many networks in a program."""
    return tiny(ALPHAS, ("epochs = 2", f"epochs = 2\nstack = {stack}"), *changes)


def run(text, **options):
    study = parse_study(text, "tiny.toml")
    return runner.run(study, storage=f"sqlite:///{DATABASE}", **options)


def task_of(text):
    return prepare_tasks(parse_study(text, "tiny.toml"))[0]


@pytest.fixture
def groups(monkeypatch):
    """Labels of every group of configurations that trained together, in order."""
    labels, train = [], active_trials.train_trials

    def recording(schedule, active, *others):
        labels.append([trial.label for trial in active])
        return train(schedule, active, *others)

    monkeypatch.setattr(trial_loop, "train_trials", recording)
    return labels


@pytest.fixture
def one_core(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 1)


@pytest.fixture
def accelerator(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.has_accelerator", lambda: True)


@pytest.mark.usefixtures("one_core")
def test_a_trial_alone_unless_the_file_asks_for_more():
    assert task_of(tiny(ALPHAS)).trials_per_program == 1


@pytest.mark.parametrize(("stack", "trials_"), [(1, 1), (2, 1), (3, 1), (4, 2), (7, 3), (100, 50)])
@pytest.mark.usefixtures("one_core")
def test_as_many_trials_as_fit_train_at_once(stack, trials_):
    task = task_of(with_stack(stack))
    assert (task.stack, task.trials_per_program) == (stack, trials_)


def test_stacks_that_train_at_a_time_are_all_filled(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 2)
    assert task_of(with_stack(4)).trials_per_program == 4


@pytest.mark.usefixtures("accelerator")
def test_auto_fills_an_accelerator_and_leaves_a_cpu_as_it_is(monkeypatch):
    task = task_of(with_stack('"auto"'))
    # Five configurations of two folds, all in one program.
    assert (task.stack, task.trials_per_program) == (10, 5)
    # Configurations of another program do not share it.
    rates = ("[search.space]", "[search.space]\nlearning_rate = [0.001, 0.01, 0.1]")
    assert task_of(with_stack('"auto"', rates)).stack == 10
    monkeypatch.setattr(configurations, "MAX_AUTO_STACK", 7)
    assert (task.stack, task.trials_per_program) == (6, 3)
    monkeypatch.setattr(configurations, "MAX_AUTO_STACK", 1)
    assert (task.stack, task.trials_per_program) == (2, 1)
    monkeypatch.setattr("remix_study.training.stacks.has_accelerator", lambda: False)
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 2)
    plain = task_of(tiny(ALPHAS))
    assert task.stack == plain.stack
    assert task.trials_per_program == 1


@pytest.mark.usefixtures("accelerator")
def test_searches_and_networks_without_a_member_axis_do_not_share():
    search = ("[search.space]", '[search]\nalgorithm = "random"\ntrials = 4\n[search.space]')
    assert task_of(with_stack(100, search)).trials_per_program == 1
    assert task_of(with_stack('"auto"', search)).stack == 2
    custom = ("hidden = [4]", 'name = "user_nets:dropout"')
    assert task_of(with_stack(100, custom)).trials_per_program == 1


def test_a_stack_that_is_full_with_one_trial_is_left_to_it(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 8)
    assert task_of(with_stack(3)).trials_per_program == 1


def test_which_configurations_share_a_program():
    task = task_of(tiny())

    def key(**parameters):
        return program_key(task.configuration(parameters))

    remix = key(strategy="remix", alpha=0.1)
    for name in ("baseline", "cost-repo", "logit-adjusted", "balanced-mixup", "smote"):
        assert key(strategy=name) == remix
    # Rows that only the host can draw are not drawn beside those that a device draws.
    assert key(strategy="smote-dataset") == key(strategy="undersample") != remix
    # With nominal features SMOTE's are among them.
    smote = task.configuration({"strategy": "smote"})
    assert program_key(smote, STACK_SAMPLERS) == key(strategy="undersample")
    assert key(strategy="focal") != remix
    assert key(strategy="baseline", learning_rate=0.01) != remix
    assert key(strategy="baseline", **{"model.dropout": 0.5}) != remix
    assert key(strategy="baseline", **{"model.hidden": "[5]"}) != remix
    assert key(strategy="focal") == key(strategy="focal")


@pytest.mark.usefixtures("_blank_here", "kept_programs")
def test_trials_that_share_a_stack_have_the_scores_of_trials_alone(groups, monkeypatch):
    """Real networks: at the same stack, equal in every bit."""
    text = with_stack(
        6, ("strategy = [", 'strategy = ["cost-repo", "smote-dataset", "undersample", ')
    )
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 2)
    run(text)
    assert sorted(map(len, groups)) == [2, 6]
    shared = stored()
    assert trials_in_programs() == [2] * 2 + [6] * 6
    DATABASE.unlink()
    monkeypatch.setattr(Task, "trials_per_program", 1)
    run(text)
    assert [len(group) for group in groups[2:]] == [1] * 8
    alone = stored()
    assert len(shared) == 8
    assert shared == alone
    assert trials_in_programs() == [1] * 8
    assert_clean(DATABASE)


def trials_in_programs() -> list[int]:
    facts = query(DATABASE, "SELECT json_extract(facts, '$.trials_in_program') FROM remix_runs")
    return sorted(number for (number,) in facts)


def stored():
    """All rows of each trial by its label: scores, curves, probabilities."""
    rows_of = {}
    for run_id, label in query(DATABASE, "SELECT id, label FROM remix_runs"):
        rows = []
        for table, columns in (
            ("scores", "repeat, fold, part || metric, value"),
            ("folds", "repeat, fold, epochs, stopped, trained_on, curves"),
            ("probabilities", "repeat, fold, part, probabilities"),
        ):
            sql = f"SELECT {columns} FROM remix_{table} WHERE run_id = {run_id} ORDER BY 1, 2, 3"
            rows.append(query(DATABASE, sql))
        rows_of[label] = rows
    return rows_of


@pytest.fixture
def _blank_here(here, _blank):
    (here / DATABASE).write_bytes(_blank.read_bytes())


class RecordingReporter(Reporter):
    """Records how configurations end."""

    def __init__(self):
        self.events = []

    def complete(self, label, _values, _seconds):
        self.events.append(("complete", label))

    def failed(self, label, _reason):
        self.events.append(("failed", label))

    def retried(self, label, _reason):
        self.events.append(("retried", label))


@pytest.mark.usefixtures("simulated", "_blank_here", "one_core")
class TestSimulated:
    """Everything around the training, which is simulated."""

    def test_configurations_train_in_groups_that_fit(self, groups):
        summary = run(with_stack(4))
        assert groups == [FIVE[:2], FIVE[2:4], FIVE[4:]]
        assert (summary.complete, summary.started) == (5, 5)
        assert_clean(DATABASE)

    def test_complete_configurations_are_left_out(self, groups):
        run(with_stack(100), limits=WorkerLimits(max_trials=2))
        run(with_stack(100))
        assert groups == [FIVE[:2], FIVE[2:]]

    def test_a_process_trains_no_more_trials_than_its_limit(self, groups):
        summary = run(with_stack(8), limits=WorkerLimits(max_trials=3))
        assert groups == [FIVE[:3]]
        assert summary.recycled

    def test_configurations_of_other_programs_train_later(self, groups):
        rates = ("[search.space]", "[search.space]\nlearning_rate = [0.001, 0.01]")
        run(with_stack(100, rates))
        assert [len(group) for group in groups] == [5, 5]
        assert all(label.endswith("learning_rate 0.001") for label in groups[0])

    def test_workers_share_what_is_open(self, groups):
        run(with_stack(100), limits=WorkerLimits(max_trials=1))
        other = Worker(open_storage(f"sqlite:///{DATABASE}").engine)
        run(with_stack(100))
        other.unregister()
        assert groups == [FIVE[:1], FIVE[1:3], FIVE[3:4], FIVE[4:]]

    def test_results_are_stored_before_they_are_reported(self):
        class BrokenReporter(RecordingReporter):
            def complete(self, label, _values, _seconds):
                raise BrokenPipeError(label)

        with pytest.raises(BrokenPipeError):
            run(with_stack(100), reporter=BrokenReporter())
        assert [state for *_, state in trials(DATABASE)] == ["COMPLETE"] * 5
        assert query(DATABASE, "SELECT * FROM remix_claims") == []

    def test_one_that_diverges_fails_alone(self, monkeypatch):
        fit = Task.fit

        def diverging(self, configuration, on_epoch=None, positions=None):
            outcomes = fit(self, configuration, on_epoch, positions)
            if configuration.strategy.label == FIVE[2]:
                return [replace(outcome, failed="made up") for outcome in outcomes]
            return outcomes

        monkeypatch.setattr(Task, "fit", diverging)
        reporter = RecordingReporter()
        summary = run(with_stack(100), reporter=reporter)
        assert [failure.configuration for failure in summary.failures] == [FIVE[2]]
        others = [("complete", label) for label in FIVE if label != FIVE[2]]
        assert reporter.events == [("failed", FIVE[2]), *others]
        assert_clean(DATABASE)

    def test_after_a_crash_each_is_tried_alone(self, groups, monkeypatch):
        fit = Task.fit

        def crashing(self, configuration, on_epoch=None, positions=None):
            if configuration.strategy.label == FIVE[1]:
                raise ZeroDivisionError
            return fit(self, configuration, on_epoch, positions)

        monkeypatch.setattr(Task, "fit", crashing)
        summary = run(with_stack(100))
        assert groups == [FIVE, [FIVE[0]], [FIVE[1]], [FIVE[1]], *([one] for one in FIVE[2:])]
        assert summary.complete == 4
        assert [failure.configuration for failure in summary.failures] == [FIVE[1]]
        assert summary.failures[0].reason.endswith(", 3 times")
        assert_clean(DATABASE)

    def test_one_that_was_taken_over_is_lost_alone(self, monkeypatch):
        """One lease is deleted while the group trains."""
        fit, deleted = Task.fit, []

        def losing_a_lease(self, configuration, on_epoch=None, positions=None):
            if configuration.strategy.label == FIVE[3] and not deleted:
                deleted.append(delete_lease())
            return fit(self, configuration, on_epoch, positions)

        def delete_lease():
            with sqlite3.connect(DATABASE) as connection:
                sql = "DELETE FROM remix_claims WHERE point LIKE '%0.2%'"
                return connection.execute(sql).rowcount

        monkeypatch.setattr(Task, "fit", losing_a_lease)
        reporter = RecordingReporter()
        summary = run(with_stack(100), reporter=reporter)
        assert deleted == [1]
        assert summary.complete == 5
        others = [("complete", label) for label in FIVE if label != FIVE[3]]
        assert reporter.events == [("failed", FIVE[3]), *others, ("complete", FIVE[3])]
        assert_clean(DATABASE)

    def test_a_stop_closes_all_of_them_and_the_next_run_repeats_them(self):
        stop, reporter = Signals(), RecordingReporter()
        reporter.epoch = lambda _members: setattr(stop, "received", signal.SIGINT)
        with pytest.raises(Stopped):
            run(with_stack(100), reporter=reporter, signals=stop)
        assert [state for *_, state in trials(DATABASE)] == ["FAIL"] * 5
        assert query(DATABASE, "SELECT * FROM remix_claims") == []
        assert run(with_stack(100)).complete == 5
        assert_clean(DATABASE)

    def test_a_stop_while_one_is_reported_keeps_the_other_results(self):
        stop, reporter = Signals(), RecordingReporter()
        reporter.complete = lambda *_words: setattr(stop, "received", signal.SIGINT)
        with pytest.raises(Stopped):
            run(with_stack(4), reporter=reporter, signals=stop)
        assert [state for *_, state in trials(DATABASE)] == ["COMPLETE"] * 2
        assert query(DATABASE, "SELECT * FROM remix_claims") == []

    def test_all_of_them_record_heartbeats(self, monkeypatch):
        beats = []
        monkeypatch.setattr(Worker.__init__, "__defaults__", (0.01,))
        fit = Task.fit

        def slow(self, configuration, on_epoch=None, positions=None):
            monkeypatch.setenv("SIMULATED_SECONDS", "0.2")
            return fit(self, configuration, on_epoch, positions)

        monkeypatch.setattr(Task, "fit", slow)
        monkeypatch.setattr(
            "optuna.storages.RDBStorage.record_heartbeat", lambda _self, trial: beats.append(trial)
        )
        run(with_stack(4))
        assert len(set(beats)) == 5

    def test_the_stack_is_part_of_the_fingerprint(self):
        run(with_stack(4))
        with pytest.raises(StudyFileError, match="stack: 4 -> 8"):
            run(with_stack(8))
        # The option of the command line counts like the key of the file.
        study = parse_study(with_stack(8), "tiny.toml").with_stack(4)
        summary = runner.run(study, storage=f"sqlite:///{DATABASE}")
        assert (summary.complete_before, summary.completed) == (5, 0)

    def test_a_lease_whose_answer_was_lost_is_this_workers(self, groups, monkeypatch):
        """The connection is lost after the second lease was written, before the answer."""
        acquire, calls = Worker.acquire, []

        def acquire_and_lose(self, study_uuid, key):
            is_leased = acquire(self, study_uuid, key)
            calls.append(key)
            if len(calls) == 2:
                raise lost_connection()
            return is_leased

        def lost_connection():
            return OperationalError("", {}, Exception("database is locked"))

        monkeypatch.setattr(Worker, "acquire", acquire_and_lose)
        run(with_stack(100))
        assert groups == [FIVE]


@pytest.mark.usefixtures("simulated", "_blank_here")
def test_leases_of_a_worker_may_be_left_out():
    run(with_stack(4))
    engine = open_storage(f"sqlite:///{DATABASE}").engine
    worker, second_worker = Worker(engine), Worker(engine)
    (uuid,) = query(DATABASE, "SELECT DISTINCT study_uuid FROM remix_runs")[0]
    assert worker.acquire(uuid, "a")
    assert worker.acquire(uuid, "a")
    assert not second_worker.acquire(uuid, "a")
    assert second_worker.acquire(uuid, "b")
    with engine.connect() as connection:
        assert set(leases.leased_configurations(connection, uuid)) == {"a", "b"}
        assert set(leases.leased_configurations(connection, uuid, but=worker)) == {"b"}
