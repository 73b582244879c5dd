"""Make a data set of arrays or of a data frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.data.class_names import similar_class_notes
from remix_study.data.columns import encode_columns
from remix_study.data.dataset import (
    Dataset,
    check_features,
    check_labels,
    encode_groups,
    encode_labels,
    user_dataset,
)
from remix_study.data.images import image_dataset
from remix_study.data.numbers import settle_numbers
from remix_study.data.python_tables import frame_or_array
from remix_study.data.raw_table import RawTable
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat


def from_arrays(
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    name: str = "data",
    features: Sequence[str] | None = None,
) -> Dataset:
    """Make a data set of arrays or of a data frame.

    Args:
        X: (n, d) numbers, NaN where missing, also as a sparse matrix; or a data frame of pandas,
            polars or another library with Arrow's interface, or a dictionary of columns, whose
            text columns become features; or images, uint8 (n, height, width, channels), without
            ``features``.
        y: (n,) labels, of any type with a text; ``1.0`` is the class ``1``.
        groups: (n,) the group of each row, for grouped folds, or None.
        name: The data set's name, with which the names of its problems begin.
        features: The d feature names of an array; ``x0``, ``x1``, ... when None.

    Raises:
        DataError: Lengths or ranks that do not fit, no rows, one class only, labels or groups
            missing, infinite values.
    """
    import pandas as pd

    where = f'data set "{name}"'
    labels = _one_dimensional(y, "y", where)
    X = frame_or_array(X, where)
    if not isinstance(X, pd.DataFrame):
        matrix = np.asarray(X)
        if matrix.ndim == 4 and features is None:
            image_groups = None if groups is None else _one_dimensional(groups, "groups", where)
            return image_dataset(matrix, labels, image_groups, name, where)
        if matrix.ndim == 0:
            raise DataError(
                f"{where}: X is a {type(X).__name__}; give an array, a data frame or a dictionary "
                "of columns"
            )
        if matrix.ndim != 2:
            raise DataError(f"{where}: X has shape {matrix.shape}; it must be (rows, features)")
        names = [f"x{i}" for i in range(matrix.shape[1])] if features is None else list(features)
        if len(names) != matrix.shape[1]:
            raise DataError(
                f"{where}: {len(names)} feature names for {matrix.shape[1]} columns of X"
            )
    else:
        matrix, names = None, [str(column) for column in X.columns]
        name_counts = Counter(names).most_common(1)
        if name_counts and name_counts[0][1] > 1:
            raise DataError(
                f'{where}: two columns are named "{name_counts[0][0]}"; rename or drop one'
            )

    n_rows = len(X) if matrix is None else len(matrix)
    if n_rows == 0 or not names:
        raise DataError(
            f"{where}: X has {n_rows} rows and {len(names)} columns; it needs one of each at least"
        )
    row_groups = None if groups is None else _one_dimensional(groups, "groups", where)
    for argument, values in (("y", labels), ("groups", row_groups)):
        if values is not None and len(values) != n_rows:
            raise DataError(f"{where}: X has {n_rows} rows and {argument} has {len(values)}")

    notes: tuple[str, ...] = ()
    nominal: tuple[tuple[int, ...], ...] = ()
    if matrix is not None and matrix.dtype.kind in "bif":
        numbers = np.array(matrix, dtype=np.float64, order="C")
        check_features(numbers, names, where)
        if matrix.dtype.kind == "b":
            nominal = tuple((at,) for at in range(len(names)))
    else:
        frame = X if matrix is None else pd.DataFrame(matrix, columns=names).infer_objects()
        table = settle_numbers(RawTable(where, frame.set_axis(names, axis=1)), TableFormat())
        encoded = encode_columns(table)
        numbers, names, nominal = encoded.X, list(encoded.features), encoded.nominal
        notes = (*table.notes, *encoded.notes)
    notes += tuple(similar_class_notes(f"{where}: y", labels.tolist()))
    codes, classes = encode_labels(labels)
    check_labels(classes, n_rows, where)
    group_codes = None if row_groups is None else encode_groups(row_groups)
    return user_dataset(
        name,
        numbers,
        codes,
        classes,
        group_codes,
        source="arrays given from Python",
        features=names,
        notes=notes,
        nominal=nominal,
    )


def _one_dimensional(values: ArrayLike, argument: str, where: str) -> NDArray[Any]:
    """Make a one-dimensional array of an argument, refusing missing values."""
    import pandas as pd

    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        remedy = ", such as y.argmax(axis=1) of a column a class" if argument == "y" else ""
        raise DataError(
            f"{where}: {argument} has shape {array.shape}; it needs one value a row{remedy}"
        )
    missing = np.asarray(pd.isna(array))
    if array.dtype.kind in "OU":
        missing |= [isinstance(value, str) and not value.strip() for value in array]
    if missing.any():
        raise DataError(
            f"{where}: {argument} is missing in {missing.sum()} of {len(array)} rows, "
            f"first in row {missing.argmax()}; fill in or leave out those rows"
        )
    return array
