"""Bringing studies from one database into another: all of a study or nothing of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import IntegrityError

from remix_study.errors import DataError, StorageError
from remix_study.study import optuna_tables, tables
from remix_study.study.record import delete_study_rows
from remix_study.study.registration import bind_study
from remix_study.study.signals import Signals
from remix_study.study.study_selection import Registered, registered_studies
from remix_study.study.transfer_rows import Digest, read_rows, rows_digest, write_rows
from remix_study.study.transfer_source import OptunaStudy, Source, read_optuna_study
from remix_study.study.trials import FAILED

# Attribute of an Optuna study until all of it is written.
UNFINISHED = "remix_import"
# A trial that ends gets these first; one that was brought while it ran must not seem to have.
_ATTRIBUTES_OF_ENDED = (tables.RUN_ATTRIBUTE, tables.SLOT_ATTRIBUTE)


# Keys of a study's attributes that hold a trial's id: notes and files of optuna-dashboard, and the
# digest of a note of ours.
_KEY_OF_TRIAL = re.compile(r"(dashboard:|dashboard:artifacts:|remix_study:note:)(\d+)(:.*)?")


def transfer_studies(
    source: Source, target: RDBStorage, selected: Sequence[Registered], signals: Signals
) -> None:
    """Write studies into another database: all of them, or none where one cannot be written.

    Trials that run in the source, or wait, are FAIL in the target: no worker there continues them.

    Args:
        source: Where they are read; nothing is written there.
        target: Where they are written.
        selected: As :meth:`Source.select` returns them.
        signals: Looked at between studies; one that comes takes out what has been written.

    Raises:
        StorageError: The target holds one of them, a row is damaged, another process began one
            meanwhile, or the target does not give back what was written.
        DataError: Optuna refuses a trial.
    """
    _check_absent(source, target, selected)
    written: list[OptunaStudy] = []
    try:
        for registered in selected:
            signals.check()
            study = _close_open_trials(source.optuna_study(registered))
            with signals.critical():
                _transfer_study(source, target, study)
                written.append(study)
    except BaseException:
        with signals.critical():
            for study in written:
                _delete_study(target, study)
        raise


def _check_absent(source: Source, target: RDBStorage, selected: Sequence[Registered]) -> None:
    """Refuse studies that the target holds already, before anything is written."""
    target_ids = {study.study_name: study._study_id for study in target.get_all_studies()}
    with target.engine.connect() as connection:
        uuids = set(connection.execute(select(tables.studies.c.uuid)).scalars())
        registered = {row.uuid: row.name for _, row in registered_studies(connection)}
    for study_id, row in selected:
        target_id = target_ids.get(source.storage.get_study_name_from_id(study_id))
        is_taken = target_id is not None and not _is_unfinished(target, target_id)
        if row.uuid in uuids - registered.keys():
            raise StorageError(
                f"{row.name}: the database holds rows of this study, which was deleted in Optuna; "
                "run remix-study repair --prune there first"
            )
        if row.uuid in uuids or row.name in registered.values() or is_taken:
            raise _is_there(row.name)


def _is_there(name: str) -> StorageError:
    return StorageError(
        f"{name}: the database holds this study already; name another database, or delete the "
        "study there first"
    )


def _is_unfinished(target: RDBStorage, study_id: int) -> bool:
    return UNFINISHED in target.get_study_user_attrs(study_id)


def _close_open_trials(study: OptunaStudy) -> OptunaStudy:
    """Mark trials that were running or waiting as FAIL; give each trial a start and an end."""
    # Optuna's times are local and have no zone.
    created = datetime.fromisoformat(study.created).astimezone().replace(tzinfo=None)
    for trial in study.trials:
        # A trial that was closed while it waited has no start.
        trial.datetime_start = trial.datetime_start or trial.datetime_complete or created
        if trial.state.is_finished():
            trial.datetime_complete = trial.datetime_complete or trial.datetime_start
            continue
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
    study_id, study = _write_optuna_study(target, study)
    digest = Digest()
    try:
        with target.engine.begin() as connection:
            write_rows(connection, digest.passing(source.rows(study)))
            _mark_finished(connection, study_id)
            bind_study(connection, study_id, study.uuid)
    except IntegrityError as error:
        _discard(target, study_id)
        raise StorageError(
            f"{study.name}: rows contradict each other, or another process began this study "
            "meanwhile; nothing of it was imported"
        ) from error
    except BaseException:
        _discard(target, study_id)
        raise
    if not _is_equal(target, study_id, study, digest.hexdigest()):
        _delete_study(target, study)
        raise StorageError(
            f"{study.name}: the database does not give back what was written; nothing is kept of "
            "it"
        )


def _discard(target: RDBStorage, study_id: int) -> None:
    """Delete what was written of a study, unless another process has bound it meanwhile."""
    # The connection may be what failed; an unfinished study is deleted by the next import.
    with suppress(Exception):
        if tables.STUDY_ATTRIBUTE not in target.get_study_user_attrs(study_id):
            target.delete_study(study_id)


def _write_optuna_study(target: RDBStorage, study: OptunaStudy) -> tuple[int, OptunaStudy]:
    """Write Optuna's part of a study and mark it as unfinished.

    Returns:
        Optuna's id of the study, and the study with the target's ids of trials in its attributes.

    Raises:
        StorageError: Another process began this study meanwhile.
        DataError: Optuna refuses a trial.
    """
    for existing in target.get_all_studies():
        if study.title == existing.study_name:
            if not _is_unfinished(target, existing._study_id):
                raise _is_there(study.name)
            target.delete_study(existing._study_id)
    try:
        created = optuna.create_study(
            storage=target, study_name=study.title, directions=study.directions
        )
    except optuna.exceptions.DuplicatedStudyError as error:
        raise _is_there(study.name) from error
    study_id = target.get_study_id_from_name(study.title)
    try:
        created.set_user_attr(UNFINISHED, True)
        created.add_trials(study.trials)
        pairs = zip(study.trials, target.get_all_trials(study_id), strict=True)
        trial_ids = {before._trial_id: after._trial_id for before, after in pairs}
        attributes = _with_trial_ids(study.system_attributes, trial_ids)
        for name, value in attributes.items():
            target.set_study_system_attr(study_id, name, value)
        for name, value in study.user_attributes.items():
            created.set_user_attr(name, value)
    except (ValueError, TypeError, KeyError) as error:
        _discard(target, study_id)
        raise DataError(f"{study.name}: a trial that Optuna refuses: {error}") from error
    except BaseException:
        _discard(target, study_id)
        raise
    return study_id, replace(study, system_attributes=attributes)


def _with_trial_ids(attributes: Mapping[str, Any], ids: Mapping[int, int]) -> dict[str, Any]:
    """A study's attributes with the target's ids of trials in their keys."""

    def key(name: str) -> str:
        match = _KEY_OF_TRIAL.fullmatch(name)
        if match is None or int(match[2]) not in ids:
            return name
        return f"{match[1]}{ids[int(match[2])]}{match[3] or ''}"

    return {key(name): value for name, value in attributes.items()}


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
    # Rows first: rows without a study could be deleted by repair alone.
    delete_study_rows(target.engine, study.uuid)
    optuna.delete_study(study_name=study.title, storage=target)
