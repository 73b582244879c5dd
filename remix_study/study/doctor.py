"""Checking a database and repairing what can be repaired without a loss.

In comes the URL of a database; out come findings, each repaired or with advice. Nothing that a
command could still show is ever deleted, unless the user asks for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, String, Table, cast, delete, func, select

from remix_study.errors import StorageError
from remix_study.study import leases, optuna_tables, tables
from remix_study.study.content_checks import RETRAIN, Trial, check_contents, give_up
from remix_study.study.database_errors import database_errors, url_without_password
from remix_study.study.findings import (
    Defect,
    Finding,
    counted,
    executing,
    with_engine,
)
from remix_study.study.leftovers import check_leftovers
from remix_study.study.optuna_tables import DIED, first_repeats, registered_studies, trial_keys
from remix_study.study.record import delete_run
from remix_study.study.signals import Signals
from remix_study.study.storage import closing, open_reader, open_storage
from remix_study.study.trials import fail_trial


def repair_database(
    url: str,
    *,
    free_all: bool = False,
    retrain: bool = False,
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
        retrain: Give up trials whose rows are damaged, so that the next run trains them again.
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
                defects = list(_check_database(connection, free_all, prune, retrain))
        except StorageError as error:
            raise StorageError(f"{url_without_password(url)}: {error}") from error
        finally:
            reader.dispose()
        if dry_run or not any(repair for _, repair in defects):
            return [finding for finding, _ in defects]
        findings = []
        with closing(open_storage(url)) as storage:
            for finding, repair in defects:
                if repair is not None:
                    with signals.critical():
                        repair(storage)
                findings.append(replace(finding, repaired=repair is not None))
    return findings


def _check_database(
    connection: Connection, free_all: bool, prune: bool, retrain: bool
) -> list[Defect]:
    """Every defect with its repair, in the order of the repairs; nothing is written."""
    broken = _check_file(connection)
    damaged = list(check_contents(connection, retrain, free_all))
    try:
        return damaged + list(_check_relations(connection, broken, free_all, prune, retrain))
    except Exception:
        # The other checks read what is damaged.
        if not damaged:
            raise
        return damaged


def find_damage(url: str) -> str:
    """The first damage of a database's contents in a line; "" where there is none."""
    reader, name = open_reader(url), url_without_password(url)
    try:
        with reader.connect() as connection:
            for finding, _ in _check_database(connection, False, False, False):
                if finding.kind in ("damaged", "bare"):
                    return f"{name}: {finding.text}; {finding.advice}"
        return ""
    except StorageError as error:
        return f"{name}: {error}"
    finally:
        reader.dispose()


def _check_file(connection: Connection) -> Counter[str]:
    """Stop at a damaged SQLite file; count rows of Optuna's tables that refer to nothing."""
    broken: Counter[str] = Counter()
    if connection.dialect.name == "sqlite":
        answer = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if answer != "ok":
            raise StorageError(
                f"the file is damaged ({answer}); copy it, then save what can be read with "
                "`export` or sqlite3's .recover, and go on with a new database"
            )
        references = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        broken.update(row[0] for row in references if row[0] not in tables.metadata.tables)
    return broken


def _check_relations(
    connection: Connection, broken: Counter[str], free_all: bool, prune: bool, retrain: bool
) -> Iterator[Defect]:
    """Leases, trials, runs and studies that do not fit each other."""
    # In this order: a worker is in its table before it has a lease, and may begin at any moment.
    all_leases = connection.execute(select(tables.leases)).all()
    all_workers = connection.execute(select(tables.workers)).all()
    living = set() if free_all else leases.living_workers(connection)
    dead_leases = [lease for lease in all_leases if lease.worker_uuid not in living]
    if dead_leases:
        text = f"{counted(len(dead_leases), 'lease')} of workers that are gone"
        of_dead = tables.leases.c.worker_uuid.in_({lease.worker_uuid for lease in dead_leases})
        yield Finding("claim", text), executing(delete(tables.leases).where(of_dead))
    for worker in all_workers:
        if worker.uuid not in living:
            host = worker.host.split()[0]
            text = f"worker {worker.pid} on {host}, last heard of {worker.seen}, is gone"
            # Leases that it has taken meanwhile go first.
            its_leases = delete(tables.leases).where(tables.leases.c.worker_uuid == worker.uuid)
            its_row = delete(tables.workers).where(tables.workers.c.uuid == worker.uuid)
            yield Finding("worker", text), executing(its_leases, its_row)
    registered = registered_studies(connection)
    for study_id, row in registered:
        dead_keys = {lease.point for lease in dead_leases if lease.study_uuid == row.uuid}
        yield from _check_study(connection, study_id, row, dead_keys, free_all, retrain)
    uuids = Counter(row.uuid for _, row in registered)
    yield from check_leftovers(connection, set(uuids), prune)
    for name in sorted({row.name for _, row in registered if uuids[row.uuid] > 1}):
        text = f"{name}: two of Optuna's studies share its rows"
        yield Finding("shared", text, advice="delete one of them in Optuna's dashboard"), None
    for name, count in broken.items():
        text = f"{name}: {counted(count, 'row')} that refer to rows which are not there"
        advice = "export what you need and import it elsewhere"
        yield Finding("references", text, advice=advice), None


