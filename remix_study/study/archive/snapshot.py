"""Reading studies out of a database, without writing to it or locking anybody out."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy import Connection, select
from sqlalchemy.engine import URL, make_url

from remix_study.errors import StorageError
from remix_study.study import tables
from remix_study.study.archive.layout import TABLES, Record, Snapshot, real
from remix_study.study.database_errors import database_errors
from remix_study.study.optuna_tables import SCORED_STATES
from remix_study.study.packing import unpack
from remix_study.study.storage import open_reader, optuna_url
from remix_study.study.study_selection import select_studies

# SQLite takes some thousand values in one statement.
_VALUES_PER_QUERY = 500


def open_source(url: str) -> RDBStorage:
    """Open a database for reading through Optuna: no table is made, nothing is locked.

    Raises:
        StorageError: It is not there, cannot be read, or holds no study of this project.
    """
    open_reader(url).dispose()
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        uri = Path(parsed.database or "").resolve().as_uri()
        parsed = URL.create(parsed.drivername, database=uri, query={"mode": "ro", "uri": "true"})
    with database_errors(url):
        return RDBStorage(optuna_url(parsed), skip_table_creation=True)


def read_studies(storage: RDBStorage, names: Collection[str] = ()) -> Iterator[Snapshot]:
    """Read studies one after the other.

    A trial that is running is read as it is; rows count once their trial is COMPLETE or PRUNED.

    Args:
        storage: Where to read.
        names: Studies, by the name in their study file; all when empty.

    Raises:
        StorageError: The database holds no study.
        UsageError: It holds none of this name.
    """
    with storage.engine.connect() as connection:
        selected = select_studies(connection, names)
    for study_id, row in selected:
        yield read_study(storage, study_id, row)


def read_study(storage: RDBStorage, study_id: int, row: Any) -> Snapshot:
    """Read one problem's study.

    Args:
        storage: Where to read.
        study_id: Optuna's id.
        row: Its row in the project's table of studies.

    Raises:
        StorageError: Rows are damaged.
    """
    title = storage.get_study_name_from_id(study_id)
    study = optuna.load_study(study_name=title, storage=storage)
    # Optuna's trials first: the rows of a COMPLETE one are there already.
    trials = [_trial_record(trial) for trial in study.get_trials(deepcopy=False)]
    study_record = _study_record(storage, study, study_id, row)
    try:
        return _read_rows(storage, row, study_record, trials)
    except (zlib.error, ValueError, TypeError) as error:
        raise StorageError(
            f"{row.name}: rows that cannot be read ({error}); the database is damaged"
        ) from error


def _read_rows(
    storage: RDBStorage, row: Any, study_record: Record, trials: list[Record]
) -> Snapshot:
    with storage.engine.connect() as connection:
        runs, run_numbers = _run_records(connection, trials)
        records: dict[str, list[Record]] = {
            "studies": [study_record],
            "manifests": _manifest_records(connection, row.uuid),
            "trials": trials,
            "parts": _part_records(connection, row.uuid),
            "runs": runs,
            "folds": [],
            "curves": [],
            "scores": _records_of_runs(connection, tables.scores, run_numbers),
            "probabilities": [],
        }
        for fold in _records_of_runs(connection, tables.folds, run_numbers):
            loss, monitor, rate = unpack(fold.pop("curves"), np.float32).reshape(3, -1)
            records["folds"].append(fold)
            key = {name: fold[name] for name in ("run", "repeat", "fold")}
            if len(loss):
                records["curves"].append(key | {"loss": loss, "monitor": monitor, "rate": rate})
        n_classes = len(row.facts["classes"])
        for record in _records_of_runs(connection, tables.probabilities, run_numbers):
            packed = record.pop("probabilities")
            probability = unpack(packed, np.float32).reshape(-1, n_classes)
            records["probabilities"].append(record | {"probability": probability})
    return Snapshot(records)


def _study_record(
    storage: RDBStorage, study: optuna.study.Study, study_id: int, row: Any
) -> Record:
    columns = tables.studies.columns.keys()
    return {
        **{name: getattr(row, name) for name in TABLES["studies"] if name in columns},
        "title": study.study_name,
        "directions": [direction.name for direction in study.directions],
        # The binding to the project's rows is made anew.
        "user_attributes": {
            name: value
            for name, value in study.user_attrs.items()
            if name != tables.STUDY_ATTRIBUTE
        },
        "system_attributes": storage.get_study_system_attrs(study_id),
    }


def _trial_record(trial: FrozenTrial) -> Record:
    return {
        "number": trial.number,
        "state": trial.state.name,
        "started": _utc(trial.datetime_start),
        "completed": _utc(trial.datetime_complete),
        "values": trial.values,
        "parameters": dict(trial.params),
        "distributions": {
            name: distribution_to_json(distribution)
            for name, distribution in trial.distributions.items()
        },
        "user_attributes": dict(trial.user_attrs),
        "system_attributes": dict(trial.system_attrs),
        "intermediate": {str(step): value for step, value in trial.intermediate_values.items()},
    }


def _utc(moment: datetime | None) -> str | None:
    """A time of Optuna's, which are local, as UTC in ISO 8601."""
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _manifest_records(connection: Connection, study_uuid: str) -> list[Record]:
    columns = tables.manifests.c
    manifests = connection.execute(
        select(columns.manifest).where(columns.study_uuid == study_uuid).order_by(columns.id)
    )
    return [{"manifest": manifest} for manifest in manifests.scalars()]


