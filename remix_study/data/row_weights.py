"""Weights of rows: reading them, and refusing those that leave nothing to train or score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.data.dataset import LARGEST
from remix_study.data.folds import Fold
from remix_study.data.numbers import settle_numbers
from remix_study.data.plain_cells import plain_cells
from remix_study.data.problems import Problem
from remix_study.data.raw_table import RawTable
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

_REMEDY = "weights are numbers from 0, such as an exposure or a survey's weights"


def column_weights(table: RawTable, column: str, table_format: TableFormat) -> NDArray[np.float64]:
    """Read a column of weights, (n,).

    Raises:
        DataError: A cell is missing, no number, negative or infinite.
    """
    alone = replace(table, frame=table.frame[[column]], notes=())
    table_format = table.feature_format(table_format, [column])
    cells = settle_numbers(alone, table_format).frame[column]
    return check_weights(cells, table.place, f', column "{column}" (weights)')


def array_weights(
    values: ArrayLike | None, n_rows: int, argument: str, where: str
) -> NDArray[np.float64] | None:
    """Make weights of an argument in Python, (n_rows,); None for None.

    Raises:
        DataError: Another shape, or a weight that :func:`check_weights` refuses.
    """
    if values is None:
        return None
    try:
        shape = np.shape(values)
    except ValueError as error:
        raise DataError(f"{where}: {argument}: rows differ in length ({error})") from None
    if shape != (n_rows,):
        raise DataError(
            f"{where}: {argument} has shape {shape}; it needs one value for each of "
            f"the {n_rows} labels"
        )
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        row = int(np.ma.getmaskarray(values).argmax())
        raise DataError(f"{where}, row {row}: {argument} is masked; leave out such rows")
    return check_weights(values, lambda row: f"{where}, row {row}", f": {argument}")


def check_weights(
    values: ArrayLike, place: Callable[[int], str], what: str
) -> NDArray[np.float64]:
    """Make weights of numbers, (n,).

    Args:
        values: The numbers.
        place: Where a row stands, which begins a message.
        what: Goes on with it, such as ``: sample_weight``.

    Raises:
        DataError: A weight is missing, no number, negative or infinite.
    """
    import pandas as pd

    array = np.asarray(values)
    if array.dtype.kind in "cmMV":
        raise DataError(f"{place(0)}{what}: holds {array.dtype}; {_REMEDY}")
    if array.dtype.kind in "OU":
        array = plain_cells(array, f"{place(0)}{what}")
    cells: pd.Series[Any] = pd.Series(array)
    weights = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    # NaN compares false.
    is_weight = (weights >= 0) & (weights <= LARGEST)
    if not is_weight.all():
        row = int((~is_weight).argmax())
        cell = cells.iloc[row]
        fault = "is missing" if pd.isna(cell) else f'"{cell}" is no weight'
        raise DataError(
            f"{place(row)}{what}: {fault}, as in {(~is_weight).sum():,} of {len(weights):,} rows; "
            f"{_REMEDY}; correct or leave out those rows"
        )
    return weights


def weight_notes(where: str, weights: NDArray[np.float64]) -> list[str]:
    """A note on weights: their range, and how many rows of equal weight they are worth.

    The number is Kish's effective sample size, (sum w)^2 / sum w^2.
    """
    if weights.min() == weights.max():
        return [f"{where}: all weights are {weights[0]:g}, which is as good as none"]
    # The square of a tiny weight would be 0.
    shares = weights / weights.max()
    worth = shares.sum() ** 2 / (shares**2).sum()
    return [
        f"{where}: rows count in losses and scores by weights from {weights.min():g} to "
        f"{weights.max():g}; the {len(weights):,} rows are worth {worth:,.0f} of equal weight"
    ]


def check_weighted_parts(problem: Problem, folds: Sequence[Fold]) -> None:
    """Refuse folds in which all rows of a class in a part have weight 0.

    Raises:
        DataError: Names fold, part, class and a row of the data set, counted from 0.
    """
    weights = problem.weights
    if weights is None:
        return
    for fold in folds:
        parts = {"training": fold.train, "validation": fold.validation, "test": fold.test}
        for part, rows in parts.items():
            totals = np.bincount(problem.y[rows], weights[rows], minlength=problem.K)
            if (totals == 0).any():
                code = int(totals.argmin())
                of_class = rows[problem.y[rows] == code]
                raise DataError(
                    f"problem {problem.name}: repeat {fold.repeat}, fold {fold.fold}: all "
                    f"{len(of_class)} {part} rows of class {problem.classes[code]} have weight 0 "
                    f"(the first is row {problem.rows[of_class[0]]}); leave out rows of weight "
                    "0, or use fewer folds"
                )
