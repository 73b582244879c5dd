"""Read separated text into a raw table: every line has as many cells as the first, or is named."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.file_contents import MISSING, nearest_floats
from remix_study.data.raw_table import RawTable, are_data, repeated_name
from remix_study.data.separators import detect_separator
from remix_study.data.text_encoding import as_utf8
from remix_study.data.text_records import (
    BLANKS,
    STATED,
    Cut,
    quote_of,
    refuse_doubtful_quotes,
    row_lines,
    split_records,
)
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

if TYPE_CHECKING:
    import pandas as pd

# Stands for a separator of several characters, which pandas' fast parser does not take.
_UNIT_SEPARATOR = "\x1f"
# Rows that are looked at for leading zeros and for points that may group digits.
_SAMPLE_ROWS = 1000


def parse_text_table(
    content: bytes, path: Path, table_format: TableFormat, verbatim: Sequence[str | int] = ()
) -> RawTable:
    """Parse separated text.

    Args:
        content: The unpacked bytes of a file.
        path: The file, for messages and for the separator that its ending says.
        table_format: How it is written.
        verbatim: Columns, by name or number, whose cells stay as they are written, such as the
            label's: only an empty one, or one that the format says, is missing.

    Returns:
        Columns of numbers, truth values and text; a column of numbers with one other cell is
        text.

    Raises:
        DataError: The encoding or separator does not fit, no rows, two columns of one name, a
            line with more or fewer cells, quotes that never close.
    """
    text, notes = as_utf8(content, path, table_format.encoding)
    separator, separator_note = detect_separator(text, path, table_format)
    notes += [separator_note] if separator_note else []
    text, cut = _with_one_character(text, path, Cut(separator, quote_of(table_format)))
    records = split_records(text, cut)
    first_line, first_cells = next(((n, cells) for n, cells in records if cells), (1, []))
    first_cells = [cell.replace(cut.separator, separator) for cell in first_cells]
    names = _column_names(first_cells, first_line, path, header=table_format.header)
    if len(names) == 1:
        raise DataError(
            f"{path}, line {first_line}: one cell only ({cut.key}); write another separator"
        )
    lines = row_lines(text, cut, len(names), path)
    if not table_format.quote:
        refuse_doubtful_quotes(text, cut, len(names), path, lines)
    lines = lines[1:] if table_format.header else lines
    if not len(lines):
        raise DataError(f"{path}: the file has no rows")
    options = _pandas_options(cut, table_format)
    options |= _column_options(RawTable(str(path), _no_rows(names)), table_format, verbatim)
    frame = _parse(text, path, lines, options)
    if cut.separator != separator:
        frame = frame.replace(_UNIT_SEPARATOR, separator, regex=True)
    notes += _written_notes(text, path, names, frame, options)
    if table_format.header and are_data(names, frame):
        shown = ", ".join(f'"{name}"' for name in names[:3])
        notes.append(
            f"{path.name}: line {first_line} ({shown}, ...) looks like data, but was taken for "
            "column names; write header = false if it is a row"
        )
    return RawTable(
        source=str(path),
        frame=frame.set_axis(names, axis=1),
        lines=lines,
        sha256=hashlib.sha256(content).hexdigest(),
        notes=tuple(notes),
    )


def _with_one_character(text: bytes, path: Path, cut: Cut) -> tuple[bytes, Cut]:
    """The text with a separator of one character, without a first line that names it."""
    if STATED.match(text):
        # A blank line in its place keeps the numbers of the others.
        text = STATED.sub(b"\n", text, count=1)
    if len(cut.separator) == 1:
        return text, cut
    if _UNIT_SEPARATOR.encode() in text:
        raise DataError(f"{path}: {cut.key}: separate cells by one character instead")
    return text.replace(cut.separator.encode(), _UNIT_SEPARATOR.encode()), replace(
        cut, separator=_UNIT_SEPARATOR, written=cut.separator
    )


def _pandas_options(cut: Cut, table_format: TableFormat) -> dict[str, Any]:
    return {
        "sep": r"\s+" if cut.separator == BLANKS else cut.separator,
        "header": 0 if table_format.header else None,
        "quotechar": cut.quote or '"',
        "quoting": csv.QUOTE_MINIMAL if cut.quote else csv.QUOTE_NONE,
        "decimal": table_format.decimal,
    }


def _column_options(
    table: RawTable, table_format: TableFormat, verbatim: Sequence[str | int]
) -> dict[str, Any]:
    """Which columns are text, and which of their cells are missing, by the columns' positions."""
    positions = {name: i for i, name in enumerate(table.names)}
    texts = {table.column(c, "categorical") for c in table_format.categorical}
    texts |= {table.column(c, "embedding") for c in table_format.embedding}
    as_written = set(table.present(verbatim))
    usual = [*MISSING, *table_format.missing]
    return {
        "names": list(positions.values()),
        "dtype": {positions[name]: str for name in texts | as_written},
        "na_values": {
            i: ["", *table_format.missing] if name in as_written else usual
            for name, i in positions.items()
        },
    }


