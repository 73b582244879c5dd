"""What can be wrong in a database, found by reading alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, String, Table, cast, func, select

from remix_study.errors import StorageError
from remix_study.study import leases, optuna_tables, tables
from remix_study.study.study_progress import trial_keys
from remix_study.study.study_selection import registered_studies


@dataclass(frozen=True)
class StoredTrial:
    """A trial of one of the project's studies.

    Attributes:
        id: Optuna's id.
        study: ``<study>/<problem>``.
        number: Optuna's number.
        state: Optuna's name of its state.
        run: UUID of the run with its scores, None before it ended.
    """

    id: int
    study: str
    number: int
    state: str
    run: str | None

    def __str__(self) -> str:
        """Its name in messages."""
        return f"{self.study}: trial {self.number}"


@dataclass(eq=False)
class Defects:
    """All defects of a database.

    Attributes:
        workers: Rows of workers that are gone, or of all that are to be taken for gone.
        leases: Leases without a living worker: (study's UUID, key).
        running: Trials that nobody works on.
        half: Runs whose trial failed: (UUID, its trial).
        orphans: Table -> how many rows belong to a run that is not there.
        strays: Table -> how many rows belong to a study that is not there.
        begun: Studies without an Optuna study and without runs: (UUID, name).
        deleted: Studies with runs, without an Optuna study: (UUID, name, number of runs).
        lost: Runs without a trial in a study that is there: (study, number of runs).
        bare: COMPLETE trials that lack rows.
        doubled: COMPLETE trials beside another one of the same configuration.
        shared: Names of studies whose rows two of Optuna's studies share.
        references: Optuna's own tables -> how many rows refer to rows that are not there.
    """

    workers: list[Any] = field(default_factory=list)
    leases: list[tuple[str, str]] = field(default_factory=list)
    running: list[StoredTrial] = field(default_factory=list)
    half: list[tuple[str, StoredTrial]] = field(default_factory=list)
    orphans: dict[str, int] = field(default_factory=dict)
    strays: dict[str, int] = field(default_factory=dict)
    begun: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[tuple[str, str, int]] = field(default_factory=list)
    lost: list[tuple[str, int]] = field(default_factory=list)
    bare: list[StoredTrial] = field(default_factory=list)
    doubled: list[StoredTrial] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    references: dict[str, int] = field(default_factory=dict)


def check_database(connection: Connection, *, free_all: bool = False) -> Defects:
    """Look for every kind of defect.

    Args:
        connection: To the database; nothing is written.
        free_all: Whether to take every worker for gone.

    Raises:
        StorageError: The file itself is damaged.
    """
    defects = Defects()
    if connection.dialect.name == "sqlite":
        _check_file(connection, defects)
    _check_workers(connection, free_all, defects)
    registered = registered_studies(connection)
    for study_id, row in registered:
        _check_study(connection, study_id, row, free_all, defects)
    uuids = Counter(row.uuid for _, row in registered)
    defects.shared = sorted({row.name for _, row in registered if uuids[row.uuid] > 1})
    _check_leftovers(connection, set(uuids), defects)
    return defects


def _check_file(connection: Connection, defects: Defects) -> None:
    answer = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
    if answer != "ok":
        raise StorageError(
            f"the file is damaged ({answer}); copy it, then save what can be read with `export` "
            "or sqlite3's .recover, and go on with a new database"
        )
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    our_tables = tables.metadata.tables.keys()
    defects.references = dict(Counter(row[0] for row in broken if row[0] not in our_tables))


def _check_workers(connection: Connection, free_all: bool, defects: Defects) -> None:
    alive = set() if free_all else leases.living_workers(connection)
    workers = connection.execute(select(tables.workers)).all()
    defects.workers = [worker for worker in workers if worker.uuid not in alive]
    # A worker is in its table before it has a lease.
    registered = {worker.uuid for worker in workers}
    defects.leases = [
        (lease.study_uuid, lease.point)
        for lease in connection.execute(select(tables.leases))
        if lease.worker_uuid not in alive & registered
    ]


def _check_study(
    connection: Connection, study_id: int, row: Any, free_all: bool, defects: Defects
) -> None:
    # Trials are read before leases: a living worker takes its lease before it begins the trial.
    trials = _stored_trials(connection, study_id, row.name)
    dead_keys = {key for study, key in defects.leases if study == row.uuid}
    leased = leases.leased_configurations(connection, row.uuid)
    leased_trials = {trial for key, trial in leased.items() if key not in dead_keys}
    if free_all or None not in leased_trials:
        running = [trial for trial in trials if trial.state == "RUNNING"]
        defects.running += [trial for trial in running if trial.number not in leased_trials]
    runs = {
        run.uuid: run.id
        for run in connection.execute(
            select(tables.runs.c.uuid, tables.runs.c.id).where(
                tables.runs.c.study_uuid == row.uuid
            )
        )
    }
    owners = {trial.run: trial for trial in trials if trial.run is not None}
    defects.half += [
        (uuid, owners[uuid]) for uuid in runs if uuid in owners and owners[uuid].state == "FAIL"
    ]
    if n_lost := len(runs.keys() - owners.keys()):
        defects.lost.append((row.name, n_lost))
    whole = _whole_runs(connection, row)
    complete = [trial for trial in trials if trial.state == "COMPLETE"]
    defects.bare += [
        trial for trial in complete if trial.run not in runs or runs[trial.run] not in whole
    ]
    _check_doubled(connection, study_id, row, complete, defects)


def _stored_trials(connection: Connection, study_id: int, name: str) -> list[StoredTrial]:
    trials, attributes = optuna_tables.trials, optuna_tables.trial_attributes
    has_run = (attributes.c.trial_id == trials.c.trial_id) & (
        attributes.c.key == tables.RUN_ATTRIBUTE
    )
    rows = connection.execute(
        select(
            trials.c.trial_id,
            trials.c.number,
            cast(trials.c.state, String).label("state"),
            attributes.c.value_json,
        )
        .join(attributes, has_run, isouter=True)
        .where(trials.c.study_id == study_id)
        .order_by(trials.c.number)
    )
    return [
        StoredTrial(
            row.trial_id,
            name,
            row.number,
            row.state,
            None if row.value_json is None else json.loads(row.value_json),
        )
        for row in rows
    ]


def _whole_runs(connection: Connection, row: Any) -> set[int]:
    """Ids of the runs of a study that have all folds, scores and probabilities of both parts."""
    # A trial on outer folds trains one of them, in all repeats.
    is_outer = row.facts.get("role") == "outer"
    n_folds = row.facts["repeats"] * (1 if is_outer else row.facts["folds"])
    folds = _counts(connection, row.uuid, tables.folds)
    trained = _counts(connection, row.uuid, tables.folds, tables.folds.c.failed == "")
    scores = _counts(connection, row.uuid, tables.scores)
    probabilities = _counts(connection, row.uuid, tables.probabilities)
    return {
        run
        for run, count in folds.items()
        if count == n_folds
        and scores.get(run) == 2 * n_folds
        and probabilities.get(run, 0) == 2 * trained.get(run, 0)
    }


def _counts(
    connection: Connection, study_uuid: str, table: Table, *conditions: Any
) -> dict[int, int]:
    """Number of distinct folds, or parts of folds, that a table has of each run of a study."""
    keys = [column for column in table.primary_key if column.name != "metric"]
    distinct = (
        select(*keys)
        .join(tables.runs, tables.runs.c.id == table.c.run_id)
        .where(tables.runs.c.study_uuid == study_uuid, *conditions)
        .distinct()
        .subquery()
    )
    query = select(distinct.c.run_id, func.count()).group_by(distinct.c.run_id)
    return {run: count for run, count in connection.execute(query)}


def _check_doubled(
    connection: Connection,
    study_id: int,
    row: Any,
    complete: list[StoredTrial],
    defects: Defects,
) -> None:
    """A planned configuration, or a slot of a search, has more than one COMPLETE trial."""
    if row.facts.get("role") == "outer":
        # A search that was made longer may have chosen again.
        return
    keys = trial_keys(connection, study_id, row)
    complete_keys = set()
    for trial in complete:
        key = keys.get(trial.id)
        if key in complete_keys:
            defects.doubled.append(trial)
        elif key is not None and (key in row.planned or not row.planned):
            complete_keys.add(key)


def _check_leftovers(connection: Connection, bound: set[str], defects: Defects) -> None:
    """Rows that belong to nothing, and studies that Optuna does not know any more."""
    for table in tables.OF_RUNS:
        is_orphan = table.c.run_id.not_in(select(tables.runs.c.id))
        if count := _count(connection, table, is_orphan):
            defects.orphans[table.name] = count
    for table in (*tables.OF_STUDIES, tables.runs):
        is_stray = table.c.study_uuid.not_in(select(tables.studies.c.uuid))
        if count := _count(connection, table, is_stray):
            defects.strays[table.name] = count
    for row in connection.execute(select(tables.studies.c.uuid, tables.studies.c.name)):
        if row.uuid not in bound:
            n_runs = _count(connection, tables.runs, tables.runs.c.study_uuid == row.uuid)
            if n_runs:
                defects.deleted.append((row.uuid, row.name, n_runs))
            else:
                defects.begun.append((row.uuid, row.name))


def _count(connection: Connection, table: Table, condition: Any) -> int:
    query = select(func.count()).select_from(table).where(condition)
    return connection.execute(query).scalar_one()
