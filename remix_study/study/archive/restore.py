"""Bringing studies from an archive into a database: all of a study or nothing of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from remix_study.errors import DataError, StorageError
from remix_study.study import study_progress, tables
from remix_study.study.archive.layout import TABLES, Record, Snapshot
from remix_study.study.archive.snapshot import read_study
from remix_study.study.record import pack

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

# Stands on an Optuna study until all of it is there.
UNFINISHED = "remix_import"
_AT_ONCE = 500
# A trial that ends gets these first; one that has not ended must not seem to have.
_OF_A_FINISHED = (tables.RUN_ATTRIBUTE, tables.SLOT_ATTRIBUTE)


def settled(snapshot: Snapshot) -> Snapshot:
    """The study as another database can hold it: trials that were running have no worker there."""
    trials = []
    for trial in snapshot.tables["trials"]:
        if trial["state"] in ("RUNNING", "WAITING"):
            reason = {"failed": "was not finished when it was exported"}
            begun = trial["started"] or _same(snapshot.study["created"])
            kept = {k: v for k, v in trial["user_attributes"].items() if k not in _OF_A_FINISHED}
            trial = trial | {
                "state": "FAIL",
                "started": begun,
                "completed": begun,
                "user_attributes": kept | reason,
            }
        trials.append(trial)
    return Snapshot({**snapshot.tables, "trials": trials})


def _same(text: str) -> str:
    """The time as it is read back."""
    return datetime.fromisoformat(text).isoformat()


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
        begun = study["title"] in titles and not _unfinished(storage, study["title"])
        if study["uuid"] in uuids or begun:
            raise StorageError(
                f"{snapshot.name}: the database holds this study already; name another database, "
                "or delete the study there first"
            )


def _unfinished(storage: RDBStorage, title: str) -> bool:
    study_id = storage.get_study_id_from_name(title)
    return UNFINISHED in storage.get_study_user_attrs(study_id)


def restore_all(storage: RDBStorage, snapshots: Sequence[Snapshot]) -> None:
    """Write studies into a database: all of them, or none where one cannot be written.

    Raises:
        StorageError: The database holds one of them, or as :func:`restore`.
        DataError: As :func:`restore`.
    """
    check_absent(storage, snapshots)
    done = []
    try:
        for snapshot in snapshots:
            restore(storage, snapshot)
            done.append(snapshot)
    except Exception:
        for snapshot in done:
            _take_out(storage, snapshot)
        raise


def restore(storage: RDBStorage, snapshot: Snapshot) -> None:
    """Write a study into a database and compare what is read from there.

    What a killed import has left of the same study is taken out first. The study belongs to us
    only once its last row is written; until then no command but this one looks at it.

    Raises:
        StorageError: Another process began the study meanwhile, or the database does not give
            back what was written into it.
        DataError: Optuna refuses a trial.
    """
    import optuna

    study = snapshot.study
    title = study["title"]
    if any(title == there.study_name for there in storage.get_all_studies()):
        optuna.delete_study(study_name=title, storage=storage)
    made = optuna.create_study(
        storage=storage,
        study_name=title,
        directions=[direction.lower() for direction in study["directions"]],
    )
    made.set_user_attr(UNFINISHED, True)
    study_id = storage.get_study_id_from_name(title)
    for name, value in study["system_attributes"].items():
        storage.set_study_system_attr(study_id, name, value)
    for name, value in study["user_attributes"].items():
        made.set_user_attr(name, value)
    try:
        for trial in snapshot.tables["trials"]:
            made.add_trial(_frozen(trial))
    except (ValueError, TypeError, KeyError) as error:
        optuna.delete_study(study_name=title, storage=storage)
        raise DataError(f"{snapshot.name}: a trial that Optuna refuses: {error}") from error
    try:
        with storage.engine.begin() as connection:
            _write(connection, snapshot)
            _bind(connection, study_id, study["uuid"])
    except IntegrityError as error:
        if tables.STUDY_ATTRIBUTE not in storage.get_study_user_attrs(study_id):
            optuna.delete_study(study_name=title, storage=storage)
        raise StorageError(
            f"{snapshot.name}: rows contradict each other, or another process began this study "
            "meanwhile; nothing of it was imported"
        ) from error
    _compare(storage, study_id, snapshot)


def _frozen(trial: Record) -> FrozenTrial:
    from optuna.distributions import json_to_distribution
    from optuna.trial import TrialState, create_trial

    made = create_trial(
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
    made.datetime_start = _local(trial["started"])
    made.datetime_complete = _local(trial["completed"])
    return made


def _local(text: str | None) -> datetime | None:
    """Optuna speaks of local time, and tells the hour that autumn repeats by its ``fold``."""
    return None if text is None else datetime.fromisoformat(text).astimezone().replace(tzinfo=None)


def _write(connection: Connection, snapshot: Snapshot) -> None:
    """Write our rows, runs in their old order."""
    own = snapshot.study["uuid"]
    rows = snapshot.tables
    columns = [column.name for column in tables.studies.columns]
    _insert(connection, tables.studies, [{name: snapshot.study[name] for name in columns}])
    _insert(
        connection, tables.manifests, [{"study_uuid": own, **row} for row in rows["manifests"]]
    )
    _insert(
        connection,
        tables.parts,
        [
            {
                "study_uuid": own,
                **{name: part[name] for name in ("repeat", "fold", "part")},
                "rows": pack(part["row"]),
                "labels": pack(part["class"]),
            }
            for part in rows["parts"]
        ],
    )
    ids: dict[int, int] = {}
    for run in rows["runs"]:
        kept = {name: run[name] for name in TABLES["runs"] if name not in ("run", "trial")}
        done = connection.execute(insert(tables.runs).values(study_uuid=own, **kept))
        ids[run["run"]] = (done.inserted_primary_key or (0,))[0]
    curves = {_place(curve): curve for curve in rows["curves"]}
    _insert(connection, tables.folds, [_fold(fold, curves, ids) for fold in rows["folds"]])
    _insert(connection, tables.scores, [_hung(score, ids) for score in rows["scores"]])
    shares = [
        _hung(row, ids) | {"probabilities": pack(row["probability"])}
        for row in rows["probabilities"]
    ]
    for row in shares:
        del row["probability"]
    _insert(connection, tables.probabilities, shares)


def _place(row: Record) -> tuple[int, int, int]:
    return row["run"], row["repeat"], row["fold"]


def _fold(fold: Record, curves: dict[tuple[int, int, int], Record], ids: dict[int, int]) -> Record:
    curve = curves.get(_place(fold))
    stacked = np.zeros((3, 0), np.float32)
    if curve is not None:
        stacked = np.stack([curve["loss"], curve["monitor"], curve["rate"]])
    return _hung(fold, ids) | {"curves": pack(stacked)}


def _hung(row: Record, ids: dict[int, int]) -> Record:
    """The row under its run's new id."""
    rest = {name: value for name, value in row.items() if name != "run"}
    return {"run_id": ids[row["run"]], **rest}


