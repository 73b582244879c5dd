"""From a problem of a study file to its rows: data loaded, classes chosen, made imbalanced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from remix_study.data.class_names import choose_classes
from remix_study.data.dataset import Dataset
from remix_study.data.images import load_images
from remix_study.data.named_datasets import load_dataset
from remix_study.data.problems import Problem, make_problem, make_redrawn_problem
from remix_study.data.readers import UNUSED_BY_TYPED, refuse_unused_keys
from remix_study.data.sql_table import query_name, read_query
from remix_study.data.table_file import load_file, table_dataset
from remix_study.errors import DataError, StudyFileError, did_you_mean
from remix_study.studyfile.schema import ProblemSpec, Study

_LEAK = (
    "the rows come in groups that these splits part, so test rows have close relatives in training"
)
_REMEDY = "; set cv.grouped = true to keep groups together"


def load_problem_data(study: Study, spec: ProblemSpec, data: Dataset | None) -> Dataset:
    """Load a problem's data set, its classes merged or left out as the problem says.

    Args:
        study: The study file, to whose folder paths are relative.
        spec: The problem.
        data: Data handed over in Python, for a problem that names none.

    Raises:
        DataError: Data that cannot be read, or classes that there are not.
        StudyFileError: There are no data.
    """
    merge = {new: tuple(map(str, labels)) for new, labels in spec.classes.merge.items()}
    return choose_classes(_load(study, spec, data), merge, tuple(map(str, spec.classes.drop)))


def _load(study: Study, spec: ProblemSpec, data: Dataset | None) -> Dataset:
    folder = study.folder
    if spec.dataset is not None:
        return load_dataset(spec.dataset)
    if spec.images is not None:
        return load_images(folder / spec.images)
    keys = ("label", "groups", "weights", "drop", "split")
    columns: dict[str, Any] = {key: getattr(spec, key) for key in keys}
    if spec.sql is not None and spec.query is not None:
        if not study.allow_plugins:
            raise StudyFileError(
                "sql: would connect to a database, which --no-plugins forbids; leave --no-plugins "
                "out if you trust the study file"
            )
        refuse_unused_keys(f"query of {spec.sql}", spec.table, UNUSED_BY_TYPED)
        table = read_query(spec.sql, spec.query, folder)
        name = query_name(spec.query)
        return table_dataset(table, name, **columns, table_format=spec.table)
    if spec.paths:
        paths = [folder / name for name in spec.paths]
        test_path = paths.pop() if spec.split.test_file is not None else None
        return load_file(paths, **columns, table_format=spec.table, test_path=test_path)
    if data is None:
        raise StudyFileError("dataset: missing; name a data set, a file or images")
    return data


def make_study_problem(
    study: Study, spec: ProblemSpec, dataset: Dataset, imbalance: float | None
) -> Problem:
    """Make a problem's data set imbalanced at one of its ratios, or keep it as it is.

    Raises:
        DataError: A class that there is not, or one that would be left without rows.
    """
    make = partial(make_redrawn_problem, repeats=study.cv.repeats)
    problem = (make if study.cv.redraw and imbalance is not None else make_problem)(
        dataset,
        kind=spec.kind,
        minority=tuple(str(label) for label in spec.minority),
        imbalance=imbalance,
        seed=study.seed,
    )
    if dataset.groups is not None and not study.cv.grouped:
        is_timed = dataset.split is not None and dataset.split.kind == "time"
        note = _LEAK if is_timed else _LEAK + _REMEDY
        problem = replace(problem, notes=(*problem.notes, note))
    return _with_class_weights(problem, spec.class_weights)


def _with_class_weights(problem: Problem, weights: Mapping[str, float]) -> Problem:
    """The problem with the class weights of a study file, and a note on them."""
    if not weights:
        return problem
    where, classes = f"problem {problem.name}", problem.classes
    for name in weights:
        if name not in classes:
            raise DataError(
                f'{where}: class_weights: no class "{name}"{did_you_mean(name, classes)}'
            )
    values = [float(weights.get(name, 1)) for name in classes]
    shown = ", ".join(f"{name} {value:g}" for name, value in zip(classes, values, strict=True))
    note = f"{where}: losses with class weights take those of the study file: {shown}"
    return replace(problem, class_weights=np.array(values), notes=(*problem.notes, note))