def _check_study(
    connection: Connection,
    study_id: int,
    row: Any,
    dead_keys: set[str],
    free_all: bool,
    retrain: bool,
) -> Iterator[Defect]:
    """Trials that nobody works on, trials and runs that do not fit, configurations done twice."""
    # Trials are read before leases: a living worker takes its lease before it begins the trial.
    trials = _stored_trials(connection, study_id, first_repeats(row.facts))
    leased = leases.leased_configurations(connection, row.uuid)
    numbers = {number for key, number in leased.items() if key not in dead_keys}
    runs = tables.runs.c
    of_study = select(runs.uuid, runs.id).where(runs.study_uuid == row.uuid)
    run_ids = {run.uuid: run.id for run in connection.execute(of_study)}
    # The run of a trial that adds repeats to another one's holds these alone.
    repeats: dict[int | None, int] = {t.number: t.repeats for t in trials}
    added = {run_ids.get(t.run): t.repeats - repeats.get(t.extends, 0) for t in trials}
    whole, keys = _whole_runs(connection, row, added), trial_keys(connection, study_id, row)
    complete_keys = set()
    for trial in trials:
        name = f"{row.name}: trial {trial.number}"
        is_free = trial.number not in numbers and (free_all or None not in numbers)
        if trial.state == "RUNNING" and is_free:
            # Closing does nothing where its worker lives after all, and was faster.
            finding = Finding("running", f"{name} is RUNNING and nobody works on it")
            yield finding, partial(fail_trial, trial_id=trial.trial_id, reason=DIED)
        if trial.state == "FAIL" and trial.run is not None and trial.run in run_ids:
            finding = Finding("half", f"{name} failed and has rows of results")
            yield finding, with_engine(delete_run, trial.run)
        if trial.state != "COMPLETE":
            continue
        if run_ids.get(trial.run) not in whole:
            text = f"{name} is COMPLETE and rows of its results are not there"
            damaged = partial(give_up, trial=Trial(trial.trial_id, run_ids.get(trial.run)))
            yield Finding("bare", text, advice=RETRAIN), damaged if retrain else None
        key = keys.get(trial.trial_id)
        # A search that was made longer may have chosen again, as may a grid that has grown.
        may_repeat = row.facts.get("role") in ("outer", "rare-rows")
        if (key, trial.extends) in complete_keys and not may_repeat:
            text = f"{name} is COMPLETE, and so is another of the same configuration"
            yield Finding("doubled", text, advice="reports count the first"), None
        if key is not None and (key in row.planned or not row.planned):
            complete_keys.add((key, trial.extends))
    if n_lost := len(run_ids.keys() - {trial.run for trial in trials}):
        text = f"{row.name}: {counted(n_lost, 'run')} that no trial knows"
        yield Finding("lost", text, advice="reports leave them out"), None


class _StoredTrial(NamedTuple):
    """A trial; the UUID of its run, None before it ended; its repeats; which trial it extends."""

    trial_id: int
    number: int
    state: str
    run: str | None
    repeats: int
    extends: int | None


def _stored_trials(connection: Connection, study_id: int, repeats: int) -> list[_StoredTrial]:
    """The trials of a study; those that do not say so have ``repeats`` repeats."""
    keys = tables.RUN_ATTRIBUTE, tables.REPEATS_ATTRIBUTE, tables.EXTENDS_ATTRIBUTE
    known = optuna_tables.trial_attributes_of(connection, study_id, *keys)
    unknown, trials = {tables.REPEATS_ATTRIBUTE: repeats}, optuna_tables.trials.c
    query = select(trials.trial_id, trials.number, cast(trials.state, String))
    rows = connection.execute(query.where(trials.study_id == study_id).order_by(trials.number))
    return [_StoredTrial(*row, *map((unknown | known.get(row[0], {})).get, keys)) for row in rows]


def _whole_runs(connection: Connection, row: Any, repeats: Mapping[int | None, int]) -> set[int]:
    """Ids of runs with all folds of their repeats, scores and probabilities of both parts."""
    # A trial on outer folds trains one of them, in all repeats.
    n_folds = 1 if row.facts.get("role") == "outer" else row.facts["folds"]
    planned = {run: n_folds * n for run, n in repeats.items()}
    folds = _counts(connection, row.uuid, tables.folds)
    trained = _counts(connection, row.uuid, tables.folds, tables.folds.c.failed == "")
    scores = _counts(connection, row.uuid, tables.scores)
    probabilities = _counts(connection, row.uuid, tables.probabilities)
    if tables.summaries in tables.tables_of_runs(connection):
        # A run of a summary has results of probabilities in their place.
        summarized = _counts(connection, row.uuid, tables.summaries)
        probabilities.update({run: 2 * trained[run] for run in summarized})
    return {
        run
        for run, count in folds.items()
        if (n := planned.get(run)) == count
        and (scores[run], probabilities[run]) == (2 * n, 2 * trained[run])
    }


def _counts(
    connection: Connection, study_uuid: str, table: Table, *conditions: Any
) -> Counter[int]:
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
    return Counter({run: count for run, count in connection.execute(query)})
