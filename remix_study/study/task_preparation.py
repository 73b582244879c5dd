"""From a study file to tasks: data loaded, made imbalanced, split into folds, checked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from remix_study.data.dataset import Dataset
from remix_study.data.folds import Fold, make_folds
from remix_study.data.images import load_images
from remix_study.data.named_datasets import load_dataset
from remix_study.data.problems import Problem, make_problem
from remix_study.data.redraw import make_redrawn_problem
from remix_study.data.table_file import load_file
from remix_study.errors import DataError, StudyFileError
from remix_study.study.checks import check_batch_size, check_kind
from remix_study.study.task import Task
from remix_study.studyfile.schema import ProblemSpec, Study

_LEAK = (
    "the rows come in groups that these splits part, so test rows have close relatives in "
    "training; set cv.grouped = true to keep groups together"
)


def prepare_tasks(study: Study, data: Dataset | None = None, *, cores: int = 0) -> list[Task]:
    """Load the data and make the folds of every problem, before anything is trained.

    Args:
        study: The study file.
        data: Data handed over in Python, for problems that name none.
        cores: Cores that training may use on a CPU; 0 for all that the process may use.

    Raises:
        StudyFileError: A problem names no data, or its batches exceed its training rows.
        DataError: Data that cannot be read, or a class with too few rows.
    """
    all_tasks: list[Task] = []
    for position, spec in enumerate(study.problems):
        where = f"{study.source}: problems[{position}]"
        try:
            dataset = _load_dataset(study, spec, data)
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


def _make_task(
    study: Study, spec: ProblemSpec, dataset: Dataset, imbalance: float | None, cores: int
) -> Task:
    make = partial(make_redrawn_problem, repeats=study.cv.repeats)
    problem = (make if study.cv.redraw and imbalance is not None else make_problem)(
        dataset,
        kind=spec.kind,
        minority=tuple(str(label) for label in spec.minority),
        imbalance=imbalance,
        seed=study.seed,
    )
    folds = study_folds(study, problem)
    fewest = min(len(fold.train) for fold in folds)
    check_batch_size(study.search.space, spec.training.batch_size, fewest, problem.name)
    if dataset.groups is not None and not study.cv.grouped:
        problem = replace(problem, notes=(*problem.notes, _LEAK))
    if study.note:
        problem = replace(problem, notes=(*problem.notes, study.note))
    return Task(study, spec, problem, folds, cores=cores)


def _load_dataset(study: Study, spec: ProblemSpec, data: Dataset | None) -> Dataset:
    if spec.dataset is not None:
        return load_dataset(spec.dataset)
    if spec.file is not None:
        path = study.folder / spec.file
        return load_file(path, label=spec.label or "", groups=spec.groups, drop=spec.drop)
    if spec.images is not None:
        return load_images(study.folder / spec.images)
    if data is None:
        raise StudyFileError("dataset: missing; name a data set, a file or images")
    return data


def study_folds(study: Study, problem: Problem) -> tuple[Fold, ...]:
    """The folds of a problem as the study's ``[cv]`` table says.

    Raises:
        DataError: A class has too few rows (or groups), or there are no groups.
    """
    return make_folds(
        problem,
        folds=study.cv.folds,
        repeats=study.cv.repeats,
        validation=study.cv.validation,
        grouped=study.cv.grouped,
        seed=study.seed,
    )
