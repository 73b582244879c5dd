"""The database of the dashboard, opened for showing and for writing; its studies and artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from remix_study.errors import UsageError
from remix_study.study.database_errors import database_errors
from remix_study.study.optuna_tables import check_names, registered_studies
from remix_study.study.storage import closing, open_reader, open_storage, optuna_url, quiet_optuna

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


@dataclass(frozen=True)
class DashboardStorages:
    """One database, opened twice.

    Attributes:
        dashboard: What optuna-dashboard reads and writes; it locks nobody out while it reads.
        pages: What pages are written to; transactions lock the database from their beginning.
    """

    dashboard: RDBStorage
    pages: RDBStorage


@contextmanager
def open_storages(url: str) -> Iterator[DashboardStorages]:
    """Open an existing database, and close it in the end.

    Raises:
        StorageError: There is no such database, or it cannot be used.
    """
    from optuna.storages import RDBStorage

    with quiet_optuna(), database_errors(url):
        # A reader creates no database where there is none.
        open_reader(url).dispose()
        with closing(open_storage(url, upgrade=False)) as pages:
            is_sqlite = pages.engine.dialect.name == "sqlite"
            options = {"connect_args": {"timeout": 60}} if is_sqlite else {"pool_pre_ping": True}
            text = optuna_url(pages.engine.url)
            with closing(
                RDBStorage(text, engine_kwargs=options, skip_table_creation=True)
            ) as dashboard:
                yield DashboardStorages(dashboard, pages)


def study_ids(storage: RDBStorage, study: str | None) -> dict[str, int]:
    """Map ``<study>/<problem>`` to Optuna's study id, for one study or, where None, for all.

    Raises:
        UsageError: The database does not hold the study.
    """
    with storage.engine.connect() as connection:
        entries = registered_studies(connection)
    check_names(entries, [study] if study else [])
    return {entry.name: study_id for study_id, entry in entries if study in (None, entry.study)}


def artifact_folder(chosen: Path | None, storage: RDBStorage) -> Path | None:
    """Create the folder of artifacts: the chosen one, or ``<name>-artifacts`` by a SQLite file.

    Returns:
        The folder; None where none is chosen and the database is no SQLite file.

    Raises:
        UsageError: The folder cannot be created.
    """
    if chosen is None:
        database = storage.engine.url.database
        if storage.engine.dialect.name != "sqlite" or not database:
            return None
        path = Path(database)
        chosen = path.with_name(f"{path.stem}-artifacts")
    try:
        chosen.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{chosen}: cannot be a folder for artifacts ({error.strerror}); name another one "
            "with --artifacts"
        ) from error
    return chosen
