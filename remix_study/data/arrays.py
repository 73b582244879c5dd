"""A data set from arrays or a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.data.columns import encode_columns
from remix_study.data.dataset import (
    Dataset,
    check_features,
    check_labels,
    encode_groups,
    encode_labels,
    fingerprint,
    freeze,
)
from remix_study.data.images import image_dataset
from remix_study.errors import DataError


def from_arrays(
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    name: str = "data",
    features: Sequence[str] | None = None,
) -> Dataset:
    """Make a data set of arrays or of a pandas data frame.

    Args:
        X: (n, d) numbers, NaN where missing, or a data frame, whose text columns become one-hot;
            or images, uint8 (n, height, width, channels), without ``features``.
        y: (n,) labels, of any type with a text; ``1.0`` is the class ``1``.
        groups: (n,) what each row belongs to, for folds that keep groups together, or None.
        name: What the problems are named after.
        features: The d feature names of an array; ``x0``, ``x1``, ... when not given.

    Raises:
        DataError: Lengths or ranks that do not fit, no rows, one class only, labels or groups
            missing, infinite values.
    """
    import pandas as pd

    where = f"data set {name!r}"
    labels = _column(y, "y", where)
    if not isinstance(X, pd.DataFrame):
        matrix = np.asarray(X)
        if matrix.ndim == 4 and features is None:
            belonging = None if groups is None else _column(groups, "groups", where)
            return image_dataset(matrix, labels, belonging, name, where)
        if matrix.ndim != 2:
            raise DataError(f"{where}: X has shape {matrix.shape}; (rows, features) is needed")
        names = [f"x{i}" for i in range(matrix.shape[1])] if features is None else list(features)
        if len(names) != matrix.shape[1]:
            raise DataError(
                f"{where}: {len(names)} feature names for {matrix.shape[1]} columns of X"
            )
    else:
        matrix, names = None, [str(column) for column in X.columns]
        repeated = [column for column in names if names.count(column) > 1]
        if repeated:
            raise DataError(f"{where}: two columns are named {repeated[0]!r}; rename or drop one")

    rows = len(X) if matrix is None else len(matrix)
    if rows == 0 or not names:
        raise DataError(f"{where}: X has {rows} rows and {len(names)} columns; nothing to learn")
    members = None if groups is None else _column(groups, "groups", where)
    for what, values in (("y", labels), ("groups", members)):
        if values is not None and len(values) != rows:
            raise DataError(f"{where}: X has {rows} rows and {what} has {len(values)}")

    notes: tuple[str, ...] = ()
    if matrix is not None and matrix.dtype.kind in "bif":
        numbers = np.array(matrix, dtype=np.float64, order="C")
        check_features(numbers, names, where)
    else:
        frame = X if matrix is None else pd.DataFrame(matrix, columns=names).infer_objects()
        encoded = encode_columns(frame.set_axis(names, axis=1), where)
        numbers, names, notes = encoded.X, list(encoded.features), encoded.notes
    codes, classes = encode_labels(labels)
    check_labels(classes, rows, where)
    members_codes = None if members is None else encode_groups(members)
    freeze(numbers, codes, members_codes)
    return Dataset(
        name=name,
        X=numbers,
        y=codes,
        classes=classes,
        features=tuple(names),
        groups=members_codes,
        source="arrays given from Python",
        licence="your own data",
        citation="your own data",
        sha256=fingerprint(numbers, codes, classes, members_codes),
        notes=notes,
    )


def _column(values: ArrayLike, what: str, where: str) -> NDArray[Any]:
    """A one-dimensional array without missing values."""
    import pandas as pd

    column = np.asarray(values)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise DataError(f"{where}: {what} has shape {column.shape}; one value a row is needed")
    missing = np.asarray(pd.isna(column))
    if missing.any():
        raise DataError(
            f"{where}: {what} is missing in {missing.sum()} of {len(column)} rows, "
            f"first in row {missing.argmax()}; leave those rows out"
        )
    return column
