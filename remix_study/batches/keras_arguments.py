"""Checks of the arrays that a Keras user hands over: features, labels, weights of rows."""

from __future__ import annotations

import operator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.data.dataset import encode_labels
from remix_study.errors import UsageError


class Labels(NamedTuple):
    """Labels of rows as shares of classes.

    Attributes:
        shares: float32 (n, K), one-hot or soft.
        classes: Names of the K classes, of codes 0..K-1 their digits.
    """

    shares: NDArray[np.float32]
    classes: tuple[str, ...]


def read_labels(y: ArrayLike, n_classes: int | None = None) -> Labels:
    """Read class codes from 0, names, or one-hot or soft labels (n, K).

    Args:
        y: (n,) or (n, K).
        n_classes: K, where codes may lack the last classes; counted when None.

    Raises:
        UsageError: They cannot be used; the message says what to do.
    """
    try:
        labels = np.asarray(y)
    except ValueError as error:
        raise UsageError(f"y must be one array of labels: {error}") from error
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.size == 0:
        raise UsageError("y has no rows")
    if labels.ndim not in (1, 2):
        raise UsageError(f"y must be (n,) codes or (n, K) labels, got shape {labels.shape}")
    if labels.dtype.kind in "OSU" and labels.ndim == 1:
        return _read_names(labels, n_classes)
    if labels.dtype.kind not in "biuf":
        raise UsageError(
            f"y must hold class names, integer codes, one-hot or soft labels, got {labels.dtype}"
        )
    if not np.isfinite(labels).all() or labels.min() < 0:
        raise UsageError("y must not hold negative, missing or infinite values")
    if labels.ndim == 1:
        return _read_codes(labels, n_classes)
    if n_classes not in (None, labels.shape[1]):
        raise UsageError(f"y has {labels.shape[1]} columns, but n_classes is {n_classes}")
    if np.abs(labels.sum(axis=1) - 1).max() > 1e-3:
        raise UsageError("every row of an (n, K) y must sum to 1: each row has one class")
    return Labels(labels.astype(np.float32), _digits(labels.shape[1]))


def _read_names(names: NDArray[np.generic], n_classes: int | None) -> Labels:
    # None and NaN; NaN alone is unlike itself.
    is_missing = [name is None or name != name for name in names]
    if any(is_missing):
        raise UsageError(f"y is missing in row {is_missing.index(True)}: leave out such rows")
    codes, classes = encode_labels(names)
    _check_count(len(classes))
    if n_classes not in (None, len(classes)):
        raise UsageError(f"y holds {len(classes)} class names, but n_classes is {n_classes}")
    return Labels(np.eye(len(classes), dtype=np.float32)[codes], classes)


def _read_codes(labels: NDArray[np.generic], n_classes: int | None) -> Labels:
    codes = labels.astype(np.intp)
    if (codes != labels).any():
        raise UsageError("y must hold whole numbers when it is one-dimensional: class codes")
    highest_code = int(codes.max())
    n_classes = highest_code + 1 if n_classes is None else n_classes
    if highest_code >= n_classes:
        raise UsageError(f"y holds class code {highest_code}, but n_classes is {n_classes}")
    _check_count(n_classes)
    return Labels(np.eye(n_classes, dtype=np.float32)[codes], _digits(n_classes))


def _digits(n_classes: int) -> tuple[str, ...]:
    return tuple(map(str, range(n_classes)))


def _check_count(n_classes: int) -> None:
    if n_classes < 2:
        raise UsageError("y holds a single class: there is nothing to balance or mix")


def row_weights(values: ArrayLike | None, n_rows: int) -> NDArray[np.float32] | None:
    """Weights of mean 1, or None."""
    if values is None:
        return None
    weights = np.asarray(values)
    if weights.shape != (n_rows,) or weights.dtype.kind not in "biuf":
        raise UsageError(f"sample_weight must be one number for each of the {n_rows} rows of y")
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise UsageError(
            "sample_weight must not hold negative, missing or infinite values, nor only zeros"
        )
    return np.asarray(weights / weights.mean(), np.float32)


def non_negative_int(name: str, value: object) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < 0:
        raise UsageError(f"{name} must be a whole number and not negative, got {value!r}")
    return number


def numeric_array(X: ArrayLike, n_rows: int) -> NDArray[np.generic]:
    try:
        features = np.asarray(X)
    except ValueError as error:
        raise UsageError(f"X must be one array of numbers: {error}") from error
    if features.dtype.kind not in "biuf":
        raise UsageError(f"X must hold numbers, got {features.dtype}: encode text columns first")
    if features.ndim < 2 or len(features) != n_rows:
        raise UsageError(
            f"X must be (n, ...) with one entry for each of the {n_rows} labels in y, "
            f"got {features.shape}"
        )
    if features.dtype.kind == "f" and not np.isfinite(features).all():
        raise UsageError("X holds missing or infinite values: impute them first")
    return features
