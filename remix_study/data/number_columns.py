"""Columns of numbers, and remarks on those that look like codes rather than quantities."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.raw_table import RawTable
from remix_study.data.text_column import CONSTANT, FeatureBlock

if TYPE_CHECKING:
    import pandas as pd

EMPTY = "is empty; it carries no information"

# Rows from which it tells something that all numbers are different.
_FEWEST_ROWS = 50
# Fewest values of a code: a count of children has fewer.
_FEWEST_CODES = 20
_CODE_NAME = re.compile(
    r"(?i)(?:^|[\W_])(?:zip|postal|postcode|plz|code|id|key|nr|no)(?:code)?(?:$|[\W_])"
)


def encode_numbers(name: str, column: pd.Series[Any], table: RawTable) -> FeatureBlock:
    """Make a feature of a column of numbers or truth values."""

    def values() -> NDArray[np.float64]:
        # A view of float64; of other types a copy, and those of all columns would add up.
        return column.to_numpy(dtype=np.float64, na_value=np.nan)

    def fill(out: NDArray[np.float64]) -> None:
        out[:, 0] = values()

    remark = _remark(name, values(), table)
    return FeatureBlock((name,), fill, ((remark, ""),) if remark else ())


def _remark(name: str, values: NDArray[np.float64], table: RawTable) -> str:
    """What a user may want to know of the column, or ""."""
    import pandas as pd

    low, high, n_rows = np.fmin.reduce(values), np.fmax.reduce(values), len(values)
    if np.isnan(low):
        return EMPTY
    if low == high:
        return CONSTANT
    if low in (0, 1) and high - low == n_rows - 1 and (np.diff(values) == 1).all():
        return "numbers the rows; drop it if it is an identifier"
    present = values[~np.isnan(values)]
    if not (np.abs([low, high]) < 2**53).all() or (present != np.floor(present)).any():
        return ""
    n_values = len(pd.unique(present))
    is_date_like = low >= 19000101 and high <= 21001231 and n_values >= _FEWEST_CODES
    if is_date_like and _are_dates(present.astype(np.int64)):
        return "looks like dates written as numbers; write them as 2024-01-31"
    if n_values == len(present) >= _FEWEST_ROWS:
        return "has a different whole number in every row; drop it if it is an identifier"
    if n_values < _FEWEST_CODES:
        return ""
    if (low >= 10_000 and high < 100_000) or _CODE_NAME.search(name):
        remedy = 'astype("category")' if table.is_from_python else "the key categorical"
        return (
            "holds whole numbers that look like codes, such as postal codes, and is taken as "
            f"numbers; {remedy} makes categories of them"
        )
    return ""


def _are_dates(values: NDArray[np.int64]) -> bool:
    """Whether all numbers are dates such as 20240131."""
    month, day = values // 100 % 100, values % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())
