"""Registering a task: an Optuna study, bound to a row in the project's tables."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from remix_study.errors import StorageError, StudyFileError
from remix_study.metrics import METRICS
from remix_study.study import optuna_tables, tables
from remix_study.study.fingerprint import (
    definition,
    grown_repeats,
    problem_facts,
    resolved_settings,
    study_changes,
)
from remix_study.study.optuna_tables import first_repeats
from remix_study.study.planned_work import check_lengths, planned_work
from remix_study.study.record import delete_study_rows, record_parts
from remix_study.study.search_parameters import all_choices
from remix_study.study.task import Task
from remix_study.version import ENGINE_VERSION

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.study import Study as OptunaStudy

_ROLES = {
    "references": "the baseline and the paper's ReMix where its space lacks them, and estimators",
    "search": "the search that follows its grid",
    "inner": "the search again, without one outer fold",
    "outer": "what each of these searches chose, trained on all it had",
    "rare-rows": "its best methods again, with fewer rare rows to train on",
}


@dataclass(frozen=True, eq=False)
class RegisteredStudy:
    """A task's study in the database.

    Attributes:
        uuid: Identity of the study in the project's tables.
        optuna: The Optuna study.
        choices: Names that ``strategy`` and its parts offer since the study began.
        first_repeats: Repeats that it began with.
    """

    uuid: str
    optuna: OptunaStudy
    choices: Mapping[str, tuple[str, ...]]
    first_repeats: int


def register_study(storage: RDBStorage, task: Task) -> RegisteredStudy:
    """Open a task's study, or begin it, and add what its file adds; errors are those of both."""
    registered = open_study(storage, task)
    add_work(storage, task, registered)
    return registered


def add_work(storage: RDBStorage, task: Task, registered: RegisteredStudy) -> None:
    """Note what a study file adds to an open study, and what its report is to go by."""
    is_it = tables.studies.c.uuid == registered.uuid
    try:
        with storage.engine.begin() as connection:
            row = connection.execute(select(tables.studies).where(is_it)).one()
            grown = grown_repeats(task, row)
            values = planned_work(task) | grown
            facts = values.get("facts", row.facts)
            if facts.get("report", {}) != (report := report_keys(task)):
                values["facts"] = facts | {"report": report}
            connection.execute(update(tables.studies).where(is_it).values(**values))
            if grown:
                record_parts(connection, registered.uuid, task, row.facts["repeats"])
    except IntegrityError:
        # Another process has added repeats at the same time.
        register_study(storage, task)


def open_study(storage: RDBStorage, task: Task) -> RegisteredStudy:
    """Open a task's study, or begin it; several processes may do so at once.

    A study without any trial is begun anew where its file has changed.

    Raises:
        StudyFileError: The database holds a study of this name that began with other settings or
            data (the message shows what differs), or one that another program made.
        StorageError: The study has trials of another version of the engine.
    """
    if storage.engine.dialect.name != "sqlite":
        check_lengths(task)
    directions = [METRICS[name].direction for name in task.study.objectives]
    study = optuna.create_study(
        storage=storage,
        study_name=_name_in(storage, task),
        directions=directions,
        load_if_exists=True,
    )
    # Trials are looked for first: whoever makes one has set the attribute before.
    has_trials = optuna_tables.count_trials(storage.engine, study._study_id) > 0
    study_uuid = study.user_attrs.get(tables.STUDY_ATTRIBUTE)
    if study_uuid is None:
        if has_trials or [d.name.lower() for d in study.directions] != directions:
            raise _foreign_study(task)
        study_uuid = _begin(storage, task, study)
    with storage.engine.connect() as connection:
        is_it = tables.studies.c.uuid == study_uuid
        row = connection.execute(select(tables.studies).where(is_it)).one_or_none()
    if row is None:
        raise _foreign_study(task)
    changes = study_changes(task, row.settings, row.planned, row.trials)
    if changes and optuna_tables.count_trials(storage.engine, study._study_id):
        raise _refusal(task, row.settings["engine_version"], changes)
    if changes:
        optuna.delete_study(study_name=study.study_name, storage=storage)
        delete_study_rows(storage.engine, study_uuid)
        return open_study(storage, task)
    stored = {name: tuple(values) for name, values in row.facts["choices"].items()}
    # A study that began before there were estimators may add those that are built in.
    choices = all_choices() | stored
    return RegisteredStudy(study_uuid, study, choices, first_repeats(row.facts))


