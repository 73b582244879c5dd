"""What passes is waited for; what does not is said at once."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from remix_study.study import retry
from remix_study.study.retry import patiently
from remix_study.study.signals import Signals
from remix_study.study.storage import passes


class Postgres(Exception):
    """A driver's error with PostgreSQL's state."""

    def __init__(self, state: str | None) -> None:
        self.sqlstate = state


def operational(orig: Exception, **options) -> OperationalError:
    return OperationalError("SELECT", {}, orig, **options)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (operational(sqlite3.OperationalError("database is locked")), True),
        (operational(sqlite3.OperationalError("database or disk is full")), False),
        (operational(sqlite3.OperationalError("attempt to write a readonly database")), False),
        (operational(Postgres(None)), True),
        (operational(Postgres("57P01")), True),
        (operational(Postgres("57P03")), True),
        (operational(Postgres("40P01")), True),
        (operational(Postgres("08006")), True),
        (operational(Postgres("53100")), False),
        (operational(Postgres("57014")), False),
        (operational(Postgres("53100"), connection_invalidated=True), True),
        (IntegrityError("INSERT", {}, Postgres("23505")), False),
        (ZeroDivisionError(), False),
    ],
)
def test_what_passes(error, expected):
    assert passes(error) is expected
    # As Optuna wraps it.
    wrapped = RuntimeError()
    wrapped.__cause__ = error
    assert passes(wrapped) is expected


@pytest.fixture
def slept(monkeypatch):
    """Pauses instead of sleeping them; the clock goes on by them."""
    pauses = []
    clock = SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses))
    monkeypatch.setattr(retry, "time", clock)
    return pauses


LOCKED = operational(sqlite3.OperationalError("database is locked"))


def failing(times: int, error: Exception):
    left = [error] * times

    def do():
        if left:
            raise left.pop()
        return "done"

    return do


def test_it_goes_on_when_the_database_is_back(slept):
    assert patiently(failing(4, LOCKED), Signals()) == "done"
    assert slept == [0.1, 0.2, 0.4, 0.8]


def test_it_ends_some_day(slept):
    with pytest.raises(OperationalError):
        patiently(failing(10_000, LOCKED), Signals())
    assert 300 < sum(slept) < 330


def test_what_does_not_pass_is_said_at_once(slept):
    with pytest.raises(ZeroDivisionError):
        patiently(failing(1, ZeroDivisionError()), Signals())
    assert slept == []


def test_a_signal_ends_it(slept):
    signals = Signals()
    signals.received = 2
    with pytest.raises(OperationalError):
        patiently(failing(1, LOCKED), signals)
    assert slept == []
