"""Opening the database: SQLite made safe for several writers, readers that lock nobody out."""

from __future__ import annotations

import errno
import logging
import lzma
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.engine import URL

from remix_study.errors import StorageError, path_fault
from remix_study.study import tables
from remix_study.study.database_errors import (
    OPENING_SECONDS,
    database_errors,
    driver_error,
    retry_transient,
    url_without_password,
)
from remix_study.study.database_file import BUSY_TIMEOUT, DatabaseFile
from remix_study.study.database_url import optuna_url, server_options, usable_url
from remix_study.study.signals import Signals
from remix_study.study.upgrade import check_version, create_tables
from remix_study.studyfile.schema import DEFAULT_STORAGE

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

COMPRESSED = ".xz"
"""Ending of the name of a compressed database, which is only read."""

_CREATION_TRIES = 8
# Parts of the driver's messages when another process creates the same database.
_CREATED_BY_ANOTHER = (
    "already exists", "UNIQUE constraint failed", "duplicate key", "database is locked"
)  # fmt: skip
# Loggers of those who notice that a connection is lost.
_DRIVERS = ("sqlalchemy.pool", "psycopg", "optuna.storages._rdb.storage")


def open_storage(url: str, *, upgrade: bool = True) -> RDBStorage:
    """Open the database for writing; create it, Optuna's tables and ours where missing.

    Args:
        url: SQLAlchemy URL, such as ``sqlite:///remix-study.db``.
        upgrade: Whether to upgrade tables of an earlier version.

    Raises:
        StorageError: Not a URL, not a database, a database of something else, no driver, no
            server, not writable, used by workers of an earlier version, or made by a later one.
    """
    with database_errors(url):
        return _open_storage(url, upgrade=upgrade)


def _open_storage(url: str, *, upgrade: bool = True) -> RDBStorage:
    """Open the database as :func:`open_storage` does; errors of its driver are raised as such."""
    from optuna.storages import RDBStorage

    parsed = usable_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    options = server_options(parsed)
    file = DatabaseFile(parsed.database or "")
    if is_sqlite:
        _check_file(parsed)
        if str(parsed.database).endswith(COMPRESSED):
            raise StorageError(
                f"{parsed.database}: a compressed database can only be read; unpack it with xz -d"
            )
        options = {"creator": file.connect}
        _check_owner(parsed)
    for attempt in range(1, _CREATION_TRIES + 1):
        try:
            storage = RDBStorage.__new__(RDBStorage)
            try:
                # It makes its engine first: what fails later leaves connections open.
                RDBStorage.__init__(storage, optuna_url(parsed), engine_kwargs=dict(options))
                if is_sqlite:
                    allow_several_writers(storage.engine)
                    file.watch(storage.engine)
                create_tables(storage.engine, url, upgrade=upgrade)
            except BaseException:
                if hasattr(storage, "engine"):
                    storage.engine.dispose()
                raise
            return storage
        except RuntimeError as error:
            # Optuna's message on a schema of another version.
            raise StorageError(f"{url_without_password(url)}: {error}") from error
        except Exception as error:
            _refuse_damaged_version(error, url)
            # Optuna creates its tables one by one; the next attempt then finds all of them.
            message = str(driver_error(error))
            is_race = any(words in message for words in _CREATED_BY_ANOTHER)
            if attempt == _CREATION_TRIES or not is_race:
                raise
            time.sleep(0.05 * 1.5**attempt)
    raise AssertionError("unreachable")


def _refuse_damaged_version(error: Exception, url: str) -> None:
    """Say what Alembic could not read; it takes a while to import, and Optuna may not need it."""
    from alembic.util import CommandError

    if isinstance(error, CommandError):
        raise StorageError(
            f"{url_without_password(url)}: the table alembic_version is damaged ({error}); "
            "put a copy of the database in its place"
        ) from error


