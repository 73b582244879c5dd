"""Make a data set of arrays or of a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.data.aligned import aligned_empty
from remix_study.data.class_names import similar_class_notes
from remix_study.data.columns import encode_columns
from remix_study.data.dataset import (
    Dataset,
    check_features,
    check_labels,
    class_name,
    encode_groups,
    encode_labels,
    fingerprint,
    freeze,
    user_dataset,
)
from remix_study.data.images import image_dataset
from remix_study.data.known_columns import KnownTable
from remix_study.data.numbers import settle_numbers
from remix_study.data.plain_cells import distinct_names, one_dimensional, text_of
from remix_study.data.python_tables import frame_of_matrix, frame_or_array
from remix_study.data.raw_table import RawTable, join_tables
from remix_study.data.row_weights import array_weights, weight_notes
from remix_study.data.split_columns import split_off_test
from remix_study.data.test_rows import encode_with_test
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat


def from_arrays(
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    name: str = "data",
    features: Sequence[str] | None = None,
    X_test: Any = None,
    y_test: ArrayLike | None = None,
    sample_weight_test: ArrayLike | None = None,
) -> Dataset:
    """Make a data set of arrays or of a data frame.

    Args:
        X: (n, d) numbers, NaN where missing, also as a sparse matrix; or a data frame of pandas,
            polars or another library with Arrow's interface, or a dictionary of columns, whose
            text columns become features; or images, uint8 (n, height, width, channels), without
            ``features``.
        y: (n,) labels, of any type with a text; ``1.0`` is the class ``1``.
        groups: (n,) the group of each row, for grouped folds, or None.
        sample_weight: (n,) how much each row counts, or None.
        name: The data set's name, with which the names of its problems begin.
        features: The d feature names of an array; ``x0``, ``x1``, ... when None.
        X_test: (m, d) rows as ``X`` has them, which are only tested; columns of a data frame are
            found by their names.
        y_test: (m,) their labels, each of which ``y`` has too.
        sample_weight_test: (m,) their weights, where there is ``sample_weight``.

    Raises:
        DataError: Lengths or ranks that do not fit, no rows, one class only, labels or groups
            missing, infinite values.
    """
    import pandas as pd

    name = text_of(name)
    where = f'data set "{name}"'
    labels = one_dimensional(y, "y", where)
    weights = array_weights(sample_weight, len(labels), "sample_weight", where)
    X, n_test = _table_or_matrix(X, "X", where), 0
    if X_test is not None and y_test is not None:
        if groups is not None:
            raise DataError(f"{where}: groups have no part in a test of its own; leave them out")
        test_labels = one_dimensional(y_test, "y_test", where)
        X_test = _table_or_matrix(X_test, "X_test", where)
        _check_length(X, "X", labels, "y", where)
        _check_length(X_test, "X_test", test_labels, "y_test", where)
        X = _with_test_rows(X, X_test, where)
        _refuse_new_classes(labels, test_labels, where)
        # As objects, since numbers and texts are made one type of text otherwise.
        labels = np.concatenate([labels.astype(object), test_labels.astype(object)])
        n_test = len(test_labels)
        of_test = array_weights(sample_weight_test, n_test, "sample_weight_test", where)
        if (weights is None) != (of_test is None):
            raise DataError(f"{where}: give both sample_weight and sample_weight_test, or neither")
        weights = weights if of_test is None else np.concatenate([weights, of_test])
    split = split_off_test(len(labels), n_test) if n_test else None
    if not isinstance(X, pd.DataFrame):
        matrix = X
        if matrix.ndim == 4 and features is None:
            image_groups = None if groups is None else one_dimensional(groups, "groups", where)
            images = image_dataset(matrix, labels, image_groups, name, where)
            return _with_weights(replace(images, split=split), weights, where)
        if matrix.ndim != 2:
            raise DataError(f"{where}: X has shape {matrix.shape}; it must be (rows, features)")
        names = [f"x{i}" for i in range(matrix.shape[1])] if features is None else features
        names = distinct_names(names, where)
        if len(names) != matrix.shape[1]:
            raise DataError(
                f"{where}: {len(names)} feature names for {matrix.shape[1]} columns of X"
            )
    else:
        matrix, names = None, list(X.columns)

    n_rows = len(X) if matrix is None else len(matrix)
    if n_rows == 0 or not names:
        raise DataError(
            f"{where}: X has {n_rows} rows and {len(names)} columns; it needs one of each at least"
        )
    row_groups = None if groups is None else one_dimensional(groups, "groups", where)
    _check_length(X, "X", labels, "y", where)
    _check_length(X, "X", row_groups, "groups", where)

    notes: tuple[str, ...] = ()
    nominal: tuple[tuple[int, ...], ...] = ()
    known = None
    if matrix is not None and matrix.dtype.kind in "bif":
        dtype = np.float32 if matrix.dtype == np.float32 else np.float64
        numbers: NDArray[np.floating] = aligned_empty(matrix.shape, dtype)
        # What double precision does not hold becomes infinite, and is refused.
        with np.errstate(over="ignore"):
            numbers[...] = matrix
        check_features(numbers, names, where)
        if matrix.dtype.kind == "b":
            nominal = tuple((at,) for at in range(len(names)))
    else:
        frame = X if matrix is None else frame_of_matrix(matrix, names, where)
        table = RawTable(where, frame)
        if n_test:
            encoded, notes = encode_with_test(table, n_rows - n_test, TableFormat())
        else:
            table = settle_numbers(table, TableFormat())
            encoded, notes = encode_columns(table), table.notes
        numbers, names, nominal = encoded.X, list(encoded.features), encoded.nominal
        known = KnownTable(encoded.columns)
        notes = (*notes, *encoded.notes)
    notes += tuple(similar_class_notes(f"{where}: y", labels.tolist()))
    codes, classes = encode_labels(labels)
    check_labels(classes, n_rows, where)
    group_codes = None if row_groups is None else encode_groups(row_groups)
    dataset = user_dataset(
        name,
        numbers,
        codes,
        classes,
        group_codes,
        source="arrays given from Python",
        features=names,
        notes=notes,
        nominal=nominal,
        split=split,
        table=known,
    )
    return _with_weights(dataset, weights, where)


def _with_weights(dataset: Dataset, weights: NDArray[np.float64] | None, where: str) -> Dataset:
    """The data set with weights of its rows."""
    if weights is None:
        return dataset
    freeze(weights)
    return replace(
        dataset,
        weights=weights,
        sha256=fingerprint(dataset.X, dataset.y, dataset.classes, dataset.groups, weights),
        notes=(*dataset.notes, *weight_notes(f"{where}: sample_weight", weights)),
    )


def _table_or_matrix(X: Any, argument: str, where: str) -> Any:
    """A data frame of pandas, or an array of what is none."""
    import pandas as pd

    table = frame_or_array(X, where)
    if isinstance(table, pd.DataFrame):
        return table
    try:
        matrix = np.asarray(table)
    except ValueError as error:
        raise DataError(f"{where}: the rows of {argument} differ in length ({error})") from None
    if matrix.ndim == 0:
        raise DataError(
            f"{where}: {argument} is a {type(X).__name__}; give an array, a data frame or a "
            "dictionary of columns"
        )
    return matrix


def _check_length(
    X: Any, argument: str, values: NDArray[Any] | None, other: str, where: str
) -> None:
    """Refuse rows and values of rows of different numbers."""
    if values is not None and len(values) != len(X):
        raise DataError(f"{where}: {argument} has {len(X)} rows and {other} has {len(values)}")


def _with_test_rows(X: Any, X_test: Any, where: str) -> Any:
    """Test rows below the others.

    Raises:
        DataError: They are of another type, or have other columns or another shape.
    """
    import pandas as pd

    if isinstance(X, pd.DataFrame) and isinstance(X_test, pd.DataFrame):
        tables = [RawTable(f"{where}: X", X), RawTable(f"{where}: X_test", X_test)]
        return join_tables(tables, "").frame
    if type(X) is not type(X_test) or X.shape[1:] != X_test.shape[1:]:
        raise DataError(
            f"{where}: X_test is {type(X_test).__name__} {X_test.shape} and X is "
            f"{type(X).__name__} {X.shape}; give both alike, with the same columns"
        )
    return np.concatenate([X, X_test])


def _refuse_new_classes(labels: NDArray[Any], test_labels: NDArray[Any], where: str) -> None:
    known = set(map(class_name, labels))
    new = [row for row, label in enumerate(test_labels) if class_name(label) not in known]
    if new:
        raise DataError(
            f'{where}: y_test, row {new[0]}: class "{class_name(test_labels[new[0]])}" is not in '
            f"y, as in {len(new)} rows; leave such rows out"
        )
