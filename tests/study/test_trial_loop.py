"""The trial loop under signals, defects, crashes and takeovers; with simulated training."""

from __future__ import annotations

import shutil
import signal

import pytest
from optuna.exceptions import UpdateFinishedTrialError
from recorded_runs import (
    DATABASE,
    MIXED_SPACE,
    SEARCH,
    RecordingReporter,
    at_call,
    attributes,
    run,
    sending,
)
from tiny_studies import assert_clean, complete_values, tiny, trials

from remix_study.errors import UsageError
from remix_study.study import trial_loop
from remix_study.study.leases import Worker
from remix_study.study.schedules import GridSchedule
from remix_study.study.signals import Signals, Stopped
from remix_study.study.task import Task
from remix_study.study.trials import TakenOver

pytestmark = pytest.mark.usefixtures("simulated")


@pytest.fixture(autouse=True)
def _database(here, _blank):
    """An empty database in an empty folder."""
    shutil.copy(_blank, here / DATABASE)


@pytest.mark.parametrize("event", ["trial", "epoch", "complete"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_a_clean_database(event, number):
    stop = Signals()
    with pytest.raises(Stopped) as stopped, stop.installed():
        run(reporter=RecordingReporter(**{event: at_call(2, sending(number))}), signals=stop)
    assert stopped.value.exit_code == 128 + number
    assert_clean(DATABASE)
    assert attributes("failed") == ([] if event == "complete" else ["interrupted"])
    rest = run()
    assert rest.complete == 3
    assert len(complete_values(DATABASE)) == 3


WRITES = {
    "start": (GridSchedule, "start"),
    "finish": (trial_loop, "finish_trial"),
    "release": (Worker, "release"),
    "unregister": (Worker, "unregister"),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_signal_while_something_is_written_waits(write, monkeypatch):
    """Also two of them: people press Ctrl-C again."""
    owner, name = WRITES[write]
    original, stop = getattr(owner, name), Signals()

    def interrupted(*arguments):
        sending(signal.SIGTERM)()
        result = original(*arguments)
        sending(signal.SIGINT)()
        return result

    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(Stopped), stop.installed():
        run(signals=stop)
    assert stop.received == signal.SIGTERM
    assert_clean(DATABASE)
    n_complete = len(complete_values(DATABASE))
    assert n_complete == {"start": 0, "finish": 1, "release": 1, "unregister": 3}[write]


def test_a_signal_while_an_interrupted_trial_is_closed_waits(monkeypatch):
    fail, stop = trial_loop.fail_trial, Signals()

    def interrupted(*arguments, **options):
        sending()()
        fail(*arguments, **options)
        sending()()

    monkeypatch.setattr(trial_loop, "fail_trial", interrupted)
    with pytest.raises(Stopped), stop.installed():
        run(reporter=RecordingReporter(epoch=at_call(2, sending())), signals=stop)
    assert_clean(DATABASE)
    assert [state for *_, state in trials(DATABASE)] == ["FAIL"]


def test_a_lost_signal_stops_the_run_at_the_next_epoch():
    stop, reporter = (
        Signals(),
        RecordingReporter(epoch=at_call(2, lambda: setattr(stop, "received", signal.SIGINT))),
    )
    with pytest.raises(Stopped):
        run(reporter=reporter, signals=stop)
    assert sum(event[0] == "epoch" for event in reporter.events) == 2


def test_a_defect_closes_the_trial_and_is_raised(monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(trial_loop, "finish_trial", broken)
    with pytest.raises(ZeroDivisionError):
        run()
    assert_clean(DATABASE)
    assert attributes("failed") == ["ZeroDivisionError: a defect"]


def raising(times: int, label: str):
    """Training that raises the first times with one strategy."""
    fit, calls = Task.fit, []

    def fit_or_raise(self, configuration, on_epoch=None, positions=None):
        if configuration.strategy.label == label:
            calls.append(label)
            if len(calls) <= times:
                raise ZeroDivisionError("a defect")
        return fit(self, configuration, on_epoch, positions)

    return fit_or_raise


def test_training_that_raises_is_retried_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(Task, "fit", raising(2, "balance"))
    reporter = RecordingReporter()
    summary = run(reporter=reporter)
    assert (summary.complete, summary.failures) == (3, [])
    reasons = attributes("failed")
    assert len(reasons) == 2
    assert reasons[0].startswith("ZeroDivisionError: a defect (test_trial_loop.py, line ")
    assert ("retried", "balance", reasons[0]) in reporter.events
    assert_clean(DATABASE)


def test_a_configuration_that_always_raises_is_given_up_until_the_next_run(monkeypatch):
    monkeypatch.setattr(Task, "fit", raising(4, "balance"))
    summary = run()
    assert (summary.complete, len(summary.failures)) == (2, 1)
    assert summary.failures[0].configuration == "balance"
    assert summary.failures[0].reason.endswith(", 3 times")
    assert [state for *_, state in trials(DATABASE)].count("FAIL") == 3
    assert run().complete == 3
    assert_clean(DATABASE)


def test_a_slot_that_always_raises_is_given_up_too(monkeypatch):
    text = tiny(SEARCH, MIXED_SPACE).replace("high = 2}", "high = 0.5}").replace("tpe", "random")
    text = text.replace("trials = 14", "trials = 7")
    fit, slots = Task.fit, []

    def broken(self, configuration, on_epoch=None, positions=None):
        slots.append(len(slots))
        if len(complete_values(DATABASE)) == 3:
            raise ZeroDivisionError
        return fit(self, configuration, on_epoch, positions)

    monkeypatch.setattr(Task, "fit", broken)
    summary = run(text)
    assert (summary.complete, len(summary.failures)) == (3, 4)
    assert len(slots) == 3 + 4 * 3
    monkeypatch.setattr(Task, "fit", fit)
    # None of the slots was used: the search ends as it would have without the defect.
    assert run(text).complete == 7
    assert sorted(attributes("slot")) == list(range(7))


def test_an_unusable_model_leaves_no_trial(monkeypatch):
    def unusable(*_arguments):
        raise UsageError("a model without inputs")

    with monkeypatch.context() as patch:
        patch.setattr(Task, "network_size", unusable)
        with pytest.raises(UsageError):
            run()
    assert trials(DATABASE) == []
    # The study has no trial yet, so that its model may change.
    assert run(tiny(("[4]", "[5]"))).complete == 3


def test_a_lack_of_memory_is_a_failure_of_the_configuration(monkeypatch):
    def full(*_arguments):
        raise MemoryError

    monkeypatch.setattr(Task, "fit", full)
    summary = run()
    assert [failure.reason for failure in summary.failures] == ["out of memory, 3 times"] * 3


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (trial_loop, "finish_trial", TakenOver),
        # Optuna's, where it is closed while its parameters are chosen.
        (GridSchedule, "parameters", UpdateFinishedTrialError),
    ],
)
def test_a_trial_that_another_process_took_over_is_not_counted(monkeypatch, owner, name, error):
    def taken(*_arguments):
        raise error

    monkeypatch.setattr(owner, name, taken)
    reporter = RecordingReporter()
    summary = run(reporter=reporter)
    assert (summary.completed, summary.failures) == (0, [])
    reasons = {event[2] for event in reporter.events if event[0] == "failed"}
    assert reasons == {"another process has taken it over"}
