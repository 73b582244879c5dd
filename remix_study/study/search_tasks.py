"""What belongs to a search beside itself: its references, and searches within outer folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np

from remix_study.data.folds import make_folds, make_outer_folds
from remix_study.errors import DataError
from remix_study.study.checks import check_batch_size
from remix_study.study.constraints import parse_constraint
from remix_study.study.initial_trials import REFERENCES, first_points, reference_points
from remix_study.study.task import Task
from remix_study.studyfile.schema import Search


def family(task: Task) -> list[Task]:
    """A problem's tasks in the order in which they run; a grid is alone.

    Raises:
        DataError: A class has too few rows for the folds within an outer fold.
        StudyFileError: Batches that the training rows within an outer fold do not fill.
    """
    search = task.study.search
    if search.algorithm == "grid":
        return [task]
    try:
        found = [*_references(task), task]
        if search.outer is not None:
            outer = _outer(task, search.outer)
            relative = any(parse_constraint(text).relative for text in search.constraints)
            for inner in _inner(task, outer):
                found += [*(_references(inner) if relative else ()), inner]
            found.append(outer)
    except DataError as error:
        raise DataError(f"{task.study.source}: {error}") from error
    return found


def _references(task: Task) -> Iterator[Task]:
    """The references that the space lacks: a grid beside the search, on the same folds."""
    there = first_points(task.study, task.spec.training)
    absent = tuple(name for name in REFERENCES if name not in there)
    if absent:
        search = Search(space=reference_points(absent))
        study = msgspec.structs.replace(task.study, search=search)
        parent = task.parent or task.problem.name
        yield replace(task, study=study, role="references", parent=parent)


def _outer(task: Task, folds: int) -> Task:
    """What the inner searches choose is trained on all they had, and scored on the rest."""
    study, parent = task.study, task.problem.name
    problem = replace(task.problem, name=f"{parent}/outer")
    made = make_outer_folds(
        problem,
        folds=folds,
        repeats=study.cv.repeats,
        validation=study.cv.validation,
        grouped=study.cv.grouped,
        seed=study.seed,
    )
    return replace(task.fresh(), problem=problem, folds=made, role="outer", parent=parent)


def _inner(task: Task, outer: Task) -> Iterator[Task]:
    """The whole search again on the training rows of each outer fold, which is all it has."""
    study, parent = task.study, task.problem.name
    for fold in outer.folds:
        if fold.repeat > 0:
            continue
        kept = np.sort(np.concatenate([fold.train, fold.validation]))
        problem = replace(
            task.problem,
            name=f"{parent}/outer {fold.fold + 1}",
            rows=task.problem.rows[kept],
            y=task.problem.y[kept],
        )
        made = make_folds(
            problem,
            folds=study.cv.folds,
            repeats=study.cv.repeats,
            validation=study.cv.validation,
            grouped=study.cv.grouped,
            seed=study.seed,
        )
        fewest = min(len(inner.train) for inner in made)
        check_batch_size(study.search.space, task.spec.training.batch_size, fewest, problem.name)
        yield replace(task.fresh(), problem=problem, folds=made, role="inner", parent=parent)
