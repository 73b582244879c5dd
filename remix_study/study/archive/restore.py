"""Writing snapshots into a database: all of a study or nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import numpy as np
import optuna
from optuna.distributions import json_to_distribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from remix_study.errors import DataError, StorageError
from remix_study.study import optuna_tables, tables
from remix_study.study.archive.layout import TABLES, Record, Snapshot
from remix_study.study.archive.snapshot import read_study
from remix_study.study.packing import pack
from remix_study.study.record import delete_study_rows
from remix_study.study.registration import bind_study
from remix_study.study.trial_status import FAILED

# Attribute of an Optuna study until all of it is written.
UNFINISHED = "remix_import"
_ROWS_PER_QUERY = 500
# A trial that ends gets these first; one that was exported while it ran must not seem to have.
_ATTRIBUTES_OF_ENDED = (tables.RUN_ATTRIBUTE, tables.SLOT_ATTRIBUTE)


def close_open_trials(snapshot: Snapshot) -> Snapshot:
    """Mark trials that were running or waiting as FAIL: no worker elsewhere continues them."""
    trials = []
    for trial in snapshot.tables["trials"]:
        if trial["state"] in ("RUNNING", "WAITING"):
            started = trial["started"] or _normalised(snapshot.study["created"])
            attributes = {
                name: value
                for name, value in trial["user_attributes"].items()
                if name not in _ATTRIBUTES_OF_ENDED
            }
            trial = trial | {
                "state": "FAIL",
                "started": started,
                "completed": started,
                "user_attributes": attributes | {FAILED: "was not finished when it was exported"},
            }
        trials.append(trial)
    return Snapshot({**snapshot.tables, "trials": trials})


def _normalised(time: str) -> str:
    """A time in ISO 8601 as it will be read back."""
    return datetime.fromisoformat(time).isoformat()


def check_absent(storage: RDBStorage, snapshots: Sequence[Snapshot]) -> None:
    """Refuse studies that the database holds already, before anything is written.

    Raises:
        StorageError: Names the first.
    """
    titles = {study.study_name for study in storage.get_all_studies()}
    with storage.engine.connect() as connection:
        uuids = set(connection.execute(select(tables.studies.c.uuid)).scalars())
    for snapshot in snapshots:
        study = snapshot.study
        exists = study["title"] in titles and not _is_unfinished(storage, study["title"])
        if study["uuid"] in uuids or exists:
            raise StorageError(
                f"{snapshot.name}: the database holds this study already; name another database, "
                "or delete the study there first"
            )


def _is_unfinished(storage: RDBStorage, title: str) -> bool:
    study_id = storage.get_study_id_from_name(title)
    return UNFINISHED in storage.get_study_user_attrs(study_id)


def restore_all(storage: RDBStorage, snapshots: Sequence[Snapshot]) -> None:
    """Write studies into a database: all of them, or none where one cannot be written.

    Raises:
        StorageError: The database holds one of them, or as :func:`restore_study`.
        DataError: As :func:`restore_study`.
    """
    check_absent(storage, snapshots)
    restored = []
    try:
        for snapshot in snapshots:
            restore_study(storage, snapshot)
            restored.append(snapshot)
    except Exception:
        for snapshot in restored:
            _delete_study(storage, snapshot)
        raise


def restore_study(storage: RDBStorage, snapshot: Snapshot) -> None:
    """Write a study into a database, and check that it gives back what was written.

    What a killed import has left of the same study is deleted first. The study is bound to the
    project's tables with its last row; until then no command but this one looks at it.

    Raises:
        StorageError: Another process began the study meanwhile, or the database does not give
            back what was written into it.
        DataError: Optuna refuses a trial.
    """
    study = snapshot.study
    title = study["title"]
    if any(title == existing.study_name for existing in storage.get_all_studies()):
        optuna.delete_study(study_name=title, storage=storage)
    created = optuna.create_study(
        storage=storage,
        study_name=title,
        directions=[direction.lower() for direction in study["directions"]],
    )
    created.set_user_attr(UNFINISHED, True)
    study_id = storage.get_study_id_from_name(title)
    for name, value in study["system_attributes"].items():
        storage.set_study_system_attr(study_id, name, value)
    for name, value in study["user_attributes"].items():
        created.set_user_attr(name, value)
    try:
        for trial in snapshot.tables["trials"]:
            created.add_trial(_frozen_trial(trial))
    except (ValueError, TypeError, KeyError) as error:
        optuna.delete_study(study_name=title, storage=storage)
        raise DataError(f"{snapshot.name}: a trial that Optuna refuses: {error}") from error
    try:
        with storage.engine.begin() as connection:
            write_rows(connection, snapshot)
            _mark_finished(connection, study_id)
            bind_study(connection, study_id, study["uuid"])
    except IntegrityError as error:
        if tables.STUDY_ATTRIBUTE not in storage.get_study_user_attrs(study_id):
            optuna.delete_study(study_name=title, storage=storage)
        raise StorageError(
            f"{snapshot.name}: rows contradict each other, or another process began this study "
            "meanwhile; nothing of it was imported"
        ) from error
    _compare(storage, study_id, snapshot)


def _frozen_trial(trial: Record) -> FrozenTrial:
    frozen = create_trial(
        state=TrialState[trial["state"]],
        values=trial["values"],
        params=trial["parameters"],
        distributions={
            name: json_to_distribution(text) for name, text in trial["distributions"].items()
        },
        user_attrs=trial["user_attributes"],
        system_attrs=trial["system_attributes"],
        intermediate_values={int(step): value for step, value in trial["intermediate"].items()},
    )
    frozen.datetime_start = _local(trial["started"])
    frozen.datetime_complete = _local(trial["completed"])
    return frozen


def _local(text: str | None) -> datetime | None:
    """A time as Optuna's, which are local; ``fold`` tells the hour that autumn repeats."""
    return None if text is None else datetime.fromisoformat(text).astimezone().replace(tzinfo=None)


