"""Repairing a database: dead trials are closed, rows that belong to nothing deleted.

Nothing that a command could still show is ever deleted, unless the user asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from remix_study.errors import StorageError
from remix_study.study import tables
from remix_study.study.database_errors import database_errors, url_without_password
from remix_study.study.doctor.checks import Defects, StoredTrial, check_database
from remix_study.study.doctor.findings import Finding, counted, make_finding
from remix_study.study.record import delete_run, delete_study_rows
from remix_study.study.signals import Signals
from remix_study.study.storage import closing, open_reader, open_storage
from remix_study.study.trials import DIED, fail_trial

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

Repair = Callable[["RDBStorage"], None]


def repair_database(
    url: str,
    *,
    free_all: bool = False,
    prune: bool = False,
    dry_run: bool = False,
    signals: Signals | None = None,
) -> list[Finding]:
    """Find what is wrong and repair what can be repaired without losing anything.

    Freed are the trials of workers that are gone: ended on this machine, or not heard of for the
    grace period. A second call finds nothing that the first has repaired.

    Args:
        url: The database.
        free_all: Free every running trial; right only when no worker runs.
        prune: Delete the rows of studies that were deleted in Optuna's dashboard.
        dry_run: Only look.
        signals: Keeps signals away while something is written.

    Raises:
        StorageError: The database cannot be opened, or its file is damaged.
    """
    signals = signals or Signals()
    with database_errors(url):
        reader = open_reader(url)
        try:
            with reader.connect() as connection:
                defects = check_database(connection, free_all=free_all)
        except StorageError as error:
            raise StorageError(f"{url_without_password(url)}: {error}") from error
        finally:
            reader.dispose()
        plan = list(_plan_repairs(defects, prune=prune))
        if dry_run or not any(repair for _, repair in plan):
            return [finding for finding, _ in plan]
        findings = []
        with closing(open_storage(url)) as storage:
            for finding, repair in plan:
                if repair is not None:
                    with signals.critical():
                        repair(storage)
                findings.append(replace(finding, repaired=repair is not None))
    return findings


def _plan_repairs(defects: Defects, *, prune: bool) -> Iterator[tuple[Finding, Repair | None]]:
    """Every finding with its repair, None without one, in the order of the repairs."""
    if defects.leases:
        finding = make_finding("claim", count=counted(len(defects.leases), "lease"))
        yield finding, partial(_delete_leases, defects.leases)
    for worker in defects.workers:
        host = worker.host.split()[0]
        finding = make_finding("worker", pid=worker.pid, host=host, seen=worker.seen)
        yield finding, partial(_delete_worker, worker.uuid)
    for trial in defects.running:
        yield make_finding("running", trial=trial), partial(_close, trial)
    for uuid, trial in defects.half:
        yield make_finding("half", trial=trial), partial(_delete_run, uuid)
    for name, count in defects.orphans.items():
        finding = make_finding("orphans", table=name, count=counted(count, "row"))
        yield finding, partial(_delete_orphans, name)
    for name, count in defects.strays.items():
        values = {"table": name, "count": counted(count, "row")}
        if name == tables.runs.name:
            yield make_finding("stray runs", **values), None
        else:
            yield make_finding("strays", **values), partial(_delete_strays, name)
    for uuid, name in defects.begun:
        yield make_finding("begun", study=name), partial(_delete_study, uuid)
    for uuid, name, n_runs in defects.deleted:
        finding = make_finding("deleted", study=name, count=counted(n_runs, "run"))
        yield finding, partial(_delete_study, uuid) if prune else None
    for name, n_runs in defects.lost:
        yield make_finding("lost", study=name, count=counted(n_runs, "run")), None
    for trial in defects.bare:
        yield make_finding("bare", trial=trial), None
    for trial in defects.doubled:
        yield make_finding("doubled", trial=trial), None
    for name in defects.shared:
        yield make_finding("shared", study=name), None
    for name, count in defects.references.items():
        yield make_finding("references", table=name, count=counted(count, "row")), None


def _delete_leases(leases: list[tuple[str, str]], storage: RDBStorage) -> None:
    columns = tables.leases.c
    _execute(
        storage,
        *(
            delete(tables.leases).where(columns.study_uuid == study, columns.point == key)
            for study, key in leases
        ),
    )


def _delete_worker(uuid: str, storage: RDBStorage) -> None:
    _execute(
        storage,
        delete(tables.leases).where(tables.leases.c.worker_uuid == uuid),
        delete(tables.workers).where(tables.workers.c.uuid == uuid),
    )


def _close(trial: StoredTrial, storage: RDBStorage) -> None:
    # Does nothing where its worker lives after all, and was faster.
    fail_trial(storage, trial.id, DIED)


def _delete_run(uuid: str, storage: RDBStorage) -> None:
    delete_run(storage.engine, uuid)


def _delete_study(uuid: str, storage: RDBStorage) -> None:
    delete_study_rows(storage.engine, uuid)


def _delete_orphans(name: str, storage: RDBStorage) -> None:
    table = tables.metadata.tables[name]
    _execute(storage, delete(table).where(table.c.run_id.not_in(select(tables.runs.c.id))))


def _delete_strays(name: str, storage: RDBStorage) -> None:
    table = tables.metadata.tables[name]
    known = select(tables.studies.c.uuid)
    _execute(storage, delete(table).where(table.c.study_uuid.not_in(known)))


def _execute(storage: RDBStorage, *statements: Any) -> None:
    """Execute statements in one transaction."""
    with storage.engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