def _part_records(connection: Connection, study_uuid: str) -> list[Record]:
    query = select(tables.parts).where(tables.parts.c.study_uuid == study_uuid)
    parts = connection.execute(query).all()
    return [
        {
            "repeat": part.repeat,
            "fold": part.fold,
            "part": part.part,
            "row": unpack(part.rows, np.int32),
            "class": unpack(part.labels, np.int32),
        }
        for part in sorted(parts, key=lambda part: (part.repeat, part.fold, part.part))
    ]


def _run_records(
    connection: Connection, trials: list[Record]
) -> tuple[list[Record], dict[int, int]]:
    """The runs of trials with scores in the order of their ids, and id -> number in that order."""
    trial_of = {
        trial["user_attributes"].get(tables.RUN_ATTRIBUTE): trial["number"]
        for trial in trials
        if trial["state"] in SCORED_STATES
    }
    uuids = [uuid for uuid in trial_of if uuid is not None]
    runs: list[Any] = []
    for start in range(0, len(uuids), _VALUES_PER_QUERY):
        part = uuids[start : start + _VALUES_PER_QUERY]
        runs += connection.execute(select(tables.runs).where(tables.runs.c.uuid.in_(part))).all()
    runs.sort(key=lambda run: run.id)
    columns = [name for name in TABLES["runs"] if name not in ("run", "trial")]
    records = [
        {"run": number, "trial": trial_of[run.uuid]}
        | {name: getattr(run, name) for name in columns}
        | {"alpha": real(run.alpha)}
        for number, run in enumerate(runs)
    ]
    return records, {run.id: number for number, run in enumerate(runs)}


def _records_of_runs(
    connection: Connection, source: Any, run_numbers: dict[int, int]
) -> list[Record]:
    """Rows of some runs in the order of their primary key, which every database sorts alike."""
    rows: list[Any] = []
    ids = list(run_numbers)
    for start in range(0, len(ids), _VALUES_PER_QUERY):
        part = ids[start : start + _VALUES_PER_QUERY]
        rows += connection.execute(select(source).where(source.c.run_id.in_(part))).all()
    keys = [column.name for column in source.primary_key]
    rows.sort(key=lambda row: tuple(getattr(row, key) for key in keys))
    records = []
    for row in rows:
        record = dict(row._mapping)
        records.append({"run": run_numbers[record.pop("run_id")]} | record)
    return records
