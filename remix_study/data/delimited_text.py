"""Delimited text becomes a data frame; a short, long or unreadable line is refused by number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from remix_study.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# "None" is missing from the list on purpose: it is a category in many files.
MISSING = ("", "?", "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")


def read_table(
    text: str,
    path: Path,
    *,
    separator: str,
    names: Sequence[str],
    skip: int = 0,
    as_text: Iterable[str | None] = (),
    missing: Sequence[str] = MISSING,
) -> pd.DataFrame:
    """Read delimited text.

    Args:
        text: The content of a file.
        path: What the error messages name.
        separator: One character.
        names: One name a column.
        skip: Lines before the first row.
        as_text: Columns that stay as they are written.
        missing: Cells that are missing values.

    Returns:
        One row a line, columns ``names``: numbers, truth values or text, NaN where missing.

    Raises:
        DataError: No rows, a line with more or fewer cells, quotes that never close.
    """
    import pandas as pd

    _refuse_ragged(text, separator, len(names), skip, path)
    places = [place for place, name in enumerate(names) if name in set(as_text)]
    dtypes: dict[int, type[str]] = dict.fromkeys(places, str)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            names=list(range(len(names))),
            skiprows=skip,
            index_col=False,
            dtype=dtypes,
            na_values=list(missing),
            keep_default_na=False,
            skipinitialspace=True,
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: the file has no rows") from None
    except (pd.errors.ParserError, ValueError) as error:
        raise DataError(f"{path}: not a table ({' '.join(str(error).split())})") from None
    if frame.empty:
        raise DataError(f"{path}: the file has no rows")
    return frame.set_axis(list(names), axis=1)


def first_cells(text: str, separator: str, path: Path) -> list[str]:
    """The cells of the first line, without outer or repeated spaces.

    Raises:
        DataError: The line cannot be read.
    """
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error as error:
        raise DataError(f"{path}: line 1 cannot be read ({error})") from None
    return [" ".join(cell.split()) for cell in cells]


def _refuse_ragged(text: str, separator: str, columns: int, skip: int, path: Path) -> None:
    """The reader fills short rows with missing values without a word."""
    number, lines = 0, _cells_by_line(text, separator)
    try:
        for number, cells in enumerate(lines, start=1):
            if number > skip and cells not in (0, columns):
                raise DataError(f"{path}: line {number} has {cells} cells, not {columns}")
    except csv.Error as error:
        raise DataError(f"{path}: line {number + 1} cannot be read ({error})") from None


def _cells_by_line(text: str, separator: str) -> Iterator[int]:
    """How many cells each line has, 0 for a blank one."""
    if '"' in text:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return (len(row) for row in rows)
    # Without quotes counting is enough, and many times faster.
    lines = io.StringIO(text, newline=None)
    return (line.count(separator) + 1 if line.strip() else 0 for line in lines)
