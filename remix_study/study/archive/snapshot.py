"""Reading studies out of a database, without writing to it or keeping anybody from doing so."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select
from sqlalchemy.engine import URL, make_url

from remix_study.errors import StorageError, UsageError, did_you_mean
from remix_study.study import study_progress, tables
from remix_study.study.archive.layout import TABLES, Record, Snapshot, real
from remix_study.study.storage import database_errors, open_reader

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

# SQLite takes some thousand values in one statement.
_AT_ONCE = 500


def open_source(url: str) -> RDBStorage:
    """Open a database for reading through Optuna: no table is made, nothing is locked.

    Raises:
        StorageError: It is not there, cannot be read, or holds no study of this project.
    """
    from optuna.storages import RDBStorage

    open_reader(url).dispose()
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        place = Path(parsed.database or "").resolve().as_uri()
        parsed = URL.create(parsed.drivername, database=place, query={"mode": "ro", "uri": "true"})
    text = parsed.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    with database_errors(url):
        return RDBStorage(text, skip_table_creation=True)


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
        entries = study_progress.own_studies(connection)
    if not entries:
        raise StorageError("the database holds no study yet; run one first")
    there = sorted({row.study for _, row in entries})
    for name in names:
        if name not in there:
            raise UsageError(f'the database holds no study "{name}"{did_you_mean(name, there)}')
    for study_id, row in entries:
        if not names or row.study in names:
            yield read_study(storage, study_id, row)


def read_study(storage: RDBStorage, study_id: int, row: Any) -> Snapshot:
    """Read one problem's study.

    Args:
        storage: Where to read.
        study_id: Optuna's id.
        row: Its row in our table of studies.

    Raises:
        StorageError: Rows are damaged.
    """
    import optuna

    title = storage.get_study_name_from_id(study_id)
    study = optuna.load_study(study_name=title, storage=storage)
    # Optuna's trials first: our rows of a COMPLETE one are there already.
    trials = [_trial(trial) for trial in study.get_trials(deepcopy=False)]
    head = _study(storage, study, study_id, row)
    try:
        return _with_rows(storage, row, head, trials)
    except (zlib.error, ValueError, TypeError) as error:
        raise StorageError(
            f"{row.name}: rows that cannot be read ({error}); the database is damaged"
        ) from error


def _with_rows(storage: RDBStorage, row: Any, head: Record, trials: list[Record]) -> Snapshot:
    with storage.engine.connect() as connection:
        runs, ids = _runs(connection, trials)
        found = {
            "studies": [head],
            "manifests": _manifests(connection, row.uuid),
            "trials": trials,
            "parts": _parts(connection, row.uuid),
            "runs": runs,
            "folds": [],
            "curves": [],
            "scores": _of_runs(connection, tables.scores, ids),
            "probabilities": [],
        }
        for fold in _of_runs(connection, tables.folds, ids):
            loss, monitor, rate = _unpack(fold.pop("curves"), np.float32).reshape(3, -1)
            found["folds"].append(fold)
            place = {name: fold[name] for name in ("run", "repeat", "fold")}
            if len(loss):
                found["curves"].append(place | {"loss": loss, "monitor": monitor, "rate": rate})
        n_classes = len(row.facts["classes"])
        for one in _of_runs(connection, tables.probabilities, ids):
            shares = _unpack(one.pop("probabilities"), np.float32).reshape(-1, n_classes)
            found["probabilities"].append(one | {"probability": shares})
    return Snapshot(found)


def _study(storage: RDBStorage, study: Study, study_id: int, row: Any) -> Record:
    return {
        **{name: getattr(row, name) for name in TABLES["studies"] if hasattr(row, name)},
        "title": study.study_name,
        "directions": [direction.name for direction in study.directions],
        # The binding to our rows is made anew.
        "user_attributes": {
            name: value
            for name, value in study.user_attrs.items()
            if name != tables.STUDY_ATTRIBUTE
        },
        "system_attributes": storage.get_study_system_attrs(study_id),
    }


def _trial(trial: FrozenTrial) -> Record:
    from optuna.distributions import distribution_to_json

    return {
        "number": trial.number,
        "state": trial.state.name,
        "started": _utc(trial.datetime_start),
        "completed": _utc(trial.datetime_complete),
        "values": trial.values,
        "parameters": dict(trial.params),
        "distributions": {
            name: distribution_to_json(kind) for name, kind in trial.distributions.items()
        },
        "user_attributes": dict(trial.user_attrs),
        "system_attributes": dict(trial.system_attrs),
        "intermediate": {str(step): value for step, value in trial.intermediate_values.items()},
    }


def _utc(moment: datetime | None) -> str | None:
    """Optuna speaks of local time."""
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _manifests(connection: Connection, study_uuid: str) -> list[Record]:
    mine = tables.manifests.c
    found = connection.execute(
        select(mine.manifest).where(mine.study_uuid == study_uuid).order_by(mine.id)
    )
    return [{"manifest": manifest} for manifest in found.scalars()]


def _parts(connection: Connection, study_uuid: str) -> list[Record]:
    mine = tables.parts.c
    found = connection.execute(select(tables.parts).where(mine.study_uuid == study_uuid)).all()
    return [
        {
            "repeat": part.repeat,
            "fold": part.fold,
            "part": part.part,
            "row": _unpack(part.rows, np.int32),
            "class": _unpack(part.labels, np.int32),
        }
        for part in sorted(found, key=lambda part: (part.repeat, part.fold, part.part))
    ]


def _runs(connection: Connection, trials: list[Record]) -> tuple[list[Record], dict[int, int]]:
    """The runs of trials with scores in the order of their ids, and id -> number in that order."""
    trial_of = {
        trial["user_attributes"].get(tables.RUN_ATTRIBUTE): trial["number"]
        for trial in trials
        if trial["state"] in ("COMPLETE", "PRUNED")
    }
    uuids = [uuid for uuid in trial_of if uuid is not None]
    found: list[Any] = []
    for start in range(0, len(uuids), _AT_ONCE):
        part = uuids[start : start + _AT_ONCE]
        found += connection.execute(select(tables.runs).where(tables.runs.c.uuid.in_(part))).all()
    found.sort(key=lambda run: run.id)
    own = [name for name in TABLES["runs"] if name not in ("run", "trial")]
    records = [
        {"run": number, "trial": trial_of[run.uuid]}
        | {name: getattr(run, name) for name in own}
        | {"alpha": real(run.alpha)}
        for number, run in enumerate(found)
    ]
    return records, {run.id: number for number, run in enumerate(found)}


def _of_runs(connection: Connection, source: Any, ids: dict[int, int]) -> list[Record]:
    """Rows of some runs in the order of their primary key, which every database sorts alike."""
    found: list[Any] = []
    wanted = list(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        found += connection.execute(select(source).where(source.c.run_id.in_(part))).all()
    keys = [column.name for column in source.primary_key]
    found.sort(key=lambda row: tuple(getattr(row, key) for key in keys))
    records = []
    for row in found:
        record = dict(row._mapping)
        records.append({"run": ids[record.pop("run_id")]} | record)
    return records


def _unpack(blob: bytes, kind: type[Any]) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(blob), kind)
