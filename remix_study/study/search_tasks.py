"""The tasks of one problem's search: references beside it, and searches within outer folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np

from remix_study.data.folds import make_outer_folds
from remix_study.errors import DataError
from remix_study.study.checks import check_batch_size
from remix_study.study.constraints import parse_constraint
from remix_study.study.initial_trials import (
    REFERENCES,
    initial_configurations,
    outer_choices,
    reference_space,
)
from remix_study.study.task import Task
from remix_study.study.task_preparation import study_folds
from remix_study.studyfile.schema import Search


def search_tasks(task: Task) -> list[Task]:
    """A problem's tasks in the order in which they run; a grid has one.

    Raises:
        DataError: A class has too few rows for the folds within an outer fold.
        StudyFileError: Batches that the training rows within an outer fold do not fill.
    """
    search = task.study.search
    if search.algorithm == "grid":
        return [task]
    try:
        tasks = [*_reference_tasks(task), task]
        if search.outer is not None:
            outer = _outer_task(task, search.outer)
            is_relative = any(parse_constraint(text).relative for text in search.constraints)
            for inner in _inner_tasks(task, outer):
                tasks += [*(_reference_tasks(inner) if is_relative else ()), inner]
            tasks.append(outer)
    except DataError as error:
        raise DataError(f"{task.study.source}: {error}") from error
    return tasks


def _reference_tasks(task: Task) -> Iterator[Task]:
    """A grid of the references that the search space lacks, on the same folds."""
    contained = initial_configurations(task.study, task.spec.training)
    missing = tuple(name for name in REFERENCES if name not in contained)
    if missing:
        search = Search(space=reference_space(missing))
        study = msgspec.structs.replace(task.study, search=search)
        parent = task.parent or task.problem.name
        yield replace(task, study=study, role="references", parent=parent)


def _outer_task(task: Task, n_folds: int) -> Task:
    """The choices of the inner searches, trained on all rows these had and scored on the rest."""
    study, parent = task.study, task.problem.name
    problem = replace(task.problem, name=f"{parent}/outer")
    folds = make_outer_folds(
        problem,
        folds=n_folds,
        repeats=study.cv.repeats,
        validation=study.cv.validation,
        grouped=study.cv.grouped,
        seed=study.seed,
    )
    n_trials = n_folds * len(outer_choices(study, task.spec.training))
    search = msgspec.structs.replace(study.search, trials=n_trials)
    study = msgspec.structs.replace(study, search=search)
    outer = replace(task.fresh(), study=study, problem=problem, folds=folds)
    return replace(outer, role="outer", parent=parent)


def _inner_tasks(task: Task, outer: Task) -> Iterator[Task]:
    """The whole search again on the training and validation rows of each outer fold."""
    study, parent = task.study, task.problem.name
    for fold in outer.folds:
        if fold.repeat > 0:
            continue
        rows = np.sort(np.concatenate([fold.train, fold.validation]))
        problem = replace(
            task.problem,
            name=f"{parent}/outer {fold.fold + 1}",
            rows=task.problem.rows[rows],
            y=task.problem.y[rows],
        )
        folds = study_folds(study, problem)
        fewest = min(len(inner.train) for inner in folds)
        check_batch_size(study.search.space, task.spec.training.batch_size, fewest, problem.name)
        yield replace(task.fresh(), problem=problem, folds=folds, role="inner", parent=parent)
