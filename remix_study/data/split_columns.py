"""Read a split from a user's table: the values of a column, or a number of test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.dataset import encode_labels, freeze
from remix_study.data.dates import encode_dates, encode_durations, encode_time_texts
from remix_study.data.numbers import settle_numbers
from remix_study.data.raw_table import RawTable
from remix_study.data.split import Split
from remix_study.data.text_column import TextColumn
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

if TYPE_CHECKING:
    import pandas as pd


def split_by_fold(texts: Sequence[str], keys: Mapping[str, Any] = MappingProxyType({})) -> Split:
    """Make each different text a fold, in numeric order where all are integers, else sorted."""
    codes, names = encode_labels(texts)
    freeze(codes)
    return Split("fold", codes, names, dict(keys))


def split_off_test(n_rows: int, n_test: int) -> Split:
    """Make the last rows a test part."""
    codes = (np.arange(n_rows) >= n_rows - n_test).astype(np.intp)
    freeze(codes)
    return Split("test", codes, ("train", "test"), {"test_rows": n_test})


def split_by_time(
    table: RawTable,
    name: str,
    table_format: TableFormat,
    keys: Mapping[str, Any] = MappingProxyType({}),
) -> Split:
    """Order rows by a column of dates, times or numbers.

    Raises:
        DataError: The column holds something else, or a cell is missing.
    """
    column = replace(table, frame=table.frame[[name]], notes=())
    settled = settle_numbers(column, column.feature_format(table_format, [name]))
    values, texts = _times(settled, name)
    if np.isnan(values).any():
        row, n_missing = int(np.isnan(values).argmax()), int(np.isnan(values).sum())
        raise DataError(
            f'{table.place(row)}, column "{name}" (time): empty or missing, as in {n_missing} of '
            f"{len(values)} rows; fill in or remove those rows"
        )
    _, first, codes = np.unique(values, return_index=True, return_inverse=True)
    freeze(codes)
    return Split("time", codes, tuple(str(texts.iloc[row]) for row in first), dict(keys))


def _times(table: RawTable, name: str) -> tuple[NDArray[np.float64], pd.Series[Any]]:
    """The column as float64 that sort by time, NaN where missing, and as it is shown."""
    import pandas as pd

    column, block = table.frame[name], None
    is_number = pd.api.types.is_numeric_dtype(column.dtype)
    if is_number and not pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), table.frame[name]
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        block = encode_dates(name, column)
    elif pd.api.types.is_timedelta64_dtype(column.dtype):
        block = encode_durations(name, column)
    elif not is_number and not isinstance(column.dtype, pd.CategoricalDtype):
        block = encode_time_texts(
            TextColumn.of(name, column, lambda cell: str(cell).strip(), table)
        )
    if block is None:
        raise DataError(
            f'{table.source}, column "{name}" (time): holds neither dates nor numbers; write '
            "dates as 2024-01-31, or name another column"
        )
    features = np.empty((len(column), len(block.names)))
    block.fill(features)
    # The last feature of dates counts seconds, as the only one of durations does.
    return features[:, -1], column
