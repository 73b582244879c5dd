"""Errors of database drivers: in one line without passwords; retried where they are transient."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)

from remix_study.errors import RemixStudyError, StorageError, mask_passwords
from remix_study.study.signals import Signals
from remix_study.studyfile.schema import DEFAULT_STORAGE

_NO_SPACE = "; make room and run again, finished trials are kept"
_HINTS = {
    "file is not a database": "; name another file with --storage",
    "unable to open database file": "; does its folder exist, and may it be written?",
    "attempt to write a readonly database": "; make the file and its folder writable",
    "database or disk is full": _NO_SPACE,
    "disk I/O error": f"; is the disk full?{_NO_SPACE[1:]}",
    "database disk image is malformed": "; the file is damaged, put a copy of it in its place",
    "database is locked": "; another program holds it, close that and run again",
}
_ASK_OWNER = (
    "; let the owner of the database grant this user CONNECT, and CREATE, SELECT, INSERT, UPDATE "
    "and DELETE in its schema, or make one that the user owns"
)
# PostgreSQL's messages name files and speak the server's language; its codes do not.
_HINTS_BY_CODE = {
    "53100": f"; the server's disk is full{_NO_SPACE}",
    "25006": "; a standby, or set to be read alone: name the server that may be written",
    "42501": _ASK_OWNER,
}
# Where no connection came about there is no code, and the server has answered in its language.
_REFUSALS = {
    "password authentication failed": "; mend the user or the password in the URL or ~/.pgpass",
    "no password supplied": "; write the password into ~/.pgpass",
    "permission denied for database": _ASK_OWNER,
    "is not permitted to log in": "; name another user in the URL",
    "no pg_hba.conf entry": "; the server's pg_hba.conf must let this user and machine in",
    "does not exist": "; create it first (createdb NAME), or mend the name in the URL",
}
# PostgreSQL's classes of transient errors: connections, deadlocks, a server that stops or starts
# or has too many connections.
_TRANSIENT = ("08", "40", "57P0", "53300")

RETRY_SECONDS = 300.0
"""How long a worker waits for its database before it gives up."""

OPENING_SECONDS = 30.0
"""How long a command that begins waits for a server that is not there, or is starting."""

# Seconds between two tries, doubled from the first to the second number.
_PAUSES = (0.1, 2.0)
# A pause that people are told of: before it the database may be back at once.
_LONG_PAUSE = 0.4

T = TypeVar("T")


@contextmanager
def damaged_rows() -> Iterator[None]:
    """Turn JSON of the database that cannot be read into one line.

    Raises:
        StorageError: A row holds text that is no JSON.
    """
    try:
        yield
    except json.JSONDecodeError as error:
        raise StorageError(
            f"the database is damaged: a row is no JSON ({error}); put a copy of it in its place"
        ) from error


def parse_url(url: str) -> URL:
    """Parse the URL of a database.

    Raises:
        StorageError: It is no URL.
    """
    try:
        # A path in bytes that are no text cannot stand in a URL.
        str(url).encode()
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        # The text may still contain a password.
        text = mask_passwords(re.sub(r"(?<=:)[^:@]*(?=@)", "***", str(url)))
        suggestion = DEFAULT_STORAGE if ":" in text else f"sqlite:///{text}"
        raise StorageError(
            f'"{text}" is not a database URL; write for example {suggestion}'
        ) from error


def sqlite_url(path: object) -> str:
    """The URL of an SQLite file, as the SQLAlchemy that is installed reads it.

    From 2.1 on it takes ``%`` for the start of an escape; before, a ``?`` cannot be written.
    """
    has_escapes = make_url("sqlite:///%25").database == "%"
    text = str(path).replace("%", "%25").replace("?", "%3F") if has_escapes else str(path)
    return f"sqlite:///{text}"


def url_without_password(url: str) -> str:
    """The URL of a database as it may be printed.

    Raises:
        StorageError: It is no URL.
    """
    parsed = parse_url(url)
    secret_keys = [key for key in parsed.query if "pass" in key.lower() or "pwd" in key.lower()]
    if parsed.password is None and not secret_keys:
        return str(url)
    hidden = parsed.update_query_dict(dict.fromkeys(secret_keys, "hidden"))
    return mask_passwords(hidden.render_as_string(hide_password=True))


def is_transient(error: Exception) -> bool:
    """Whether the database is away or locked for a time: a server that restarts, for example."""
    cause = driver_error(error)
    if isinstance(cause, PendingRollbackError):
        # Optuna has gone on in a transaction whose connection is lost, and now rolled it back.
        return True
    if not isinstance(cause, DBAPIError):
        return False
    if cause.connection_invalidated:
        return True
    if isinstance(cause.orig, sqlite3.Error):
        return "locked" in str(cause.orig)
    if not isinstance(cause, OperationalError):
        return False
    state = getattr(cause.orig, "sqlstate", None)
    if state is None:
        return not any(words in str(cause.orig) for words in _REFUSALS)
    return str(state).startswith(_TRANSIENT)


def retry_transient(
    operation: Callable[[], T],
    signals: Signals,
    note: Callable[[str], object] | None = None,
    seconds: float = RETRY_SECONDS,
) -> T:
    """Call an operation on the database, again and again while the database is away.

    A trial may have trained for hours: its scores are worth some minutes. The operation must have
    the same effect when it is done twice, as nobody knows whether a lost connection lost a commit.

    Args:
        operation: What to call.
        signals: One that has come ends the tries, also where signals have to wait.
        note: Gets a line, once, where that takes longer than a moment.
        seconds: How long to try.

    Raises:
        Exception: What the operation raises, at once where the error is not transient.
    """
    end, pause = time.monotonic() + seconds, _PAUSES[0]
    while True:
        try:
            return operation()
        except Exception as error:
            is_late = time.monotonic() > end
            if signals.received is not None or is_late or not is_transient(error):
                raise
            if note is not None and pause >= _LONG_PAUSE:
                reason = mask_passwords(_reason_of(error))
                note(f"the database is away ({reason}); waiting for it, {seconds:.0f} s at most")
                note = None
        time.sleep(pause)
        pause = min(2 * pause, _PAUSES[1])


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn errors of a driver into one line that names the database.

    Raises:
        StorageError: In place of any error of the driver, also where Optuna has wrapped it.
    """
    try:
        yield
    except RemixStudyError:
        raise
    except Exception as error:
        cause = driver_error(error)
        if cause is None:
            raise
        reason = _reason_of(error)
        code = getattr(getattr(cause, "orig", None), "sqlstate", None) or ""
        refusals = [hint for words, hint in _REFUSALS.items() if not code and words in reason]
        hint = _HINTS_BY_CODE.get(code) or _HINTS.get(reason) or "".join(refusals[:1])
        name = url_without_password(url)
        # A driver's exception may hold the connection, and that its password.
        chained = error if name == url else None
        raise StorageError(f"{name}: {_without_secrets(reason, url)}{hint}") from chained


def _reason_of(error: Exception) -> str:
    """First line of what the driver itself says."""
    cause = driver_error(error)
    original = cause.orig if isinstance(cause, DBAPIError) else cause
    return (str(original).strip() or type(original).__name__).splitlines()[0]


def driver_error(error: Exception) -> SQLAlchemyError | None:
    """The driver's error in an exception, which Optuna may have wrapped; None without one."""
    cause = error if isinstance(error, SQLAlchemyError) else error.__cause__
    return cause if isinstance(cause, SQLAlchemyError) else None


def _without_secrets(reason: str, url: str) -> str:
    """A driver's message without any part of the password: an @ in it makes a part a host."""
    parsed = parse_url(url)
    values = [value for key, value in parsed.query.items() if "pass" in key or "pwd" in key]
    secrets = [str(parsed.password or ""), *map(str, values)]
    if parsed.host and "@" in parsed.host:
        secrets += parsed.host.split("@")[:-1]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        pattern = re.escape(secret) if len(secret) > 3 else rf"\b{re.escape(secret)}\b"
        reason = re.sub(pattern, "***", reason)
    return reason
