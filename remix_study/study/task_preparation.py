"""From a study file to tasks: data loaded, made imbalanced, split into folds, checked.

A search has more tasks than its problem: references that its space lacks, trained beside it, and
with outer folds the search again within each of them and a task that scores what those choose. A
grid may have a search that follows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from remix_study.data.dataset import Dataset
from remix_study.data.duplicates import duplicate_notes
from remix_study.data.folds import Fold, make_folds, make_outer_folds
from remix_study.data.given_folds import make_given_folds
from remix_study.data.memory import check_memory, free_bytes
from remix_study.data.problem_data import load_problem_data, make_study_problem
from remix_study.data.problems import Problem
from remix_study.data.rare_rows import SHARES, with_fewer_rare_rows
from remix_study.data.row_weights import check_weighted_parts
from remix_study.errors import DataError, StudyFileError, UsageError, join_names
from remix_study.models.custom import with_hyperparameters
from remix_study.study.balance_checks import check_rare_classes
from remix_study.study.checks import check_batch_size, check_kind, check_study
from remix_study.study.constraints import parse_constraint
from remix_study.study.fold_blocks import MIN_FOLDS
from remix_study.study.kept_probabilities import note_of
from remix_study.study.rare_rows import compared_kinds
from remix_study.study.scoring import costs_of
from remix_study.study.search_parameters import (
    REFERENCES,
    initial_configurations,
    outer_choices,
    reference_space,
)
from remix_study.study.task import Task
from remix_study.studyfile.cross_validation import CrossValidation
from remix_study.studyfile.model_options import BUILT_IN_MODELS
from remix_study.studyfile.schema import ProblemSpec, Search, Study
from remix_study.training.backend import hidden_stderr, load_networks


def prepare_tasks(study: Study, data: Dataset | None = None, *, cores: int = 0) -> list[Task]:
    """Load the data and make the folds of every problem, before anything is trained.

    Args:
        study: The study file.
        data: Data handed over in Python, for problems that name none.
        cores: Cores that training may use on a CPU; 0 for all that the process may use.

    Raises:
        StudyFileError: A problem names no data, or its batches exceed its training rows.
        DataError: Data that cannot be read, or a class with too few rows.
        UsageError: A hypermodel that cannot be searched.
    """
    if study.model.name not in BUILT_IN_MODELS and study.allow_plugins:
        with hidden_stderr():
            load_networks()
        tuned = with_hyperparameters(study)
        if tuned is not study:
            check_study(study := tuned)
    all_tasks: list[Task] = []
    for position, spec in enumerate(study.problems):
        where = f"{study.source}: problems[{position}]"
        try:
            dataset = load_problem_data(study, spec, data)
            check_kind(study, dataset)
            tasks = [
                _make_task(study, spec, dataset, imbalance, cores)
                for imbalance in spec.imbalance or (None,)
            ]
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        except StudyFileError as error:
            raise StudyFileError(f"{where}.{error}") from error
        for task in tasks:
            if any(earlier.name == task.name for earlier in all_tasks):
                raise StudyFileError(f"{where}: {task.problem.name} is there twice; leave one out")
            all_tasks.append(task)
    return all_tasks


def refuse_unused_data(study: Study) -> None:
    """Refuse data from Python for a study that has no use for them.

    Raises:
        UsageError: Every problem names its own data.
    """
    if all(spec.has_data for spec in study.problems):
        raise UsageError(
            f"{study.source}: every problem names its own data; leave X and y out, or take "
            "dataset and file out of a problem"
        )


def search_tasks(task: Task) -> list[Task]:
    """A problem's tasks in the order in which they run; a grid has one, or two with a search.

    Raises:
        DataError: A class has too few rows for the folds within an outer fold.
        StudyFileError: Batches that the training rows within an outer fold do not fill.
    """
    search = task.study.search
    if search.algorithm == "grid":
        following = task.study.following if task.spec.search else None
        tasks = [task]
        if following is not None:
            parent = task.problem.name
            tasks.append(replace(task, study=following, role="search", parent=parent))
        return [*tasks, *_rare_rows_tasks(task)]
    try:
        tasks = [*_reference_tasks(task), task]
        if search.outer is not None:
            outer = _outer_task(task, search.outer)
            is_relative = any(parse_constraint(text).relative for text in search.constraints)
            for inner in _inner_tasks(task, outer):
                tasks += [*(_reference_tasks(inner) if is_relative else ()), inner]
            tasks.append(outer)
    except (DataError, StudyFileError) as error:
        raise type(error)(f"{task.study.source}: {error}") from error
    return tasks


def _make_task(
    study: Study, spec: ProblemSpec, dataset: Dataset, imbalance: float | None, cores: int
) -> Task:
    study = msgspec.structs.replace(study, cv=_cv_of(study, spec, dataset))
    problem = make_study_problem(study, spec, dataset, imbalance)
    check_rare_classes(study, problem)
    image_note = ""
    if dataset.has_images and study.estimators:
        names = join_names(estimator.name for estimator in study.estimators)
        image_note = f"{names}: left out, they are for tables and {dataset.name} has images"
        study = msgspec.structs.replace(study, estimators=())
    # Refuses costs that do not fit the classes.
    costs_of(study, problem)
    folds = _checked_folds(study, spec, problem)
    task = Task(study, spec, problem, folds, cores=cores)
    notes = (*problem.notes, *duplicate_notes(problem, folds), image_note, note_of(task))
    noted = replace(problem, notes=tuple(filter(None, (*notes, study.note))))
    return replace(task, problem=noted)


def _checked_folds(study: Study, spec: ProblemSpec, problem: Problem) -> tuple[Fold, ...]:
    """The folds of a problem, whose training rows fill the study's batches."""
    n_folds = study.cv.folds * study.cv.repeats
    check_memory(
        n_folds * len(problem.y) * np.dtype(np.intp).itemsize,
        f"problem {problem.name}: {n_folds:,} folds of {len(problem.y):,} rows",
        free_bytes(),
        "free memory is",
        "lower cv.repeats or cv.folds",
    )
    make = make_folds if problem.dataset.split is None else make_given_folds
    folds = make(problem, folds=study.cv.folds, seed=study.seed, **_fold_rules(study))
    fewest = min(len(fold.train) for fold in _smallest_parts(study, problem, folds))
    for search in (study.search, *([study.then] if study.then and spec.search else [])):
        check_batch_size(search.space, spec.training.batch_size, fewest, problem.name)
    check_weighted_parts(problem, folds)
    return folds


