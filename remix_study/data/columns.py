"""Turn columns into features: text one-hot, truth values 0 and 1, missing values NaN."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.dataset import check_features
from remix_study.data.file_contents import MISSING
from remix_study.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Categories of a text column from which a note is added, and above which it is refused.
MANY_CATEGORIES = 50
MAX_CATEGORIES = 1000


@dataclass(frozen=True, eq=False)
class EncodedColumns:
    """Features made of columns.

    Attributes:
        X: float64 of shape (n, d), NaN where missing.
        features: The d feature names.
        notes: Warnings about columns, one line each.
    """

    X: NDArray[np.float64]
    features: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _EncodedColumn:
    """Features made of one column, with their names; none when it is left out."""

    values: NDArray[np.float64]
    names: tuple[str, ...]
    note: str = ""


def encode_columns(frame: pd.DataFrame, where: str) -> EncodedColumns:
    """Turn the columns of a data frame into float64 features.

    Numbers stay numbers and a missing number becomes NaN, which is imputed later, per fold.
    True and False become 1 and 0. Any other text becomes one column a category, in sorted
    order; where it is missing, all of them are 0. A text column whose values are all different
    is taken for an identifier and left out, with a note.

    Args:
        frame: (n, c) columns with distinct names.
        where: The start of messages, such as a file name.

    Raises:
        DataError: A column of dates, of too many categories, of infinite values, or no column
            left.
    """
    encoded = [_encode(str(name), frame[name], where) for name in frame.columns]
    notes = tuple(f"{where}: {column.note}" for column in encoded if column.note)
    features = tuple(name for column in encoded for name in column.names)
    if not features:
        raise DataError(f"{where}: no feature column is left; drop fewer columns")
    _refuse_duplicates(features, where)
    X = np.column_stack([column.values for column in encoded if column.names])
    X = np.ascontiguousarray(X, dtype=np.float64)
    check_features(X, features, where)
    return EncodedColumns(X, features, notes)


def _encode(name: str, column: pd.Series[Any], where: str) -> _EncodedColumn:
    """Turn one column into features by its type."""
    import pandas as pd

    types = pd.api.types
    if column.isna().all():
        empty = np.full(len(column), np.nan)
        return _EncodedColumn(empty, (name,), _empty_note(name))
    if types.is_datetime64_any_dtype(column.dtype) or types.is_timedelta64_dtype(column.dtype):
        raise DataError(f'{where}, column "{name}": dates; turn them into numbers or drop it')
    if types.is_complex_dtype(column.dtype):
        raise DataError(f'{where}, column "{name}": complex numbers; split or drop it')
    if types.is_numeric_dtype(column.dtype) or types.is_bool_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return _EncodedColumn(values, (name,), _row_number_note(name, values))
    return _encode_text(name, column, where)


def _encode_text(name: str, column: pd.Series[Any], where: str) -> _EncodedColumn:
    """Turn a column of texts into features: numbers or truth values if all are, else one-hot."""
    import pandas as pd

    texts = column.astype(object).map(lambda value: str(value).strip(), na_action="ignore")
    texts = texts.where(~texts.isin(MISSING), np.nan)
    present = texts.notna().to_numpy()
    lower = texts.str.lower()
    if lower[present].isin(["true", "false"]).all():
        values = np.where(present, (lower == "true").to_numpy(dtype=np.float64), np.nan)
        note = "" if present.any() else _empty_note(name)
        return _EncodedColumn(values, (name,), note)
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    no_numbers = present & np.isnan(numbers)
    if not no_numbers.any():
        return _EncodedColumn(numbers, (name,), _row_number_note(name, numbers))

    codes, categories = pd.factorize(texts, sort=True)
    if len(categories) == present.sum() and 2 * len(categories) > len(texts) > 2:
        note = f'column "{name}" looks like an identifier (every text is different); left out'
        return _EncodedColumn(np.empty((len(texts), 0)), (), note)
    if len(categories) > MAX_CATEGORIES:
        raise DataError(
            f'{where}, column "{name}": {len(categories)} different texts, too many for '
            f"one-hot columns (at most {MAX_CATEGORIES}); drop it or write it as numbers"
        )
    note = ""
    if 2 * no_numbers.sum() < present.sum():
        note = (
            f'column "{name}" is taken as text: {no_numbers.sum()} of its {present.sum()} values '
            f'are no numbers, such as "{texts[no_numbers].iloc[0]}"'
        )
    elif len(categories) > MANY_CATEGORIES:
        note = f'column "{name}" became {len(categories)} one-hot columns'
    # A missing text has code -1, which equals no category.
    values = (codes[:, None] == np.arange(len(categories))).astype(np.float64)
    return _EncodedColumn(values, tuple(f"{name}={category}" for category in categories), note)


def _row_number_note(name: str, values: NDArray[np.float64]) -> str:
    """A note if the column is 0, 1, 2, ... or 1, 2, 3, ..., else ""."""
    first = values[0]
    if first not in (0.0, 1.0) or not np.array_equal(values, first + np.arange(len(values))):
        return ""
    return f'column "{name}" numbers the rows; drop it if it is an identifier'


def _empty_note(name: str) -> str:
    return f'column "{name}" is empty; it carries no information'


def _refuse_duplicates(names: Sequence[str], where: str) -> None:
    """Refuse features of one name, such as a column ``a=1`` beside a one-hot column ``a=1``."""
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise DataError(f'{where}: two columns are named "{repeated[0]}"; rename or drop one')
