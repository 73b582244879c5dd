"""Columns of a data frame become numbers: text one-hot, yes-or-no 0/1, missing values NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.dataset import check_features
from remix_study.data.delimited_text import MISSING
from remix_study.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

MANY_COLUMNS = 50
TOO_MANY_COLUMNS = 1000


@dataclass(frozen=True, eq=False)
class Numbers:
    """Encoded columns: X float64 of shape (n, d), the d feature names, and what was noted."""

    X: NDArray[np.float64]
    features: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    """What one column became; no names when it was left out."""

    values: NDArray[np.float64]
    names: tuple[str, ...]
    note: str = ""


def encode_columns(frame: pd.DataFrame, where: str) -> Numbers:
    """Turn the columns of a data frame into float64 features.

    Numbers stay numbers and a missing number becomes NaN, which is imputed later, per fold.
    True and False become 1 and 0. Any other text becomes one column a category, in sorted
    order; where it is missing, all of them are 0. A text column whose values are all different
    is an identifier: it is left out and noted.

    Args:
        frame: (n, c) columns with distinct names.
        where: What the error messages start with, such as a file name.

    Raises:
        DataError: A column of dates, of too many categories, of infinite values, or no column
            left.
    """
    parts = [_encode(str(name), frame[name], where) for name in frame.columns]
    notes = tuple(f"{where}: {part.note}" for part in parts if part.note)
    features = tuple(name for part in parts for name in part.names)
    if not features:
        raise DataError(f"{where}: no feature column is left beside the label")
    _refuse_duplicates(features, where)
    X = np.column_stack([part.values for part in parts if part.names])
    X = np.ascontiguousarray(X, dtype=np.float64)
    check_features(X, features, where)
    return Numbers(X, features, notes)


def _encode(name: str, column: pd.Series[Any], where: str) -> _Part:
    """Encode one column."""
    import pandas as pd

    kinds = pd.api.types
    if column.isna().all():
        empty = np.full(len(column), np.nan)
        return _Part(empty, (name,), f"column {name!r} is empty; it carries nothing")
    if kinds.is_datetime64_any_dtype(column.dtype) or kinds.is_timedelta64_dtype(column.dtype):
        raise DataError(f"{where}: column {name!r} holds dates; turn it into numbers or drop it")
    if kinds.is_complex_dtype(column.dtype):
        raise DataError(f"{where}: column {name!r} holds complex numbers; split or drop it")
    if kinds.is_numeric_dtype(column.dtype) or kinds.is_bool_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return _Part(values, (name,), _counting(name, values))
    return _encode_text(name, column, where)


def _encode_text(name: str, column: pd.Series[Any], where: str) -> _Part:
    """Encode a column of texts, which may turn out to be numbers or truth values."""
    import pandas as pd

    texts = column.astype(object).map(lambda value: str(value).strip(), na_action="ignore")
    texts = texts.where(~texts.isin(MISSING), np.nan)
    present = texts.notna().to_numpy()
    lower = texts.str.lower()
    if lower[present].isin(["true", "false"]).all():
        values = np.where(present, (lower == "true").to_numpy(dtype=np.float64), np.nan)
        note = "" if present.any() else f"column {name!r} is empty; it carries nothing"
        return _Part(values, (name,), note)
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    odd = present & np.isnan(numbers)
    if not odd.any():
        return _Part(numbers, (name,), _counting(name, numbers))

    codes, categories = pd.factorize(texts, sort=True)
    if len(categories) == present.sum() and 2 * len(categories) > len(texts) > 2:
        note = f"column {name!r} looks like an identifier (every text is different); left out"
        return _Part(np.empty((len(texts), 0)), (), note)
    if len(categories) > TOO_MANY_COLUMNS:
        raise DataError(
            f"{where}: column {name!r} holds {len(categories)} different texts, too many for "
            f"one-hot columns (at most {TOO_MANY_COLUMNS}); drop it or write it as numbers"
        )
    note = ""
    if 2 * odd.sum() < present.sum():
        note = (
            f"column {name!r} is taken as text: {odd.sum()} of its {present.sum()} values are no "
            f"numbers, such as {texts[odd].iloc[0]!r}"
        )
    elif len(categories) > MANY_COLUMNS:
        note = f"column {name!r} became {len(categories)} one-hot columns"
    # A missing text has code -1, which equals no category.
    values = (codes[:, None] == np.arange(len(categories))).astype(np.float64)
    return _Part(values, tuple(f"{name}={category}" for category in categories), note)


def _counting(name: str, values: NDArray[np.float64]) -> str:
    """A note when the column merely numbers the rows."""
    start = values[0]
    counts = start in (0.0, 1.0) and np.array_equal(values, start + np.arange(len(values)))
    return f"column {name!r} numbers the rows; drop it if it is an identifier" if counts else ""


def _refuse_duplicates(names: Sequence[str], where: str) -> None:
    """One-hot names could meet a column of that very name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{where}: two columns are named {name!r}; rename or drop one")
        seen.add(name)