def write_rows(connection: Connection, snapshot: Snapshot) -> None:
    """Write the project's rows, runs in their old order."""
    study_uuid = snapshot.study["uuid"]
    records = snapshot.tables
    columns = [column.name for column in tables.studies.columns]
    _insert(connection, tables.studies, [{name: snapshot.study[name] for name in columns}])
    _insert(
        connection,
        tables.manifests,
        [{"study_uuid": study_uuid, **manifest} for manifest in records["manifests"]],
    )
    _insert(
        connection,
        tables.parts,
        [
            {
                "study_uuid": study_uuid,
                **{name: part[name] for name in ("repeat", "fold", "part")},
                "rows": pack(part["row"]),
                "labels": pack(part["class"]),
            }
            for part in records["parts"]
        ],
    )
    run_ids: dict[int, int] = {}
    for run in records["runs"]:
        values = {name: run[name] for name in TABLES["runs"] if name not in ("run", "trial")}
        result = connection.execute(insert(tables.runs).values(study_uuid=study_uuid, **values))
        run_ids[run["run"]] = (result.inserted_primary_key or (0,))[0]
    curves = {_fold_key(curve): curve for curve in records["curves"]}
    folds = [_fold_row(fold, curves, run_ids) for fold in records["folds"]]
    _insert(connection, tables.folds, folds)
    scores = [_with_run_id(score, run_ids) for score in records["scores"]]
    _insert(connection, tables.scores, scores)
    probabilities = [
        _with_run_id(record, run_ids) | {"probabilities": pack(record["probability"])}
        for record in records["probabilities"]
    ]
    for row in probabilities:
        del row["probability"]
    _insert(connection, tables.probabilities, probabilities)


def _fold_key(record: Record) -> tuple[int, int, int]:
    return record["run"], record["repeat"], record["fold"]


def _fold_row(
    fold: Record, curves: dict[tuple[int, int, int], Record], run_ids: dict[int, int]
) -> Record:
    curve = curves.get(_fold_key(fold))
    stacked = np.zeros((3, 0), np.float32)
    if curve is not None:
        stacked = np.stack([curve["loss"], curve["monitor"], curve["rate"]])
    return _with_run_id(fold, run_ids) | {"curves": pack(stacked)}


def _with_run_id(record: Record, run_ids: dict[int, int]) -> Record:
    """The record with the id that its run has in this database."""
    values = {name: value for name, value in record.items() if name != "run"}
    return {"run_id": run_ids[record["run"]], **values}


def _insert(connection: Connection, table: Any, rows: list[Record]) -> None:
    for start in range(0, len(rows), _ROWS_PER_QUERY):
        connection.execute(insert(table), rows[start : start + _ROWS_PER_QUERY])


def _mark_finished(connection: Connection, study_id: int) -> None:
    columns = optuna_tables.study_attributes.c
    connection.execute(
        delete(optuna_tables.study_attributes).where(
            columns.study_id == study_id, columns.key == UNFINISHED
        )
    )


def _compare(storage: RDBStorage, study_id: int, snapshot: Snapshot) -> None:
    """Delete the study again where it is read back otherwise than it was written."""
    with storage.engine.connect() as connection:
        row = connection.execute(
            select(tables.studies).where(tables.studies.c.uuid == snapshot.study["uuid"])
        ).one()
    with suppress(StorageError):
        if read_study(storage, study_id, row).digest() == snapshot.digest():
            return
    _delete_study(storage, snapshot)
    raise StorageError(
        f"{snapshot.name}: the database does not give back what was written; nothing is kept of it"
    )


def _delete_study(storage: RDBStorage, snapshot: Snapshot) -> None:
    optuna.delete_study(study_name=snapshot.study["title"], storage=storage)
    delete_study_rows(storage.engine, snapshot.study["uuid"])
