"""What can be wrong in a database, found by reading alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, String, Table, cast, func, select

from remix_study.errors import StorageError
from remix_study.study import leases, study_progress, tables

# Tables whose rows hang on a run, and on a study.
OF_RUNS = (tables.probabilities, tables.scores, tables.folds)
OF_STUDIES = (tables.parts, tables.manifests, tables.claims)


@dataclass(frozen=True)
class Trial:
    """A trial of one of our studies.

    Attributes:
        id: Optuna's id.
        study: ``<study>/<problem>``.
        number: Optuna's number.
        state: Optuna's word.
        run: UUID of the run that it says is its own, None before it ended.
    """

    id: int
    study: str
    number: int
    state: str
    run: str | None

    def __str__(self) -> str:
        """How a line names it."""
        return f"{self.study}: trial {self.number}"


@dataclass(eq=False)
class Findings:
    """All that is wrong.

    Attributes:
        workers: Rows of workers that are gone, or of all that are to be taken for gone.
        claims: Claims without a living worker: (study's UUID, point).
        running: Trials that nobody works on.
        half: Runs whose trial did not complete: (UUID, its trial).
        orphans: Table -> how many rows hang on a run that is not there.
        strays: Table -> how many rows hang on a study that is not there.
        begun: Studies that have neither a place in Optuna nor a run: (UUID, name).
        deleted: Studies with runs that have no place in Optuna: (UUID, name, runs).
        lost: Runs without a trial in a study that is there: (study, runs).
        bare: COMPLETE trials whose rows are not there, or not all of them.
        doubled: COMPLETE trials beside another one of the same point.
        shared: Names of Optuna's studies that share our rows.
        references: Optuna's own tables with references to rows that are not there.
    """

    workers: list[Any] = field(default_factory=list)
    claims: list[tuple[str, str]] = field(default_factory=list)
    running: list[Trial] = field(default_factory=list)
    half: list[tuple[str, Trial]] = field(default_factory=list)
    orphans: dict[str, int] = field(default_factory=dict)
    strays: dict[str, int] = field(default_factory=dict)
    begun: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[tuple[str, str, int]] = field(default_factory=list)
    lost: list[tuple[str, int]] = field(default_factory=list)
    bare: list[Trial] = field(default_factory=list)
    doubled: list[Trial] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    references: dict[str, int] = field(default_factory=dict)


def look(connection: Connection, *, free_all: bool = False) -> Findings:
    """Look for everything at once.

    Args:
        connection: To the database; nothing is written.
        free_all: Take every worker for gone.

    Raises:
        StorageError: The file itself is damaged.
    """
    found = Findings()
    if connection.dialect.name == "sqlite":
        _check_file(connection, found)
    _workers(connection, free_all, found)
    entries = study_progress.own_studies(connection)
    for study_id, row in entries:
        _study(connection, study_id, row, free_all, found)
    uuids = Counter(row.uuid for _, row in entries)
    found.shared = sorted({row.name for _, row in entries if uuids[row.uuid] > 1})
    _leftovers(connection, set(uuids), found)
    return found


def _check_file(connection: Connection, found: Findings) -> None:
    said = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
    if said != "ok":
        raise StorageError(
            f"the file is damaged ({said}); copy it, then save what can be read with `export` or "
            "sqlite3's .recover, and go on with a new database"
        )
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    ours = tables.metadata.tables.keys()
    found.references = dict(Counter(row[0] for row in broken if row[0] not in ours))


def _workers(connection: Connection, free_all: bool, found: Findings) -> None:
    alive = set() if free_all else leases.living(connection)
    workers = connection.execute(select(tables.workers)).all()
    found.workers = [worker for worker in workers if worker.uuid not in alive]
    # A worker is in its table before it claims anything.
    known = {worker.uuid for worker in workers}
    found.claims = [
        (claim.study_uuid, claim.point)
        for claim in connection.execute(select(tables.claims))
        if claim.worker_uuid not in alive & known
    ]


def _study(
    connection: Connection, study_id: int, row: Any, free_all: bool, found: Findings
) -> None:
    # Trials first: a living worker claims its point before it asks for the trial.
    trials = _trials(connection, study_id, row.name)
    dead = {point for study, point in found.claims if study == row.uuid}
    held = leases.claimed(connection, row.uuid)
    working = {trial for point, trial in held.items() if point not in dead}
    if free_all or None not in working:
        running = [trial for trial in trials if trial.state == "RUNNING"]
        found.running += [trial for trial in running if trial.number not in working]
    runs = {
        run.uuid: run.id
        for run in connection.execute(
            select(tables.runs.c.uuid, tables.runs.c.id).where(
                tables.runs.c.study_uuid == row.uuid
            )
        )
    }
    owners = {trial.run: trial for trial in trials if trial.run is not None}
    found.half += [
        (uuid, owners[uuid]) for uuid in runs if uuid in owners and owners[uuid].state == "FAIL"
    ]
    if lost := len(runs.keys() - owners.keys()):
        found.lost.append((row.name, lost))
    whole = _whole(connection, row)
    complete = [trial for trial in trials if trial.state == "COMPLETE"]
    found.bare += [
        trial for trial in complete if trial.run not in runs or runs[trial.run] not in whole
    ]
    _doubled(connection, study_id, row, complete, found)


def _trials(connection: Connection, study_id: int, name: str) -> list[Trial]:
    trials, mark = study_progress.trials, study_progress.trial_attributes
    says = (mark.c.trial_id == trials.c.trial_id) & (mark.c.key == tables.RUN_ATTRIBUTE)
    rows = connection.execute(
        select(
            trials.c.trial_id,
            trials.c.number,
            cast(trials.c.state, String).label("state"),
            mark.c.value_json,
        )
        .join(mark, says, isouter=True)
        .where(trials.c.study_id == study_id)
        .order_by(trials.c.number)
    )
    return [
        Trial(
            row.trial_id,
            name,
            row.number,
            row.state,
            None if row.value_json is None else json.loads(row.value_json),
        )
        for row in rows
    ]


def _whole(connection: Connection, row: Any) -> set[int]:
    """Ids of the runs that have all folds, scores of both parts, and what was predicted."""
    # A trial on outer folds trains one of them, in all repeats.
    outer = row.facts.get("role") == "outer"
    wanted = row.facts["repeats"] * (1 if outer else row.facts["folds"])
    folds = _counts(connection, row.uuid, tables.folds)
    good = _counts(connection, row.uuid, tables.folds, tables.folds.c.failed == "")
    scores = _counts(connection, row.uuid, tables.scores)
    shares = _counts(connection, row.uuid, tables.probabilities)
    return {
        run
        for run, count in folds.items()
        if count == wanted
        and scores.get(run) == 2 * wanted
        and shares.get(run, 0) == 2 * good.get(run, 0)
    }


def _counts(connection: Connection, own: str, table: Table, *only: Any) -> dict[int, int]:
    """For each run of a study, how many different folds, or parts of them, a table has."""
    keys = [column for column in table.primary_key if column.name != "metric"]
    places = (
        select(*keys)
        .join(tables.runs, tables.runs.c.id == table.c.run_id)
        .where(tables.runs.c.study_uuid == own, *only)
        .distinct()
        .subquery()
    )
    query = select(places.c.run_id, func.count()).group_by(places.c.run_id)
    return {run: count for run, count in connection.execute(query)}


def _doubled(
    connection: Connection, study_id: int, row: Any, complete: list[Trial], found: Findings
) -> None:
    """A planned point, or a slot of a search, that has more than one COMPLETE trial."""
    if row.facts.get("role") == "outer":
        # A search that was made longer may have chosen again.
        return
    points = study_progress.points_of(connection, study_id, row)
    seen = set()
    for trial in complete:
        point = points.get(trial.id)
        if point in seen:
            found.doubled.append(trial)
        elif point is not None and (point in row.planned or not row.planned):
            seen.add(point)


def _leftovers(connection: Connection, bound: set[str], found: Findings) -> None:
    """Rows that hang on nothing, and studies that Optuna does not know any more."""
    for table in OF_RUNS:
        query = select(func.count()).where(table.c.run_id.not_in(select(tables.runs.c.id)))
        if count := connection.execute(query.select_from(table)).scalar_one():
            found.orphans[table.name] = count
    for table in (*OF_STUDIES, tables.runs):
        theirs = table.c.study_uuid.not_in(select(tables.studies.c.uuid))
        if count := connection.execute(
            select(func.count()).select_from(table).where(theirs)
        ).scalar_one():
            found.strays[table.name] = count
    for row in connection.execute(select(tables.studies.c.uuid, tables.studies.c.name)):
        if row.uuid not in bound:
            count = connection.execute(
                select(func.count())
                .select_from(tables.runs)
                .where(tables.runs.c.study_uuid == row.uuid)
            ).scalar_one()
            if count:
                found.deleted.append((row.uuid, row.name, count))
            else:
                found.begun.append((row.uuid, row.name))
