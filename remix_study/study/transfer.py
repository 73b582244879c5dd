"""Bringing studies from one database into another: all of a study or nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import IntegrityError

from remix_study.errors import DataError, StorageError
from remix_study.study import optuna_tables, tables
from remix_study.study.record import delete_study_rows
from remix_study.study.registration import bind_study
from remix_study.study.study_selection import Registered
from remix_study.study.transfer_rows import Digest, read_rows, rows_digest, write_rows
from remix_study.study.transfer_source import OptunaStudy, Source, read_optuna_study
from remix_study.study.trial_status import FAILED

# Attribute of an Optuna study until all of it is written.
UNFINISHED = "remix_import"
# A trial that ends gets these first; one that was brought while it ran must not seem to have.
_ATTRIBUTES_OF_ENDED = (tables.RUN_ATTRIBUTE, tables.SLOT_ATTRIBUTE)


def transfer_studies(source: Source, target: RDBStorage, selected: Sequence[Registered]) -> None:
    """Write studies into another database: all of them, or none where one cannot be written.

    Trials that run in the source, or wait, are FAIL in the target: no worker there continues them.

    Args:
        source: Where they are read; nothing is written there.
        target: Where they are written.
        selected: As :meth:`Source.select` returns them.

    Raises:
        StorageError: The target holds one of them, a row is damaged, another process began one
            meanwhile, or the target does not give back what was written.
        DataError: Optuna refuses a trial.
    """
    _check_absent(source, target, selected)
    written: list[OptunaStudy] = []
    try:
        for registered in selected:
            study = _close_open_trials(source.optuna_study(registered))
            _transfer_study(source, target, study)
            written.append(study)
    except Exception:
        for study in written:
            _delete_study(target, study)
        raise


def _check_absent(source: Source, target: RDBStorage, selected: Sequence[Registered]) -> None:
    """Refuse studies that the target holds already, before anything is written."""
    target_ids = {study.study_name: study._study_id for study in target.get_all_studies()}
    with target.engine.connect() as connection:
        uuids = set(connection.execute(select(tables.studies.c.uuid)).scalars())
    for study_id, row in selected:
        target_id = target_ids.get(source.storage.get_study_name_from_id(study_id))
        is_taken = target_id is not None and not _is_unfinished(target, target_id)
        if row.uuid in uuids or is_taken:
            raise StorageError(
                f"{row.name}: the database holds this study already; name another database, or "
                "delete the study there first"
            )


def _is_unfinished(target: RDBStorage, study_id: int) -> bool:
    return UNFINISHED in target.get_study_user_attrs(study_id)


def _close_open_trials(study: OptunaStudy) -> OptunaStudy:
    """Mark trials that were running or waiting as FAIL."""
    for trial in study.trials:
        if trial.state.is_finished():
            continue
        if trial.datetime_start is None:
            # Optuna's times are local and have no zone.
            moment = datetime.fromisoformat(study.created).astimezone()
            trial.datetime_start = moment.replace(tzinfo=None)
        trial.datetime_complete = trial.datetime_start
        trial.state = TrialState.FAIL
        trial.values = None
        for name in _ATTRIBUTES_OF_ENDED:
            trial.user_attrs.pop(name, None)
        trial.user_attrs[FAILED] = "was not finished when the study was imported"
    return study


def _transfer_study(source: Source, target: RDBStorage, study: OptunaStudy) -> None:
    """Write a study, and check that the target gives back what was written.

    What a killed import has left of the same study is deleted first. The study is bound to the
    project's tables with its last row; until then no command but this one looks at it.
    """
    study_id = _write_optuna_study(target, study)
    digest = Digest()
    try:
        with target.engine.begin() as connection:
            write_rows(connection, digest.passing(source.rows(study)))
            _mark_finished(connection, study_id)
            bind_study(connection, study_id, study.uuid)
    except IntegrityError as error:
        if tables.STUDY_ATTRIBUTE not in target.get_study_user_attrs(study_id):
            target.delete_study(study_id)
        raise StorageError(
            f"{study.name}: rows contradict each other, or another process began this study "
            "meanwhile; nothing of it was imported"
        ) from error
    except StorageError:
        # A damaged row of the source.
        target.delete_study(study_id)
        raise
    if not _is_equal(target, study_id, study, digest.hexdigest()):
        _delete_study(target, study)
        raise StorageError(
            f"{study.name}: the database does not give back what was written; nothing is kept of "
            "it"
        )


def _write_optuna_study(target: RDBStorage, study: OptunaStudy) -> int:
    """Write Optuna's part of a study and mark it as unfinished; return Optuna's id."""
    if any(study.title == existing.study_name for existing in target.get_all_studies()):
        optuna.delete_study(study_name=study.title, storage=target)
    created = optuna.create_study(
        storage=target, study_name=study.title, directions=study.directions
    )
    created.set_user_attr(UNFINISHED, True)
    study_id = target.get_study_id_from_name(study.title)
    for name, value in study.system_attributes.items():
        target.set_study_system_attr(study_id, name, value)
    for name, value in study.user_attributes.items():
        created.set_user_attr(name, value)
    try:
        created.add_trials(study.trials)
    except (ValueError, TypeError, KeyError) as error:
        target.delete_study(study_id)
        raise DataError(f"{study.name}: a trial that Optuna refuses: {error}") from error
    return study_id


def _mark_finished(connection: Connection, study_id: int) -> None:
    columns = optuna_tables.study_attributes.c
    connection.execute(
        delete(optuna_tables.study_attributes).where(
            columns.study_id == study_id, columns.key == UNFINISHED
        )
    )


def _is_equal(target: RDBStorage, study_id: int, study: OptunaStudy, digest: str) -> bool:
    """Whether the target holds the same study, and rows with this digest."""
    with target.engine.connect() as connection:
        query = select(tables.studies).where(tables.studies.c.uuid == study.uuid)
        row = connection.execute(query).one()
    # Every connection to SQLite locks it, so this one is closed first.
    restored = read_optuna_study(target, study_id, row)
    if restored.content() != study.content():
        return False
    with target.engine.connect() as connection, suppress(ValueError, TypeError):
        return rows_digest(read_rows(connection, study.uuid, restored.run_uuids)) == digest
    return False


def _delete_study(target: RDBStorage, study: OptunaStudy) -> None:
    optuna.delete_study(study_name=study.title, storage=target)
    delete_study_rows(target.engine, study.uuid)
