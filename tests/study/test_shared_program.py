"""Trials that share a stack: who may, what they score, and what ends one of them alone."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_studies import assert_clean, query, tiny, trials

from remix_study.errors import StudyFileError
from remix_study.study import (
    active_trial,
    configuration_queue,
    leases,
    program_stack,
    runner,
    shared_program,
    trial_loop,
)
from remix_study.study.configurations import configuration_of
from remix_study.study.leases import Worker
from remix_study.study.reporter import Reporter
from remix_study.study.signals import Signals, Stopped
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.worker_limits import WorkerLimits
from remix_study.studyfile.parsing import parse_study

DATABASE = Path("x.db")
ALPHAS = ("[0.0, 0.1]", "[0.0, 0.1, 0.2, 0.3]")
FIVE = ["baseline", "balance", "remix (0.1)", "remix (0.2)", "remix (0.3)"]


def with_stack(stack, *changes):
    """The tiny study: five points on two folds, so many networks in a program."""
    return tiny(ALPHAS, ("epochs = 2", f"epochs = 2\nstack = {stack}"), *changes)


def run(text, **options):
    study = parse_study(text, "tiny.toml")
    return runner.run(study, storage=f"sqlite:///{DATABASE}", **options)


def task_of(text):
    return prepare_tasks(parse_study(text, "tiny.toml"))[0]


@pytest.fixture
def groups(monkeypatch):
    """The points of every group that trained, in order."""
    found, train = [], active_trial.train_trials

    def seen(trials_, these, *others):
        found.append([one.label for one in these])
        return train(trials_, these, *others)

    monkeypatch.setattr(trial_loop, "train_trials", seen)
    return found


@pytest.fixture
def one_core(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 1)


@pytest.fixture
def accelerator(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.has_accelerator", lambda: True)


@pytest.mark.usefixtures("one_core")
def test_a_trial_alone_unless_the_file_asks_for_more():
    assert shared_program.trials_per_program(task_of(tiny(ALPHAS))) == 1


@pytest.mark.parametrize(("stack", "trials_"), [(1, 1), (2, 1), (3, 1), (4, 2), (7, 3), (100, 50)])
@pytest.mark.usefixtures("one_core")
def test_as_many_trials_as_fit_train_at_once(stack, trials_):
    task = task_of(with_stack(stack))
    assert (task.stack, shared_program.trials_per_program(task)) == (stack, trials_)


def test_stacks_that_train_at_a_time_are_all_filled(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 2)
    assert shared_program.trials_per_program(task_of(with_stack(4))) == 4


@pytest.mark.usefixtures("accelerator")
def test_auto_fills_an_accelerator_and_leaves_a_cpu_as_it_is(monkeypatch):
    task = task_of(with_stack('"auto"'))
    # Five points of two folds, all in one program.
    assert (task.stack, shared_program.trials_per_program(task)) == (10, 5)
    # Points of another program would be no company.
    rates = ("[search.space]", "[search.space]\nlearning_rate = [0.001, 0.01, 0.1]")
    assert task_of(with_stack('"auto"', rates)).stack == 10
    monkeypatch.setattr(program_stack, "MAX_AUTO_STACK", 7)
    assert (task.stack, shared_program.trials_per_program(task)) == (6, 3)
    monkeypatch.setattr(program_stack, "MAX_AUTO_STACK", 1)
    assert (task.stack, shared_program.trials_per_program(task)) == (2, 1)
    monkeypatch.setattr("remix_study.training.stacks.has_accelerator", lambda: False)
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 2)
    plain = task_of(tiny(ALPHAS))
    assert task.stack == plain.stack
    assert shared_program.trials_per_program(task) == 1


@pytest.mark.usefixtures("accelerator")
def test_searches_and_networks_without_a_member_axis_do_not_share():
    search = ("[search.space]", '[search]\nalgorithm = "random"\ntrials = 4\n[search.space]')
    assert shared_program.trials_per_program(task_of(with_stack(100, search))) == 1
    assert task_of(with_stack('"auto"', search)).stack == 2
    own = ("hidden = [4]", 'name = "user_nets:dropout"')
    assert shared_program.trials_per_program(task_of(with_stack(100, own))) == 1


def test_a_stack_that_is_full_with_one_trial_is_left_to_it(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 8)
    assert shared_program.trials_per_program(task_of(with_stack(3))) == 1


def test_what_one_program_trains():
    task = task_of(tiny())

    def setting(**parameters):
        return configuration_of(parameters, task.spec.training, task.study.model)

    remix = setting(strategy="remix", alpha=0.1)
    for other in ("baseline", "smote", "cost-repo", "logit-adjusted", "undersample"):
        assert shared_program.share_program(remix, setting(strategy=other))
    assert not shared_program.share_program(remix, setting(strategy="focal"))
    assert not shared_program.share_program(
        remix, setting(strategy="baseline", learning_rate=0.01)
    )
    assert not shared_program.share_program(
        remix, setting(strategy="baseline", **{"model.dropout": 0.5})
    )
    assert not shared_program.share_program(
        remix, setting(strategy="baseline", **{"model.hidden": "[5]"})
    )
    assert shared_program.share_program(setting(strategy="focal"), setting(strategy="focal"))


@pytest.mark.usefixtures("_blank_here")
def test_trials_that_share_a_stack_score_what_they_do_alone(groups, monkeypatch):
    """Real networks: at the same stack, the very bits."""
    text = with_stack(6, ("strategy = [", 'strategy = ["cost-repo", "smote", "undersample", '))
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 2)
    run(text)
    assert sorted(map(len, groups)) == [2, 6]
    shared = stored()
    DATABASE.unlink()
    monkeypatch.setattr(configuration_queue, "trials_per_program", lambda _task: 1)
    run(text)
    assert [len(group) for group in groups[2:]] == [1] * 8
    alone = stored()
    assert len(shared) == 8
    assert shared == alone
    assert_clean(DATABASE)


def stored():
    """All that a trial left, by its parameters: scores, curves, probabilities."""
    found = {}
    for run_id, label in query(DATABASE, "SELECT id, label FROM remix_runs"):
        own = []
        for table, columns in (
            ("scores", "repeat, fold, part || metric, value"),
            ("folds", "repeat, fold, epochs, stopped, trained_on, curves"),
            ("probabilities", "repeat, fold, part, probabilities"),
        ):
            sql = f"SELECT {columns} FROM remix_{table} WHERE run_id = {run_id} ORDER BY 1, 2, 3"
            own.append(query(DATABASE, sql))
        found[label] = own
    return found


@pytest.fixture
def _blank_here(here, _blank):
    (here / DATABASE).write_bytes(_blank.read_bytes())


class Heard(Reporter):
    """Remembers what became of points."""

    def __init__(self):
        self.lines = []

    def complete(self, label, _values, _seconds):
        self.lines.append(("complete", label))

    def failed(self, label, _reason):
        self.lines.append(("failed", label))

    def retried(self, label, _reason):
        self.lines.append(("retried", label))


@pytest.mark.usefixtures("simulated", "_blank_here", "one_core")
class TestMadeUp:
    """Everything around the training."""

    def test_all_points_complete_in_groups_of_what_fits(self, groups):
        summary = run(with_stack(4))
        assert groups == [FIVE[:2], FIVE[2:4], FIVE[4:]]
        assert (summary.complete, summary.started) == (5, 5)
        assert_clean(DATABASE)

    def test_what_others_do_or_have_done_is_left_to_them(self, groups):
        run(with_stack(100), limits=WorkerLimits(max_trials=2))
        run(with_stack(100))
        assert groups == [FIVE[:2], FIVE[2:]]

    def test_a_process_that_is_to_be_followed_takes_no_more_than_its_share(self, groups):
        summary = run(with_stack(8), limits=WorkerLimits(max_trials=3))
        assert groups == [FIVE[:3]]
        assert summary.recycled

    def test_points_of_other_programs_wait_for_their_turn(self, groups):
        rates = ("[search.space]", "[search.space]\nlearning_rate = [0.001, 0.01]")
        run(with_stack(100, rates))
        assert [len(group) for group in groups] == [5, 5]
        assert all(label.endswith("learning_rate 0.001") for label in groups[0])

    def test_workers_share_what_is_open(self, groups):
        run(with_stack(100), limits=WorkerLimits(max_trials=1))
        from remix_study.study.storage import open_storage

        other = Worker(open_storage(f"sqlite:///{DATABASE}").engine)
        run(with_stack(100))
        other.unregister()
        assert groups == [FIVE[:1], FIVE[1:3], FIVE[3:4], FIVE[4:]]

    def test_results_are_kept_though_nobody_hears_of_them(self):
        class Broken(Heard):
            def complete(self, label, _values, _seconds):
                raise BrokenPipeError(label)

        with pytest.raises(BrokenPipeError):
            run(with_stack(100), reporter=Broken())
        assert [state for *_, state in trials(DATABASE)] == ["COMPLETE"] * 5
        assert query(DATABASE, "SELECT * FROM remix_claims") == []

    def test_one_that_diverges_fails_alone(self, monkeypatch):
        fit = Task.fit

        def diverging(self, setting, on_epoch=None, places=None):
            outcomes = fit(self, setting, on_epoch, places)
            if setting.strategy.label == FIVE[2]:
                return [replace(outcome, failed="made up") for outcome in outcomes]
            return outcomes

        monkeypatch.setattr(Task, "fit", diverging)
        heard = Heard()
        summary = run(with_stack(100), reporter=heard)
        assert [failure.configuration for failure in summary.failures] == [FIVE[2]]
        others = [("complete", label) for label in FIVE if label != FIVE[2]]
        assert heard.lines == [("failed", FIVE[2]), *others]
        assert_clean(DATABASE)

    def test_after_a_crash_each_is_tried_alone(self, groups, monkeypatch):
        fit = Task.fit

        def crashing(self, setting, on_epoch=None, places=None):
            if setting.strategy.label == FIVE[1]:
                raise ZeroDivisionError
            return fit(self, setting, on_epoch, places)

        monkeypatch.setattr(Task, "fit", crashing)
        summary = run(with_stack(100))
        assert groups == [FIVE, [FIVE[0]], [FIVE[1]], [FIVE[1]], *([one] for one in FIVE[2:])]
        assert summary.complete == 4
        assert [failure.configuration for failure in summary.failures] == [FIVE[1]]
        assert summary.failures[0].reason.endswith(", 3 times")
        assert_clean(DATABASE)

    def test_one_that_was_taken_over_is_lost_alone(self, monkeypatch):
        """Somebody strikes off one claim while the group trains."""
        fit, lost = Task.fit, []

        def robbed(self, setting, on_epoch=None, places=None):
            if setting.strategy.label == FIVE[3] and not lost:
                lost.append(robbery())
            return fit(self, setting, on_epoch, places)

        def robbery():
            import sqlite3

            with sqlite3.connect(DATABASE) as connection:
                sql = "DELETE FROM remix_claims WHERE point LIKE '%0.2%'"
                return connection.execute(sql).rowcount

        monkeypatch.setattr(Task, "fit", robbed)
        heard = Heard()
        summary = run(with_stack(100), reporter=heard)
        assert lost == [1]
        assert summary.complete == 5
        others = [("complete", label) for label in FIVE if label != FIVE[3]]
        assert heard.lines == [("failed", FIVE[3]), *others, ("complete", FIVE[3])]
        assert_clean(DATABASE)

    def test_a_stop_closes_all_of_them_and_the_next_run_takes_them_up(self):
        stop, heard = Signals(), Heard()
        heard.epoch = lambda _members: setattr(stop, "received", signal.SIGINT)
        with pytest.raises(Stopped):
            run(with_stack(100), reporter=heard, signals=stop)
        assert [state for *_, state in trials(DATABASE)] == ["FAIL"] * 5
        assert query(DATABASE, "SELECT * FROM remix_claims") == []
        assert run(with_stack(100)).complete == 5
        assert_clean(DATABASE)

    def test_a_stop_while_one_is_told_keeps_what_the_others_have_trained(self):
        stop, heard = Signals(), Heard()
        heard.complete = lambda *_words: setattr(stop, "received", signal.SIGINT)
        with pytest.raises(Stopped):
            run(with_stack(4), reporter=heard, signals=stop)
        assert [state for *_, state in trials(DATABASE)] == ["COMPLETE"] * 2
        assert query(DATABASE, "SELECT * FROM remix_claims") == []

    def test_all_of_them_give_signs_of_life(self, monkeypatch):
        beats = []
        monkeypatch.setattr(Worker.__init__, "__defaults__", (0.01,))
        fit = Task.fit

        def slow(self, setting, on_epoch=None, places=None):
            monkeypatch.setenv("SIMULATED_SECONDS", "0.2")
            return fit(self, setting, on_epoch, places)

        monkeypatch.setattr(Task, "fit", slow)
        monkeypatch.setattr(
            "optuna.storages.RDBStorage.record_heartbeat", lambda _self, trial: beats.append(trial)
        )
        run(with_stack(4))
        assert len(set(beats)) == 5

    def test_a_stack_is_part_of_what_a_study_is(self):
        run(with_stack(4))
        with pytest.raises(StudyFileError, match="stack: 4 -> 8"):
            run(with_stack(8))
        # The command line says the same as the file.
        study = parse_study(with_stack(8), "tiny.toml").with_stack(4)
        summary = runner.run(study, storage=f"sqlite:///{DATABASE}")
        assert (summary.complete_before, summary.completed) == (5, 0)

    def test_a_claim_whose_answer_was_lost_is_this_workers(self, groups, monkeypatch):
        """The connection dies after the second claim was written and before it was answered."""
        claim, calls = Worker.acquire, []

        def cut(self, study_uuid, point):
            taken = claim(self, study_uuid, point)
            calls.append(point)
            if len(calls) == 2:
                raise lost_connection()
            return taken

        def lost_connection():
            from sqlalchemy.exc import OperationalError

            return OperationalError("", {}, Exception("database is locked"))

        monkeypatch.setattr(Worker, "acquire", cut)
        run(with_stack(100))
        assert groups == [FIVE]


@pytest.mark.usefixtures("simulated", "_blank_here")
def test_claims_of_a_worker_may_be_left_out():
    run(with_stack(4))
    from remix_study.study.storage import open_storage

    engine = open_storage(f"sqlite:///{DATABASE}").engine
    mine, others = Worker(engine), Worker(engine)
    (uuid,) = query(DATABASE, "SELECT DISTINCT study_uuid FROM remix_runs")[0]
    assert mine.acquire(uuid, "a")
    assert mine.acquire(uuid, "a")
    assert not others.acquire(uuid, "a")
    assert others.acquire(uuid, "b")
    with engine.connect() as connection:
        assert set(leases.leased_configurations(connection, uuid)) == {"a", "b"}
        assert set(leases.leased_configurations(connection, uuid, but=mine)) == {"b"}
