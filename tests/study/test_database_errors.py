"""Transient errors are retried, others raised at once."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from remix_study.study import database_errors
from remix_study.study.database_errors import is_transient, retry_transient
from remix_study.study.signals import Signals


class PostgresError(Exception):
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
        (operational(PostgresError(None)), True),
        (operational(PostgresError("57P01")), True),
        (operational(PostgresError("57P03")), True),
        (operational(PostgresError("40P01")), True),
        (operational(PostgresError("08006")), True),
        (operational(PostgresError("53100")), False),
        (operational(PostgresError("57014")), False),
        (operational(PostgresError("53100"), connection_invalidated=True), True),
        (IntegrityError("INSERT", {}, PostgresError("23505")), False),
        (ZeroDivisionError(), False),
    ],
)
def test_which_errors_are_transient(error, expected):
    assert is_transient(error) is expected
    # As Optuna wraps it.
    wrapped = RuntimeError()
    wrapped.__cause__ = error
    assert is_transient(wrapped) is expected


@pytest.fixture
def pauses(monkeypatch):
    """Pauses of the retries, which move a clock instead of being pauses."""
    pauses: list[float] = []
    clock = SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses))
    monkeypatch.setattr(database_errors, "time", clock)
    return pauses


LOCKED = operational(sqlite3.OperationalError("database is locked"))


def failing(times: int, error: Exception):
    """An operation that raises so often, and then succeeds."""
    errors = [error] * times

    def operation():
        if errors:
            raise errors.pop()
        return "done"

    return operation


def test_an_operation_succeeds_when_the_database_is_back(pauses):
    assert retry_transient(failing(4, LOCKED), Signals()) == "done"
    assert pauses == [0.1, 0.2, 0.4, 0.8]


def test_retries_end_after_some_minutes(pauses):
    with pytest.raises(OperationalError):
        retry_transient(failing(10_000, LOCKED), Signals())
    assert 300 < sum(pauses) < 330


def test_other_errors_are_raised_at_once(pauses):
    with pytest.raises(ZeroDivisionError):
        retry_transient(failing(1, ZeroDivisionError()), Signals())
    assert pauses == []


def test_a_signal_ends_the_retries(pauses):
    signals = Signals()
    signals.received = 2
    with pytest.raises(OperationalError):
        retry_transient(failing(1, LOCKED), signals)
    assert pauses == []
