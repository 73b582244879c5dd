"""The file of an SQLite database while a run works: whether it is still the one that was opened.

SQLite goes on writing into a file that was deleted, moved or replaced by another one, and tells
nobody. Connections that were opened before still hold all of it, and can write a copy.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

from sqlalchemy import Engine

from remix_study.errors import StorageError
from remix_study.study.database_errors import sqlite_url

BUSY_TIMEOUT = 60
"""Seconds a writer waits for another one's lock."""

_OPTION = "remix_study_file"


class DatabaseFile:
    """The file of a database, which the first connection opens or creates.

    Attributes:
        path: Absolute.
    """

    def __init__(self, name: str) -> None:
        """Of a file that need not exist yet."""
        self.path = Path(name).absolute()
        self._identity: tuple[int, int] | None = None

    def connect(self) -> sqlite3.Connection:
        """Open a connection; only the first one may create the file.

        Raises:
            StorageError: The file is not the one of the first connection.
        """
        if change := self.change():
            raise StorageError(f"{self.path}: the file {change} while it was in use")
        mode = "rwc" if self._identity is None else "rw"
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT,
            check_same_thread=False,
        )
        if self._identity is None:
            # SQLite creates a file when it is first read.
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA schema_version")
            with suppress(OSError):
                self._identity = self._stat()
        return connection

    def change(self) -> str:
        """What became of the file since it was opened; "" where it is in its place."""
        if self._identity is None:
            return ""
        try:
            same = self._stat() == self._identity
        except OSError:
            return "was deleted or moved away"
        return "" if same else "was replaced by another one"

    def _stat(self) -> tuple[int, int]:
        status = os.stat(self.path)
        return status.st_dev, status.st_ino

    def watch(self, engine: Engine) -> None:
        """Let :func:`check_database_file` find this file."""
        engine.update_execution_options(**{_OPTION: self})

    def save_copy(self, engine: Engine) -> Path:
        """Write what open connections hold into a new file beside the old place, or elsewhere.

        Raises:
            OSError, sqlite3.Error, StorageError: There is no connection, or no room for it.
        """
        connection = engine.raw_connection()
        try:
            source = connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            for folder in (self.path.parent, Path.cwd(), Path(tempfile.gettempdir())):
                try:
                    path = _new_file(folder, self.path)
                except OSError:
                    continue
                with closing(sqlite3.connect(path)) as target:
                    source.backup(target)
                return path
            raise OSError("no folder can be written")
        finally:
            connection.close()


def check_database_file(engine: Engine) -> None:
    """Stop where the file of an engine's database is not in its place any more.

    Raises:
        StorageError: The file was deleted, moved or replaced; names a copy of what was in it.
    """
    file = engine.get_execution_options().get(_OPTION)
    if not isinstance(file, DatabaseFile) or not (change := file.change()):
        return
    try:
        copy = file.save_copy(engine)
    except (OSError, sqlite3.Error, StorageError) as error:
        saved = f"no copy of the results could be written ({error})"
    else:
        saved = f"all results are in {copy}: go on with --storage {sqlite_url(copy)}"
    raise StorageError(f"{file.path}: the file {change} while the run worked; {saved}")


def _new_file(folder: Path, path: Path) -> Path:
    """Create a file of a name that is free."""
    for number in count(1):
        new = folder / f"{path.stem}-rescued{'' if number == 1 else f'-{number}'}{path.suffix}"
        with suppress(FileExistsError):
            os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            return new
    raise AssertionError("unreachable")
