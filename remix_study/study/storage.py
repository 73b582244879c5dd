"""Opening the database: SQLite made safe for several writers, readers that lock nobody out."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Engine, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from remix_study.errors import RemixStudyError, StorageError, masked
from remix_study.study import tables
from remix_study.studyfile.schema import DEFAULT_STORAGE

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

# Seconds a writer waits for another one's lock.
_BUSY_TIMEOUT = 60
_CREATION_TRIES = 8
# What another process that creates the same database at the same time makes the driver say.
_BEATEN = ("already exists", "UNIQUE constraint failed", "duplicate key", "database is locked")

_NO_ROOM = "; make room and run again, finished trials are kept"
_HINTS = {
    "file is not a database": "; name another file with --storage",
    "unable to open database file": "; does its folder exist, and may it be written?",
    "attempt to write a readonly database": "; make the file and its folder writable",
    "database or disk is full": _NO_ROOM,
    "disk I/O error": f"; is the disk full?{_NO_ROOM[1:]}",
    "database disk image is malformed": "; the file is damaged, put a copy of it in its place",
    "database is locked": "; another program holds it, close that and run again",
}
# The same by PostgreSQL's codes, as its messages name files and speak the server's language.
_HINTS_BY_CODE = {"53100": f"; the server's disk is full{_NO_ROOM}"}
# How PostgreSQL's drivers may be asked for; the one that is meant has no name of its own.
_POSTGRESQL = ("postgresql", "postgres")
# PostgreSQL's classes of what passes: a connection, a deadlock, a server that stops or starts.
_PASSING = ("08", "40", "57P0")
_MISSING = {
    "psycopg": 'install it with pip install "remix-study[postgres]"',
}


def shown(url: str) -> str:
    """The URL as it may be printed: without its password.

    Raises:
        StorageError: It is no URL.
    """
    parsed = _parse(url)
    secret = [key for key in parsed.query if "pass" in key.lower() or "pwd" in key.lower()]
    if parsed.password is None and not secret:
        return str(url)
    hidden = parsed.update_query_dict(dict.fromkeys(secret, "hidden"))
    return masked(hidden.render_as_string(hide_password=True))


def open_storage(url: str) -> RDBStorage:
    """Open the database for writing; create it, Optuna's tables and ours where missing.

    Args:
        url: SQLAlchemy URL, such as ``sqlite:///remix-study.db``.

    Raises:
        StorageError: Not a URL, not a database, a database of something else, no driver, no
            server, not writable.
    """
    from optuna.storages import RDBStorage

    parsed = _usable(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    options: dict[str, Any] = {"pool_pre_ping": True}
    if sqlite:
        _check_file(parsed)
        options = {"connect_args": {"timeout": _BUSY_TIMEOUT}}
    # Optuna fills {placeholders} into its URLs; a brace in a path is none.
    text = parsed.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    with database_errors(url):
        if sqlite:
            _check_owner(parsed)
        for attempt in range(1, _CREATION_TRIES + 1):
            try:
                storage = RDBStorage(text, engine_kwargs=dict(options))
                if sqlite:
                    _make_safe(storage.engine)
                tables.metadata.create_all(storage.engine)
                _check_schema(storage.engine, url, new=True)
                return storage
            except RuntimeError as error:
                # Optuna's word on a schema of another version.
                raise StorageError(f"{shown(url)}: {error}") from error
            except Exception as error:
                # Optuna makes its tables step by step; the later one then finds all made.
                said = str(_of_driver(error))
                if attempt == _CREATION_TRIES or not any(word in said for word in _BEATEN):
                    raise
                time.sleep(0.05 * 1.5**attempt)
    raise AssertionError("unreachable")


def open_reader(url: str) -> Engine:
    """Open an existing database for reading only, without ever taking its write lock.

    Raises:
        StorageError: It is not there, cannot be read, or holds no study of this project.
    """
    parsed = _usable(url)
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed)
        path = Path(parsed.database or "")
        if not os.path.exists(path):
            raise StorageError(f"{path}: there is no such database; run a study first")
        uri = f"{path.resolve().as_uri()}?mode=ro"
        # Plain read transactions: BEGIN IMMEDIATE here would block every writer.
        engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT),
            poolclass=sqlalchemy.NullPool,
        )
    else:
        engine = create_engine(parsed, pool_pre_ping=True)
    with database_errors(url):
        if not inspect(engine).has_table(tables.studies.name):
            raise StorageError(f"{shown(url)}: holds no study of remix_study")
        _check_schema(engine, url)
    return engine


def passes(error: Exception) -> bool:
    """Whether the database is away or locked for a time: a server that restarts, for one."""
    found = _of_driver(error)
    if not isinstance(found, DBAPIError):
        return False
    if found.connection_invalidated:
        return True
    if isinstance(found.orig, sqlite3.Error):
        return "locked" in str(found.orig)
    # Where no connection came about there is no state yet.
    state = getattr(found.orig, "sqlstate", None)
    return isinstance(found, OperationalError) and (state is None or state.startswith(_PASSING))


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn what a driver says into one line that names the database.

    Raises:
        StorageError: In place of any error of the driver, also where Optuna has wrapped it.
    """
    try:
        yield
    except RemixStudyError:
        raise
    except Exception as error:
        found = _of_driver(error)
        if found is None:
            raise
        said = found.orig if isinstance(found, DBAPIError) else found
        reason = (str(said).strip() or type(said).__name__).splitlines()[0]
        hint = _HINTS_BY_CODE.get(getattr(said, "sqlstate", None) or "", _HINTS.get(reason, ""))
        said_so = f"{_without_secrets(reason, url)}{hint}"
        # A driver's exception may hold the connection, and that its password.
        cause = error if shown(url) == url else None
        raise StorageError(f"{shown(url)}: {said_so}") from cause