def report_keys(task: Task) -> dict[str, Any]:
    """Keys that a study file uses for its report alone: they change no training."""
    decision, rope = task.study.decision, task.study.report.rope
    keys = {"costs": decision.costs, "floor": decision.floor, "rope": rope}
    return {key: value for key, value in keys.items() if value}


def _name_in(storage: RDBStorage, task: Task) -> str:
    """Name of a task's study: the whole one where SQLite holds it from before names were cut."""
    is_cut = task.name != task.whole_name
    is_there = is_cut and task.whole_name in optuna.get_all_study_names(storage)
    return task.whole_name if is_there else task.name


def _refusal(task: Task, engine_version: int, changes: list[str]) -> Exception:
    """Why a study with trials does not continue."""
    if engine_version != ENGINE_VERSION:
        return StorageError(
            f"{task.name}: its trials are of engine version {engine_version}, and this "
            f"remix_study trains with version {ENGINE_VERSION}, whose numbers differ; report, "
            "export and dashboard read them as they are, to train more give the study another name"
        )
    return StudyFileError(
        f"{task.study.source}: {task.name} began with other settings ({'; '.join(changes)}); "
        "write the earlier values into the file, or give the study another name"
    )


def _foreign_study(task: Task) -> StudyFileError:
    return StudyFileError(
        f"{task.study.source}: study.name: the database holds an Optuna study "
        f'"{task.name}" that another program made; choose another name'
    )


def _begin(storage: RDBStorage, task: Task, study: OptunaStudy) -> str:
    """Describe the study, then bind it to rows of the project's tables, in one transaction.

    A second process, or one that continues after a killed one, may repeat it all: the database
    accepts the binding attribute once.

    Returns:
        The UUID of the study.
    """
    with warnings.catch_warnings():
        # Experimental since Optuna 3.2; the dashboard then shows the metrics' names.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([METRICS[name].short for name in task.study.objectives])
    for name, text in _study_attributes(task).items():
        study.set_user_attr(name, text[: tables.MAX_ATTRIBUTE_LENGTH])
    study_uuid = str(uuid.uuid4())
    row = {
        "uuid": study_uuid,
        "name": task.name,
        "study": task.study.name,
        "problem": tables.short_name(task.problem.name),
        "created": tables.utc_now(),
        "definition": definition(task),
        "settings": resolved_settings(task),
        "facts": problem_facts(task) | {"choices": all_choices(task.study.estimators)},
        **planned_work(task),
    }
    try:
        with storage.engine.begin() as connection:
            connection.execute(insert(tables.studies).values(row))
            record_parts(connection, study_uuid, task)
            bind_study(connection, study._study_id, study_uuid)
    except IntegrityError:
        return str(study.user_attrs[tables.STUDY_ATTRIBUTE])
    return study_uuid


def bind_study(connection: Connection, study_id: int, study_uuid: str) -> None:
    """Bind an Optuna study to its rows in the project's tables, in the caller's transaction.

    Through Optuna it would be a transaction of its own, and replace another process's binding.

    Raises:
        IntegrityError: The study is bound already.
    """
    connection.execute(
        insert(optuna_tables.study_attributes).values(
            study_id=study_id, key=tables.STUDY_ATTRIBUTE, value_json=json.dumps(study_uuid)
        )
    )


def _study_attributes(task: Task) -> dict[str, str]:
    """User attributes of a study that the dashboard shows."""
    counts = zip(task.problem.classes, task.problem.counts.tolist(), strict=True)
    attributes = {
        "rows of each class": ", ".join(f"{name}: {count}" for name, count in counts),
        "values are": "means over folds of validation scores",
    }
    if task.role:
        attributes["part of"] = f"{task.study.name}/{task.parent}: {_ROLES[task.role]}"
    for position, note in enumerate(task.problem.notes, start=1):
        attributes[f"note {position}"] = note
    return attributes
