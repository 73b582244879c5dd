"""Bringing studies from one database into another, in one transaction: all of them or none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from remix_study.errors import StorageError
from remix_study.study import optuna_tables, tables
from remix_study.study.database_errors import (
    database_errors,
    parse_url,
    sqlite_url,
    url_without_password,
)
from remix_study.study.optuna_tables import Registered, registered_studies, select_studies
from remix_study.study.registration import bind_study
from remix_study.study.signals import Signals
from remix_study.study.storage import open_reader
from remix_study.study.transfer_rows import Block, comparable, read_study, write_study

# One letter is a drive of Windows.
_URL = re.compile(r"[\w+]{2,}:/")


def source_url(path_or_url: str) -> str:
    """The URL of a database that a user names by URL or as an SQLite file.

    Raises:
        StorageError: The SQLAlchemy that is installed has no URL for the file.
    """
    if _URL.match(path_or_url):
        return path_or_url
    url = sqlite_url(path_or_url)
    if "?" in path_or_url and parse_url(url).database != path_or_url:
        raise StorageError(f'{path_or_url}: rename the file, or update SQLAlchemy to read a "?"')
    return url


@contextmanager
def open_source(url: str, names: Collection[str]) -> Iterator[tuple[Connection, list[Registered]]]:
    """Open a database for reading, without locking anybody out.

    Args:
        url: Where it is.
        names: Studies to bring; all when empty.

    Yields:
        A connection, and the studies that a user names, one a problem, by name.

    Raises:
        StorageError: It is not there, cannot be read, is damaged, or holds no study.
        UsageError: It holds no study of this name.
    """
    engine = open_reader(url)
    try:
        with database_errors(url), engine.connect() as connection:
            yield connection, select_studies(connection, names)
    except (ValueError, TypeError) as error:
        raise StorageError(
            f"{url_without_password(url)}: a study that cannot be read ({error}); the database is "
            "damaged"
        ) from error
    finally:
        engine.dispose()


def transfer_studies(
    source: Connection, target: Engine, selected: Iterable[Registered], signals: Signals
) -> None:
    """Write studies into another database: all of them, or none where one cannot be written.

    Trials that run in the source, or wait, are FAIL in the target: no worker there continues them.

    Args:
        source: Where they are read; nothing is written there.
        target: Where they are written.
        selected: As :func:`open_source` yields them.
        signals: Looked at between studies.

    Raises:
        StorageError: Optuna's tables are of different versions; or the target holds one of the
            studies, another process began one meanwhile, or the target does not give back what
            was written.
        ValueError, TypeError: A row is damaged.
    """
    with target.begin() as connection:
        versions = select(optuna_tables.versions)
        if source.execute(versions).all() != connection.execute(versions).all():
            raise StorageError(
                "the two databases are of different versions of Optuna; bring the older one up to "
                "date with: optuna storage upgrade --storage URL"
            )
        for registered in selected:
            signals.check()
            _check_absent(source, connection, registered)
            _transfer_study(source, connection, registered)


def _check_absent(source: Connection, target: Connection, registered: Registered) -> None:
    """Refuse a study that the target holds already."""
    study_id, row = registered
    titles = select(optuna_tables.studies.c.study_name)
    title = source.execute(titles.where(optuna_tables.studies.c.study_id == study_id)).scalar_one()
    uuids = set(target.execute(select(tables.studies.c.uuid)).scalars())
    names = {study.uuid: study.name for _, study in registered_studies(target)}
    if row.uuid in uuids - names.keys():
        raise StorageError(
            f"{row.name}: the database holds rows of this study, which was deleted in Optuna; "
            "run remix-study repair --prune there first"
        )
    is_taken = title in set(target.execute(titles).scalars())
    if row.uuid in uuids or row.name in names.values() or is_taken:
        raise StorageError(
            f"{row.name}: the database holds this study already; name another database, or delete "
            "the study there first"
        )


def _transfer_study(source: Connection, target: Connection, registered: Registered) -> None:
    """Write a study, and check that the target gives back what was written."""
    study_id, row = registered
    written, restored = hashlib.sha256(), hashlib.sha256()
    try:
        new_id = write_study(target, _digested(read_study(source, study_id, row), written))
        bind_study(target, new_id, row.uuid)
    except IntegrityError as error:
        raise StorageError(
            f"{row.name}: rows contradict each other, or another process began this study "
            "meanwhile; nothing was imported"
        ) from error
    for _ in _digested(read_study(target, new_id, row), restored):
        pass
    if restored.digest() != written.digest():
        raise StorageError(
            f"{row.name}: the database does not give back what was written; nothing was imported"
        )


def _digested(blocks: Iterable[Block], digest: Any) -> Iterator[Block]:
    """Yield blocks as they are and take each into a digest; tables without rows are no part."""
    for table, rows in blocks:
        if rows:
            digest.update(f"{table.name} {comparable(rows)}\n".encode())
        yield table, rows