def _insert(connection: Connection, table: Any, rows: list[Record]) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        connection.execute(insert(table), rows[start : start + _AT_ONCE])


def _bind(connection: Connection, study_id: int, own: str) -> None:
    """Make the study ours, in the transaction that writes its rows."""
    attributes = study_progress.study_attributes
    connection.execute(
        delete(attributes).where(attributes.c.study_id == study_id, attributes.c.key == UNFINISHED)
    )
    connection.execute(
        insert(attributes).values(
            study_id=study_id, key=tables.STUDY_ATTRIBUTE, value_json=json.dumps(own)
        )
    )


def _compare(storage: RDBStorage, study_id: int, snapshot: Snapshot) -> None:
    with storage.engine.connect() as connection:
        row = connection.execute(
            select(tables.studies).where(tables.studies.c.uuid == snapshot.study["uuid"])
        ).one()
    with suppress(StorageError):
        if read_study(storage, study_id, row).digest() == snapshot.digest():
            return
    _take_out(storage, snapshot)
    raise StorageError(
        f"{snapshot.name}: the database does not give back what was written; nothing is kept of it"
    )


def _take_out(storage: RDBStorage, snapshot: Snapshot) -> None:
    import optuna

    optuna.delete_study(study_name=snapshot.study["title"], storage=storage)
    forget(storage.engine, snapshot.study["uuid"])


def forget(engine: Engine, own: str) -> None:
    """Take out every row of ours that hangs on a study."""
    with engine.begin() as connection:
        ids = select(tables.runs.c.id).where(tables.runs.c.study_uuid == own)
        for table in (tables.probabilities, tables.scores, tables.folds):
            connection.execute(delete(table).where(table.c.run_id.in_(ids)))
        for table in (tables.runs, tables.parts, tables.manifests, tables.claims):
            connection.execute(delete(table).where(table.c.study_uuid == own))
        connection.execute(delete(tables.studies).where(tables.studies.c.uuid == own))
