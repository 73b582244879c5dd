"""Read delimited text into a data frame; a line with too few or too many cells is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from remix_study.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Without "None", which is a category in many files.
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
    """Read delimited text into a data frame.

    Args:
        text: The content of a file.
        path: The file, for error messages.
        separator: One character.
        names: One name for each column.
        skip: Number of lines before the first row.
        as_text: Columns to read as text, whatever they hold.
        missing: Cells that stand for a missing value.

    Returns:
        One row for each line, with columns ``names``: numbers, truth values or text, NaN where
        missing.

    Raises:
        DataError: No rows, a line with more or fewer cells, quotes that never close.
    """
    import pandas as pd

    _refuse_ragged(text, separator, len(names), skip, path)
    text_columns = [column for column, name in enumerate(names) if name in set(as_text)]
    dtypes: dict[int, type[str]] = dict.fromkeys(text_columns, str)
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
    """Read the cells of the first line, without outer or repeated spaces.

    Raises:
        DataError: The line cannot be read.
    """
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error as error:
        raise DataError(f"{path}, line 1: cannot be read ({error})") from None
    return [" ".join(cell.split()) for cell in cells]


def _refuse_ragged(text: str, separator: str, columns: int, skip: int, path: Path) -> None:
    """Refuse a line of another number of cells; pandas would fill a short one silently."""
    line, cell_counts = 0, _cells_by_line(text, separator)
    try:
        for line, cells in enumerate(cell_counts, start=1):
            if line > skip and cells not in (0, columns):
                raise DataError(f"{path}, line {line}: {cells} cells instead of {columns}")
    except csv.Error as error:
        raise DataError(f"{path}, line {line + 1}: cannot be read ({error})") from None


def _cells_by_line(text: str, separator: str) -> Iterator[int]:
    """Yield the number of cells of each line, 0 for a blank one."""
    if '"' in text:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return (len(row) for row in rows)
    # Without quotes it is enough to count separators, which is many times faster.
    lines = io.StringIO(text, newline=None)
    return (line.count(separator) + 1 if line.strip() else 0 for line in lines)
