"""Signals: at once, after a critical section, or again where the exception was lost."""

from __future__ import annotations

import os
import signal

import pytest

from remix_study.study.signals import Signals, Stopped


def stop_me(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_becomes_an_exception_with_the_code_of_the_shell(number, code):
    signals = Signals()
    with pytest.raises(Stopped) as stopped, signals.installed():
        stop_me(number)
    assert stopped.value.exit_code == code
    assert signals.received == number


def test_stopped_is_a_keyboard_interrupt():
    with pytest.raises(KeyboardInterrupt), Signals().installed():
        stop_me()


def test_a_critical_section_is_finished_first():
    signals, done = Signals(), []

    def work():
        with signals.critical():
            with signals.critical():
                stop_me()
                done.append("inner")
            done.append("outer")
        done.append("never")

    with pytest.raises(Stopped), signals.installed():
        work()
    assert done == ["inner", "outer"]


def test_several_signals_in_a_critical_section_are_one():
    signals, done = Signals(), []

    def work():
        stop_me(signal.SIGINT)
        stop_me(signal.SIGTERM)
        done.append("all")

    with pytest.raises(Stopped) as stopped, signals.installed(), signals.critical():
        work()
    assert done == ["all"]
    assert stopped.value.exit_code == 130


def test_an_error_in_a_critical_section_is_not_hidden_by_a_signal():
    signals = Signals()

    def work():
        stop_me()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), signals.installed(), signals.critical():
        work()


def test_a_signal_lost_in_a_destructor_is_raised_by_check(capfd):
    class SignallingDestructor:
        def __del__(self):
            stop_me()

    signals = Signals()
    with signals.installed():
        objects = [SignallingDestructor()]
        objects.clear()
        assert signals.received == signal.SIGTERM
        with pytest.raises(Stopped):
            signals.check()
    assert "Exception ignored" not in capfd.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_other_exceptions_in_destructors_are_still_reported():
    class RaisingDestructor:
        def __del__(self):
            raise ZeroDivisionError("in a destructor")

    reported = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.unraisablehook", reported.append)
        with Signals().installed():
            objects = [RaisingDestructor()]
            objects.clear()
    assert [type(lost.exc_value) for lost in reported] == [ZeroDivisionError]


def test_previous_handlers_are_restored():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Signals().installed():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_without_being_installed_nothing_happens():
    signals = Signals()
    with signals.critical():
        signals.check()
    assert signals.received is None
