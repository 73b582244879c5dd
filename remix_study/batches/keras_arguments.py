"""Checks of the arrays that a Keras user hands over: features, labels, weights of rows."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.data.dataset import encode_labels
from remix_study.data.plain_cells import text_of
from remix_study.errors import UsageError

_LARGEST = float(np.finfo(np.float32).max)
# Codes above this, and above the number of rows, are no codes but names.
_MANY_CLASSES = 1000


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
    labels = _plain_array(y, "y", "labels")
    n_classes = None if n_classes is None else non_negative_int("n_classes", n_classes)
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
    import pandas as pd

    is_missing = pd.isna(names) | [not text_of(name).strip() for name in names]
    if is_missing.any():
        raise UsageError(f"y is missing in row {is_missing.argmax()}: leave out such rows")
    codes, classes = encode_labels(names)
    _check_count(len(classes))
    if n_classes not in (None, len(classes)):
        raise UsageError(f"y holds {len(classes)} class names, but n_classes is {n_classes}")
    return Labels(_one_hot(codes, len(classes)), classes)


def _read_codes(labels: NDArray[np.generic], n_classes: int | None) -> Labels:
    codes = labels.astype(np.intp)
    if (codes != labels).any():
        raise UsageError("y must hold whole numbers when it is one-dimensional: class codes")
    highest_code = int(codes.max())
    if n_classes is None and highest_code >= max(len(codes), _MANY_CLASSES):
        raise UsageError(
            f"y holds class code {highest_code} in {len(codes)} rows: codes are 0, 1, ..., K-1; "
            "give names as texts, or n_classes"
        )
    n_classes = highest_code + 1 if n_classes is None else n_classes
    if highest_code >= n_classes:
        raise UsageError(f"y holds class code {highest_code}, but n_classes is {n_classes}")
    _check_count(n_classes)
    return Labels(_one_hot(codes, n_classes), _digits(n_classes))


def _one_hot(codes: NDArray[np.intp], n_classes: int) -> NDArray[np.float32]:
    shares = np.zeros((len(codes), n_classes), np.float32)
    shares[np.arange(len(codes)), codes] = 1
    return shares


def _digits(n_classes: int) -> tuple[str, ...]:
    return tuple(map(str, range(n_classes)))


def _check_count(n_classes: int) -> None:
    if n_classes < 2:
        raise UsageError("y holds a single class: there is nothing to balance or mix")


def row_weights(values: ArrayLike | None, n_rows: int) -> NDArray[np.float32] | None:
    """Weights of mean 1, or None."""
    if values is None:
        return None
    weights = _plain_array(values, "sample_weight", "numbers")
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
    features = _plain_array(X, "X", "numbers")
    if features.dtype.kind not in "biuf":
        raise UsageError(f"X must hold numbers, got {features.dtype}: encode text columns first")
    if features.ndim < 2 or len(features) != n_rows:
        raise UsageError(
            f"X must be (n, ...) with one entry for each of the {n_rows} labels in y, "
            f"got {features.shape}"
        )
    # NaN compares false.
    if features.size and not -_LARGEST <= features.min() <= features.max() <= _LARGEST:
        raise UsageError(
            "X holds values that are missing or infinite, or too large for 32 bits: impute them "
            "first, or change the unit"
        )
    return features


def _plain_array(values: ArrayLike, name: str, what: str) -> NDArray[Any]:
    if np.ma.is_masked(values):
        raise UsageError(f"{name} has masked values: impute them first, or leave out such rows")
    try:
        return np.asarray(values)
    except ValueError as error:
        raise UsageError(f"{name} must be one array of {what}: {error}") from error
