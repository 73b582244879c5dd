"""Putting a database in order: dead trials freed, rows that hang on nothing taken out.

Nothing that a command could still show is ever removed, unless the user asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Delete, Engine, delete, select

from remix_study.errors import StorageError
from remix_study.study import tables
from remix_study.study.archive.restore import forget
from remix_study.study.doctor.checks import OF_RUNS, OF_STUDIES, Findings, Trial, look
from remix_study.study.record import erase
from remix_study.study.signals import Signals
from remix_study.study.storage import database_errors, open_reader, open_storage, shown

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

Fix = Callable[["RDBStorage"], object]


@dataclass(frozen=True)
class Finding:
    """One thing that is, or was, wrong.

    Attributes:
        kind: A word for programs.
        text: What it is, for a person.
        repaired: Whether it is put right now.
        advice: What to do where it is not.
    """

    kind: str
    text: str
    repaired: bool
    advice: str = ""

    def line(self) -> str:
        """The finding in a line."""
        if self.repaired:
            return f"repaired: {self.text}"
        return f"left: {self.text}" + (f"; {self.advice}" if self.advice else "")


def repair(
    url: str,
    *,
    free_all: bool = False,
    prune: bool = False,
    dry_run: bool = False,
    signals: Signals | None = None,
) -> list[Finding]:
    """Look for what is wrong and put right what can be without losing anything.

    Freed are the trials of workers that are gone: ended on this machine, or not heard of for the
    grace period. A second call finds nothing that the first has repaired.

    Args:
        url: The database.
        free_all: Free every running trial; right only when no worker runs.
        prune: Take out the rows of studies that were deleted in Optuna's dashboard.
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
                found = look(connection, free_all=free_all)
        except StorageError as error:
            raise StorageError(f"{shown(url)}: {error}") from error
        finally:
            reader.dispose()
        wrong = list(_judged(found, prune=prune))
        if dry_run or not any(fix for _, fix in wrong):
            return [finding for finding, _ in wrong]
        storage = open_storage(url)
        try:
            done = []
            for finding, fix in wrong:
                if fix is not None:
                    with signals.critical():
                        fix(storage)
                repaired = fix is not None
                done.append(Finding(finding.kind, finding.text, repaired, finding.advice))
        finally:
            storage.remove_session()
            storage.engine.dispose()
    return done


def _judged(found: Findings, *, prune: bool) -> Iterator[tuple[Finding, Fix | None]]:
    """Every finding with what puts it right, in the order in which that is to be done."""

    def one(
        kind: str, text: str, fix: Fix | None = None, advice: str = "run `repair` to put it right"
    ) -> tuple[Finding, Fix | None]:
        return Finding(kind, text, False, advice), fix

    if found.claims:
        points = _counted(len(found.claims), "point")
        yield one("claim", f"{points} claimed by workers that are gone", _free(found.claims))
    for worker in found.workers:
        host = worker.host.split()[0]
        text = f"worker {worker.pid} on {host}, last heard of {worker.seen}, is gone"
        yield one("worker", text, _strike_off(worker.uuid))
    for trial in found.running:
        yield one("running", f"{trial} is RUNNING and nobody works on it", _close(trial))
    for uuid, trial in found.half:
        yield one("half", f"{trial} failed and has rows of results", _erase(uuid))
    for name, count in found.orphans.items():
        text = f"{name}: {_counted(count, 'row')} of runs that are not there"
        yield one("orphans", text, _sweep_runs(name))
    for name, count in found.strays.items():
        text = f"{name}: {_counted(count, 'row')} of studies that are not there"
        if name == tables.runs.name:
            yield one("strays", text, advice="their study cannot be told; nothing reads them")
        else:
            yield one("strays", text, _sweep_studies(name))
    for uuid, name in found.begun:
        yield one("begun", f"{name}: a study that was deleted before it ran", _forget(uuid))
    for uuid, name, runs in found.deleted:
        text = f"{name}: {_counted(runs, 'run')} of a study that was deleted in Optuna"
        fix = _forget(uuid) if prune else None
        yield one("deleted", text, fix, "`repair --prune` takes them out")
    for name, runs in found.lost:
        text = f"{name}: {_counted(runs, 'run')} that no trial knows"
        yield one("lost", text, advice="reports leave them out")
    for trial in found.bare:
        yield one(
            "bare",
            f"{trial} is COMPLETE and rows of its results are not there",
            advice="bring the study back from an export, or delete it and run it again",
        )
    for trial in found.doubled:
        text = f"{trial} is COMPLETE, and so is another of the same point"
        yield one("doubled", text, advice="reports count the first")
    for name in found.shared:
        text = f"{name}: two of Optuna's studies share its rows"
        yield one("shared", text, advice="delete one of them in Optuna's dashboard")
    for name, count in found.references.items():
        text = f"{name}: {_counted(count, 'row')} that refer to rows which are not there"
        yield one("references", text, advice="export what you need and import it elsewhere")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _free(claims: list[tuple[str, str]]) -> Fix:
    def fix(storage: RDBStorage) -> None:
        own = tables.claims.c
        with storage.engine.begin() as connection:
            for study, point in claims:
                connection.execute(
                    delete(tables.claims).where(own.study_uuid == study, own.point == point)
                )

    return fix


def _strike_off(uuid: str) -> Fix:
    def fix(storage: RDBStorage) -> None:
        own = tables.claims.c.worker_uuid == uuid
        with storage.engine.begin() as connection:
            connection.execute(delete(tables.claims).where(own))
            connection.execute(delete(tables.workers).where(tables.workers.c.uuid == uuid))

    return fix


def _close(trial: Trial) -> Fix:
    def fix(storage: RDBStorage) -> None:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            storage.set_trial_user_attr(trial.id, "failed", "its worker died")
            storage.set_trial_state_values(trial.id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            # Its worker lives after all, and was faster.
            return
        run = storage.get_trial(trial.id).user_attrs.get(tables.RUN_ATTRIBUTE)
        if run is not None:
            erase(storage.engine, run)

    return fix


def _erase(run_uuid: str) -> Fix:
    return lambda storage: erase(storage.engine, run_uuid)


def _forget(study_uuid: str) -> Fix:
    return lambda storage: forget(storage.engine, study_uuid)


def _sweep_runs(name: str) -> Fix:
    (table,) = (table for table in OF_RUNS if table.name == name)
    return lambda storage: _delete(
        storage.engine, delete(table).where(table.c.run_id.not_in(select(tables.runs.c.id)))
    )


def _sweep_studies(name: str) -> Fix:
    (table,) = (table for table in OF_STUDIES if table.name == name)
    there = select(tables.studies.c.uuid)
    return lambda storage: _delete(
        storage.engine, delete(table).where(table.c.study_uuid.not_in(there))
    )


def _delete(engine: Engine, statement: Delete) -> None:
    with engine.begin() as connection:
        connection.execute(statement)
