"""Opening the database: SQLite made safe for several writers, readers that lock nobody out."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from remix_study.errors import StorageError
from remix_study.study import tables

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

DEFAULT_STORAGE = "sqlite:///remix-study.db"

# Seconds a writer waits for another one's lock.
_BUSY_TIMEOUT = 60
_CREATION_TRIES = 5


def shown(url: str) -> str:
    """The URL as it may be printed: without its password."""
    return _parse(url).render_as_string(hide_password=True)


def open_storage(url: str) -> RDBStorage:
    """Open the database for writing; create it, Optuna's tables and ours where missing.

    Args:
        url: SQLAlchemy URL, such as ``sqlite:///remix-study.db``.

    Raises:
        StorageError: Not a URL, not a database, a database of something else, no driver, no
            server, not writable.
    """
    from optuna.storages import RDBStorage

    parsed = _parse(url)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed)
        options = {"connect_args": {"timeout": _BUSY_TIMEOUT}}
    with database_errors(url):
        _check_owner(parsed, options)
        for attempt in range(_CREATION_TRIES):
            try:
                # Optuna fills {placeholders} into its URLs; a brace in a path is none.
                text = parsed.render_as_string(hide_password=False)
                storage = RDBStorage(
                    text.replace("{", "{{").replace("}", "}}"), engine_kwargs=options
                )
                if parsed.get_backend_name() == "sqlite":
                    _make_safe(storage.engine)
                tables.metadata.create_all(storage.engine)
                return storage
            except DBAPIError as error:
                # Two processes that open a fresh database at once both create its tables.
                if "already exists" not in str(error) or attempt == _CREATION_TRIES - 1:
                    raise
                time.sleep(0.1 * 2**attempt)
    raise AssertionError("unreachable")


def open_reader(url: str) -> Engine:
    """Open an existing database for reading only, without ever taking its write lock.

    Raises:
        StorageError: It is not there, cannot be read, or holds no study of this project.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed)
        path = Path(parsed.database or "")
        if not path.exists():
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
    return engine


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn what a driver says into one line that names the database.

    Raises:
        StorageError: In place of any error of the driver.
    """
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        hint = _HINTS.get(reason, "")
        raise StorageError(f"{shown(url)}: {reason}{hint}") from error
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StorageError(f"{shown(url)}: no driver for this database ({error})") from error


_HINTS = {
    "file is not a database": "; name another file with --storage",
    "unable to open database file": "; does its folder exist, and may it be written?",
    "attempt to write a readonly database": "; make the file and its folder writable",
    "database or disk is full": "; make room and run again, finished trials are kept",
}


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise StorageError(
            f'"{url}" is not a database URL; write for example {DEFAULT_STORAGE}'
        ) from error


def _check_file(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        raise StorageError("a study needs a database file, such as sqlite:///remix-study.db")
    path = Path(url.database)
    if path.is_dir():
        raise StorageError(f"{path}: a folder, not a database")
    if not path.parent.exists():
        raise StorageError(f"{path.parent}: there is no such folder for the database")


def _check_owner(url: URL, options: dict[str, Any]) -> None:
    """Refuse another program's database before anything is written into it."""
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and not Path(url.database or "").exists():
        return
    engine = create_engine(url, **options)
    try:
        names = set(inspect(engine).get_table_names())
    finally:
        engine.dispose()
    if sqlite and names and "version_info" not in names:
        raise StorageError(
            f"{url.database}: a database of something else (its tables: "
            f"{', '.join(sorted(names)[:3])}); name another file with --storage"
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