def _without_secrets(reason: str, url: str) -> str:
    """What a driver said, without any part of the password: an @ in it makes a part a host."""
    parsed = _parse(url)
    keys = [value for key, value in parsed.query.items() if "pass" in key or "pwd" in key]
    secrets = [str(parsed.password or ""), *map(str, keys)]
    if parsed.host and "@" in parsed.host:
        secrets += parsed.host.split("@")[:-1]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        whole = re.escape(secret) if len(secret) > 3 else rf"\b{re.escape(secret)}\b"
        reason = re.sub(whole, "***", reason)
    return reason


def _of_driver(error: Exception) -> SQLAlchemyError | None:
    """The driver's error in an exception; Optuna wraps some of them."""
    found = error if isinstance(error, SQLAlchemyError) else error.__cause__
    return found if isinstance(found, SQLAlchemyError) else None


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        # What was meant for a URL may still hold a password.
        text = masked(re.sub(r"(?<=:)[^:@]*(?=@)", "***", str(url)))
        meant = DEFAULT_STORAGE if ":" in text else f"sqlite:///{text}"
        raise StorageError(f'"{text}" is not a database URL; write for example {meant}') from error


def _usable(url: str) -> URL:
    """The URL of a database that can be spoken to from here."""
    parsed = _parse(url)
    if parsed.drivername in _POSTGRESQL:
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        parsed.get_dialect().import_dbapi()
    except (NoSuchModuleError, ImportError) as error:
        hint = _MISSING.get(getattr(error, "name", None) or "", str(error))
        raise StorageError(
            f"{parsed.drivername}: no driver for such a database is installed ({hint})"
        ) from error
    return parsed


def _check_schema(engine: Engine, url: str, *, new: bool = False) -> None:
    """Refuse tables that a later version of this package has written.

    Args:
        engine: The open database.
        url: Named in the refusal.
        new: Whether the version may be written where there is none.
    """
    if not new and not inspect(engine).has_table(tables.schema.name):
        return
    with engine.connect() as connection:
        found = connection.execute(select(tables.schema.c.version)).scalars().all()
    if any(version > tables.SCHEMA for version in found):
        raise StorageError(
            f"{shown(url)}: its tables are of version {max(found)}, and this remix_study knows "
            f"version {tables.SCHEMA}; install a newer remix_study"
        )
    if new and not found:
        try:
            with engine.begin() as connection:
                connection.execute(insert(tables.schema).values(version=tables.SCHEMA))
        except IntegrityError:
            # Another process came first.
            return


def _check_file(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        raise StorageError(f"a study needs a database file, such as {DEFAULT_STORAGE}")
    folder = os.path.dirname(url.database) or "."
    if os.path.isdir(url.database):
        raise StorageError(f"{url.database}: a folder, not a database")
    if not os.path.isdir(folder):
        raise StorageError(f"{folder}: there is no such folder for the database")


def _check_owner(url: URL) -> None:
    """Refuse another program's database before anything is written into it."""
    from optuna.storages._rdb.models import BaseModel

    if not os.path.exists(url.database or ""):
        return
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT})
    try:
        names = set(inspect(engine).get_table_names())
    finally:
        engine.dispose()
    # A process that was killed while it made the tables has left some of them.
    ours = {*BaseModel.metadata.tables, *tables.metadata.tables, "alembic_version"}
    if "version_info" not in names and not names <= ours:
        raise StorageError(
            f"{url.database}: a database of something else (its tables: "
            f"{', '.join(sorted(names - ours)[:3])}); name another file with --storage"
        )


def _make_safe(engine: Engine) -> None:
    """Let several processes write: a write-ahead log, and transactions that lock at once.

    By default SQLite takes the write lock in mid-transaction, so two workers can both read a
    trial as free before one of them takes it.
    """

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    # Connections made before the listeners were there.
    engine.dispose()