def _no_rows(names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(names))


def _column_names(cells: Sequence[str], line: int, path: Path, *, header: bool) -> list[str]:
    """The column names of the first line; nameless columns are called by their number."""
    cells = [" ".join(cell.split()) for cell in cells] if header else [""] * len(cells)
    names = [name or f"column {number}" for number, name in enumerate(cells, start=1)]
    if (repeated := repeated_name(names)) is not None:
        remedy = "write header = false if the line is data"
        remedy = remedy if are_data(names) else f"rename one, or {remedy}"
        raise DataError(f'{path}, line {line}: two columns are named "{repeated}"; {remedy}')
    return names


def _parse(
    text: bytes, path: Path, lines: NDArray[np.intp], options: dict[str, Any]
) -> pd.DataFrame:
    """Parse with pandas into columns named 0, 1, ...; one row for each of ``lines``."""
    import pandas as pd

    try:
        frame = _read_csv(text, **options)
    except (pd.errors.ParserError, ValueError) as error:
        message = " ".join(str(error).split())
        if opened := re.search(r"EOF inside string starting at row (\d+)", message):
            row = int(opened[1]) - (options["header"] is not None)
            line = lines[min(max(row, 0), len(lines) - 1)]
            raise DataError(
                f"{path}, line {line}: a quote is opened and never closed; close it"
            ) from None
        raise DataError(f"{path}: not a table ({message})") from None
    if len(frame) != len(lines):
        raise DataError(
            f"{path}: {len(lines)} lines make {len(frame)} rows by their quotes; write "
            'quote = "none" if quotes are part of the text, or another separator than blanks'
        )
    for name, column in frame.items():
        # Truth values with gaps.
        if column.dtype == object and column.map(type).isin([bool, float]).all():
            frame[name] = column.astype("boolean")
    return frame


def _read_csv(text: bytes, **options: Any) -> pd.DataFrame:
    import pandas as pd

    frame: pd.DataFrame = pd.read_csv(
        io.BytesIO(text),
        index_col=False,
        keep_default_na=False,
        skipinitialspace=True,
        low_memory=False,
        **nearest_floats(),
        **options,
    )
    return frame


def _written_notes(
    text: bytes, path: Path, names: Sequence[str], frame: pd.DataFrame, options: dict[str, Any]
) -> list[str]:
    """Notes on numbers that may be something else, as they are written.

    These are whole numbers with leading zeros, as of codes, and numbers such as 1.234 beside
    620, whose points may group digits.
    """
    whole = [i for i, dtype in enumerate(frame.dtypes) if dtype.kind == "i"]
    mixed = [
        i
        for i, dtype in enumerate(frame.dtypes)
        if options["decimal"] == "." and dtype.kind == "f" and _has_whole_and_other(frame[i])
    ]
    if not whole and not mixed:
        return []
    sample = _read_csv(text, **{**options, "dtype": str}, nrows=_SAMPLE_ROWS)
    notes = []
    for i in whole:
        padded = sample[i][sample[i].str.fullmatch(r"0[0-9]+", na=False)]
        if len(padded):
            notes.append(
                f'{path.name}: column "{names[i]}": cells such as "{padded.iloc[0]}" are read as '
                f'numbers, without leading zeros; write categorical = ["{names[i]}"] if they are '
                "codes"
            )
    for i in mixed:
        pointed = sample[i][sample[i].str.contains(".", regex=False, na=False)]
        if (
            0 < len(pointed) < sample[i].count()
            and pointed.str.fullmatch(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}").all()
        ):
            notes.append(
                f'{path.name}: column "{names[i]}": cells such as "{pointed.iloc[0]}" are read '
                'with a decimal point; write decimal = "," and thousands = "." if it groups digits'
            )
    return notes


def _has_whole_and_other(column: pd.Series[Any]) -> bool:
    """Whether the first numbers of a column are below 1000, some of them whole, some not."""
    values = column.head(_SAMPLE_ROWS).dropna()
    is_whole = values == np.floor(values)
    return bool((values.abs() < 1000).all() and is_whole.any() and not is_whole.all())