def _smallest_parts(study: Study, problem: Problem, folds: tuple[Fold, ...]) -> tuple[Fold, ...]:
    """The folds with the fewest training rows that the study trains with."""
    if not study.rare_rows:
        return folds
    return with_fewer_rare_rows(problem, folds, min(SHARES), study.seed)


def _cv_of(study: Study, spec: ProblemSpec, dataset: Dataset) -> CrossValidation:
    """The cross-validation of a problem whose data may say how they are split.

    Raises:
        StudyFileError: Keys that contradict such a split, or have no meaning beside it.
    """
    split, cv, search = dataset.split, study.cv, study.search
    if split is None:
        return cv
    key = {"fold": "fold", "test": "test_file", "time": "time"}[split.kind]
    parts = {"fold": "fold column", "test": "test part of its own", "time": "order in time"}
    start = f"{key}: the data have a {parts[split.kind]}".replace("a order", "an order")
    written = {name: getattr(cv, name) for name in study.cv_keys}
    n_folds = {"fold": len(split.names), "test": 1, "time": cv.folds}[split.kind]
    n_repeats = cv.repeats if split.kind == "test" or "repeats" in written else 1
    if written.get("folds", n_folds) != n_folds:
        raise StudyFileError(
            f"{start}, {n_folds} fold{'s' * (n_folds > 1)}, and cv.folds is {cv.folds}; leave "
            "cv.folds out"
        )
    if split.kind == "fold" and n_repeats != 1:
        raise StudyFileError(
            f"{start}, which is one repeat, and cv.repeats is {cv.repeats}; leave cv.repeats out"
        )
    for name, is_used, reason in (
        ("cv.redraw", cv.redraw, "rows cannot be drawn anew for every repeat"),
        ("search.outer", search.outer, "there are no other folds around the search"),
        ("cv.grouped", cv.grouped and split.kind == "time", "groups would part it"),
        ("imbalance", spec.imbalance and split.kind == "test", "its rows stay as they are"),
    ):
        if is_used:
            raise StudyFileError(f"{start}, so {reason}; leave {name} out")
    if search.prune and (n_repeats < 2 or n_folds * n_repeats < 2 * MIN_FOLDS):
        raise StudyFileError(
            f"{start}, {n_folds * n_repeats} folds in all, too few to stop between two blocks; "
            "leave search.prune out"
        )
    return msgspec.structs.replace(cv, folds=n_folds, repeats=n_repeats)


def _fold_rules(study: Study) -> dict[str, Any]:
    cv = study.cv
    return {"repeats": cv.repeats, "validation": cv.validation, "grouped": cv.grouped}


def _reference_tasks(task: Task) -> Iterator[Task]:
    """A grid of the references that the search space lacks, and estimators, on the same folds."""
    contained = initial_configurations(task.study, task.spec.training)
    missing = tuple(name for name in REFERENCES if name not in contained)
    estimators = () if task.role == "inner" else task.study.estimators
    if missing or estimators:
        search = Search(space=reference_space(missing))
        study = msgspec.structs.replace(task.study, search=search, estimators=estimators)
        parent = task.parent or task.problem.name
        yield replace(task, study=study, role="references", parent=parent)


def _rare_rows_tasks(task: Task) -> Iterator[Task]:
    """The problem with fewer rare rows to train on, its folds once for every share of them."""
    if task.study.rare_rows:
        folds = tuple(
            fold
            for share in SHARES
            for fold in with_fewer_rare_rows(task.problem, task.folds, share, task.study.seed)
        )
        n_trials = len(SHARES) * len(compared_kinds(task))
        search = msgspec.structs.replace(task.study.search, trials=n_trials)
        study, parent = msgspec.structs.replace(task.study, search=search), task.problem.name
        yield replace(task.fresh(), study=study, folds=folds, role="rare-rows", parent=parent)


def _outer_task(task: Task, n_folds: int) -> Task:
    """The choices of the inner searches, trained on all rows these had and scored on the rest."""
    study, parent = task.study, task.problem.name
    problem = replace(task.problem, name=f"{parent}/outer")
    folds = make_outer_folds(problem, folds=n_folds, seed=study.seed, **_fold_rules(study))
    check_weighted_parts(problem, folds)
    n_trials = n_folds * len(outer_choices(study, task.spec.training))
    search = msgspec.structs.replace(study.search, trials=n_trials)
    study = msgspec.structs.replace(study, search=search)
    outer = replace(task.fresh(), study=study, problem=problem, folds=folds)
    return replace(outer, role="outer", parent=parent)


def _inner_tasks(task: Task, outer: Task) -> Iterator[Task]:
    """The whole search again on the training and validation rows of each outer fold."""
    parent = task.problem.name
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
        folds = _checked_folds(task.study, task.spec, problem)
        yield replace(task.fresh(), problem=problem, folds=folds, role="inner", parent=parent)
