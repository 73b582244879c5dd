"""A problem's Optuna study and its row in our tables: begun once, never changed in mid-study."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from remix_study.errors import StudyFileError
from remix_study.metrics import METRICS
from remix_study.study import study_progress, tables
from remix_study.study.fingerprint import changes, definition, facts, plan
from remix_study.study.optuna_parameters import all_choices
from remix_study.study.record import record_parts
from remix_study.study.task import Task

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.study import Study as OptunaStudy

# Longer texts stretch the dashboard's pages.
LONGEST_ATTRIBUTE = 190

_ROLES = {
    "references": "baseline and the paper's ReMix, which its space lacks",
    "inner": "the search again, without one outer fold",
    "outer": "what each of these searches chose, trained on all it had",
}


@dataclass(frozen=True, eq=False)
class Entry:
    """A problem's study in the database.

    Attributes:
        uuid: What the project's rows hang on.
        optuna: The Optuna study.
        choices: Names that ``strategy`` and its parts offer since the study began.
    """

    uuid: str
    optuna: OptunaStudy
    choices: Mapping[str, tuple[str, ...]]


def enter(storage: RDBStorage, task: Task) -> Entry:
    """Open a problem's study, or begin it; several processes may do so at once.

    A study without any trial is begun anew where its file has changed.

    Raises:
        StudyFileError: The database holds a study of this name that began with other settings or
            data (the message shows what differs), or one that another program made.
    """
    import optuna

    directions = [METRICS[name].direction for name in task.study.objectives]
    study = optuna.create_study(
        storage=storage, study_name=task.name, directions=directions, load_if_exists=True
    )
    # Trials are looked for first: whoever makes one has set the attribute before.
    begun = bool(study.get_trials(deepcopy=False))
    own = study.user_attrs.get(tables.STUDY_ATTRIBUTE)
    if own is None:
        if begun or [d.name.lower() for d in study.directions] != directions:
            raise _foreign(task)
        own = _begin(storage, task, study)
    row = _row(storage, own)
    if row is None:
        raise _foreign(task)
    changed = changes(task, row.definition, row.planned, row.trials)
    if changed and study.get_trials(deepcopy=False):
        raise StudyFileError(
            f"{task.study.source}: {task.name} began with other settings "
            f"({'; '.join(changed)}); undo the change, or give the study another name"
        )
    if changed:
        optuna.delete_study(study_name=task.name, storage=storage)
        _forget(storage, own)
        return enter(storage, task)
    with storage.engine.begin() as connection:
        mine = tables.studies.c.uuid == own
        connection.execute(update(tables.studies).where(mine).values(**plan(task)))
    choices = {name: tuple(values) for name, values in row.facts["choices"].items()}
    return Entry(own, study, choices)


def _foreign(task: Task) -> StudyFileError:
    return StudyFileError(
        f"{task.study.source}: study.name: the database holds an Optuna study "
        f'"{task.name}" that another program made; choose another name'
    )


def _begin(storage: RDBStorage, task: Task, study: OptunaStudy) -> str:
    """Describe the study, then bind it to rows of ours, in one transaction.

    Whoever comes second, or goes on where a killed process had stopped, may repeat it all: the
    database takes the binding attribute once.
    """
    import optuna

    with warnings.catch_warnings():
        # Experimental since Optuna 3.2, and what makes the dashboard speak of metrics.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([METRICS[name].short for name in task.study.objectives])
    for name, text in _attributes(task).items():
        study.set_user_attr(name, text[:LONGEST_ATTRIBUTE])
    own = str(uuid.uuid4())
    row = {
        "uuid": own,
        "name": task.name,
        "study": task.study.name,
        "problem": task.problem.name,
        "created": tables.utc_now(),
        "definition": definition(task),
        "facts": facts(task) | {"choices": all_choices()},
        **plan(task),
    }
    binding = {
        "study_id": storage.get_study_id_from_name(task.name),
        "key": tables.STUDY_ATTRIBUTE,
        "value_json": json.dumps(own),
    }
    try:
        with storage.engine.begin() as connection:
            connection.execute(insert(tables.studies).values(row))
            record_parts(connection, own, task)
            # Through Optuna it would be a transaction of its own, and overwrite another's.
            connection.execute(insert(study_progress.study_attributes).values(binding))
    except IntegrityError:
        return str(study.user_attrs[tables.STUDY_ATTRIBUTE])
    return own


def _attributes(task: Task) -> dict[str, str]:
    """What a person reads of a study in the dashboard."""
    counts = zip(task.problem.classes, task.problem.counts.tolist(), strict=True)
    found = {
        "rows of each class": ", ".join(f"{name}: {count}" for name, count in counts),
        "values are": "means over folds of validation scores",
    }
    if task.role:
        found["part of"] = f"{task.study.name}/{task.parent}: {_ROLES[task.role]}"
    for position, note in enumerate(task.problem.notes, start=1):
        found[f"note {position}"] = note
    return found


def _row(storage: RDBStorage, own: str) -> Row[Any] | None:
    with storage.engine.connect() as connection:
        return connection.execute(
            select(tables.studies).where(tables.studies.c.uuid == own)
        ).one_or_none()


def _forget(storage: RDBStorage, own: str) -> None:
    """Take out what hangs on a study that has no runs."""
    with storage.engine.begin() as connection:
        for table in (tables.parts, tables.manifests, tables.claims):
            connection.execute(delete(table).where(table.c.study_uuid == own))
        connection.execute(delete(tables.studies).where(tables.studies.c.uuid == own))