def open_reader(url: str) -> Engine:
    """Open an existing database for reading only, without ever taking its write lock.

    A file whose name ends in .xz is a compressed database, which is read into memory.

    Raises:
        StorageError: It is not there, cannot be read, or holds no study of this project.
    """
    parsed = usable_url(url)
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed)
        path = Path(parsed.database or "")
        if not os.path.exists(path):
            raise StorageError(f"{path}: there is no such database; run a study first")
        uri = f"{path.resolve().as_uri()}?mode=ro"
        if not os.access(path.resolve().parent, os.W_OK) and not _has_log(path):
            # SQLite may not make its -shm file there: it opens a file that nobody writes.
            uri += "&immutable=1"
        # Plain read transactions: BEGIN IMMEDIATE here would block every writer.
        engine = (
            _open_compressed(path)
            if path.suffix == COMPRESSED
            else create_engine(
                "sqlite://",
                creator=lambda: sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT),
                poolclass=sqlalchemy.NullPool,
            )
        )
    else:
        engine = create_engine(parsed, **server_options(parsed))
    with database_errors(url), engine.connect() as connection:
        if not inspect(connection).has_table(tables.studies.name):
            raise StorageError(f"{url_without_password(url)}: holds no study of remix_study")
        check_version(connection, url)
    return engine


def _open_compressed(path: Path) -> Engine:
    """Read a compressed database into memory, shared by all connections of the engine."""
    try:
        content = lzma.decompress(path.read_bytes())
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise StorageError(f"{path}: cannot be read as an xz file ({error})") from error
    if not content.startswith(b"SQLite format 3\0"):
        raise StorageError(f"{path}: holds no SQLite database")
    # In memory there is no write-ahead log: both versions of the format become those without one.
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    memory.deserialize(content[:18] + b"\1\1" + content[20:])
    return create_engine("sqlite://", creator=lambda: memory, poolclass=sqlalchemy.StaticPool)


@contextmanager
def closing(storage: RDBStorage) -> Iterator[RDBStorage]:
    """Close all connections of a storage in the end."""
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def run_storage(
    url: str,
    signals: Signals,
    note: Callable[[str], object] | None = None,
    seconds: float = OPENING_SECONDS,
) -> Iterator[RDBStorage]:
    """Open a database for a run and close it in the end; errors of its driver become StorageError.

    Args:
        url: Where it is.
        signals: Kept away while tables are made.
        note: Gets a line where the database is waited for.
        seconds: How long to wait for a server that is away.
    """
    with quiet_optuna(), database_errors(url):
        try:
            with signals.critical():
                storage = retry_transient(lambda: _open_storage(url), signals, note, seconds)
        except Exception:
            # Whoever stopped the wait knows that the database is away.
            signals.check()
            raise
        with closing(storage):
            yield storage


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hide Optuna's messages on studies it creates or opens; reporters tell what matters."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(verbosity, optuna.logging.WARNING))
    # A connection that breaks is a one-line error of ours; these would add theirs.
    levels = {name: logging.getLogger(name).level for name in _DRIVERS}
    for name in _DRIVERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        optuna.logging.set_verbosity(verbosity)


def _check_file(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        raise StorageError(f"a study needs a database file, such as {DEFAULT_STORAGE}")
    if url.query or url.host or url.database.startswith("file:"):
        # SQLite would open another file, or one in memory.
        raise StorageError(
            f"{url}: the URL of an SQLite file is sqlite:/// and its path; leave out all else"
        )
    folder = os.path.dirname(url.database) or "."
    reason = path_fault(url.database)
    if reason == os.strerror(errno.EISDIR):
        raise StorageError(f"{url.database}: a folder, not a database")
    if "\0" in folder or not os.path.isdir(folder):
        raise StorageError(f"{folder}: there is no such folder for the database")
    if reason and reason != os.strerror(errno.ENOENT):
        raise StorageError(f"{url.database}: cannot be a database ({reason})")


def _has_log(path: Path) -> bool:
    """Whether a database has a write-ahead log with changes that its file lacks."""
    log = Path(f"{path.resolve()}-wal")
    return log.exists() and log.stat().st_size > 0


def _check_owner(url: URL) -> None:
    """Refuse another program's database before anything is written into it."""
    from optuna.storages._rdb.models import BaseModel

    if not os.path.exists(url.database or ""):
        return
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT})
    try:
        names = set(inspect(engine).get_table_names())
    finally:
        engine.dispose()
    # A process that was killed while it created the tables has left some of them.
    known_names = {*BaseModel.metadata.tables, *tables.metadata.tables, "alembic_version"}
    if "version_info" not in names and not names <= known_names:
        raise StorageError(
            f"{url.database}: a database of something else (its tables: "
            f"{', '.join(sorted(names - known_names)[:3])}); name another file with --storage"
        )


def allow_several_writers(engine: Engine) -> None:
    """Let several processes write to SQLite: a write-ahead log, transactions that lock at once.

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
