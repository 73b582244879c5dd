"""Read separated text into a raw table: every line has as many cells as the first, or is named."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.file_contents import MISSING
from remix_study.data.raw_table import RawTable, are_data
from remix_study.data.separators import (
    BLANKS,
    STATED,
    detect_separator,
    quote_of,
    separator_key,
    split_records,
)
from remix_study.data.text_encoding import as_utf8
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

if TYPE_CHECKING:
    import pandas as pd

# Stands for a separator of several characters, which pandas' fast parser does not take.
_UNIT_SEPARATOR = "\x1f"
# Rows that are looked at for leading zeros.
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
    # A blank line in its place keeps the numbers of the others.
    text = STATED.sub(b"\n", text, count=1) if STATED.match(text) else text
    if len(separator) > 1:
        if _UNIT_SEPARATOR.encode() in text:
            raise DataError(f"{path}: {separator_key(separator)}: use one character instead")
        text = text.replace(separator.encode(), _UNIT_SEPARATOR.encode())
    character = _UNIT_SEPARATOR if len(separator) > 1 else separator
    quote = quote_of(table_format)
    records = split_records(text, character, quote)
    first_line, first_cells = next(((n, cells) for n, cells in records if cells), (1, []))
    names = _column_names(first_cells, first_line, path, header=table_format.header)
    if len(names) == 1:
        raise DataError(
            f"{path}, line {first_line}: one cell only ({separator_key(separator)}); write "
            "another separator"
        )
    table = RawTable(str(path), _no_rows(names))
    text_columns = [table.column(c, "categorical") for c in table_format.categorical]
    # A column that is not there is the caller's to refuse, who knows what it is for.
    verbatim_names = [
        table.column(c, "label") for c in verbatim if isinstance(c, int) or c in names
    ]
    lines = _lines_of_rows(text, character, quote, len(names), path, separator_key(separator))
    if not table_format.quote:
        _refuse_doubtful_quotes(text, character, len(names), path, lines)
    lines = lines[1:] if table_format.header else lines
    if not len(lines):
        raise DataError(f"{path}: the file has no rows")
    usual = [*MISSING, *table_format.missing]
    options: dict[str, Any] = {
        "sep": r"\s+" if separator == BLANKS else character,
        "header": 0 if table_format.header else None,
        "names": list(range(len(names))),
        "quotechar": quote or '"',
        "quoting": csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        "decimal": table_format.decimal,
        "na_values": {
            i: ["", *table_format.missing] if name in verbatim_names else usual
            for i, name in enumerate(names)
        },
    }
    dtypes = {names.index(name): str for name in {*text_columns, *verbatim_names}}
    frame = _parse(text, path, lines, dtype=dtypes, **options)
    notes += _leading_zero_notes(text, path, names, frame, options)
    frame = frame.set_axis(names, axis=1)
    if table_format.header and are_data(names):
        shown = ", ".join(f'"{name}"' for name in names[:3])
        notes.append(
            f"{path.name}: line {first_line} ({shown}, ...) looks like data, but was taken for "
            "column names; write header = false if it is a row"
        )
    return RawTable(
        source=str(path),
        frame=frame,
        lines=lines,
        sha256=hashlib.sha256(content).hexdigest(),
        notes=tuple(notes),
    )


def _no_rows(names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(names))


def _column_names(cells: Sequence[str], line: int, path: Path, *, header: bool) -> list[str]:
    """The column names of the first line; nameless columns are called by their number."""
    cells = [" ".join(cell.split()) for cell in cells] if header else [""] * len(cells)
    names = [name or f"column {number}" for number, name in enumerate(cells, start=1)]
    if len(set(names)) < len(names):
        repeated = Counter(names).most_common(1)[0][0]
        remedy = "write header = false if the line is data" if are_data(names) else "rename one"
        raise DataError(f'{path}, line {line}: two columns are named "{repeated}"; {remedy}')
    return names


def _lines_of_rows(
    text: bytes, separator: str, quote: str, columns: int, path: Path, separator_text: str
) -> NDArray[np.intp]:
    """The line on which each record begins; one of another number of cells is refused."""
    lines, line = array("q"), 0
    try:
        for line, cells in _cell_counts(text, separator, quote):
            if cells == columns:
                lines.append(line)
            elif cells:
                raise DataError(
                    f"{path}, line {line}: {cells} cells instead of {columns} "
                    f"({separator_text}); mend the line, or write another separator"
                )
    except csv.Error as error:
        raise DataError(f"{path}, line {line + 1}: cannot be read ({error})") from None
    return np.array(lines, dtype=np.intp)


def _cell_counts(text: bytes, separator: str, quote: str) -> Iterator[tuple[int, int]]:
    """Yield the first line of each record and its number of cells, 0 for a blank line."""
    if quote and quote.encode() in text:
        records = split_records(text, separator, quote)
        return ((line, len(cells)) for line, cells in records)
    # Without quotes it is enough to count separators, which is many times faster.
    lines = enumerate(io.BytesIO(text), start=1)
    if separator == BLANKS:
        return ((n, len(line.split())) for n, line in lines)
    mark, blank = separator.encode(), b" \r\n" if separator == "\t" else b" \t\r\n"
    return ((n, line.count(mark) + 1 if line.strip(blank) else 0) for n, line in lines)


def _refuse_doubtful_quotes(
    text: bytes, separator: str, columns: int, path: Path, lines: NDArray[np.intp]
) -> None:
    """Refuse quotes that make one row of several lines, each of which is a row without them.

    In a text of messages, for example, a quote that only one line opens would swallow rows.
    """
    tail = text[-1000:]
    last_line = text.count(b"\n", 0, len(text) - len(tail) + len(tail.rstrip())) + 1
    if not len(lines) or last_line - lines[0] + 1 == len(lines):
        return
    single = array("q")
    for line, cells in _cell_counts(text, separator, ""):
        if cells not in (0, columns):
            return
        if cells:
            single.append(line)
    if len(single) == len(lines):
        return
    row = int((np.array(single[: len(lines)]) != lines).argmax())
    if single[row] == lines[row]:
        row = len(lines)
    raise DataError(
        f"{path}, line {single[row]}: by a quote opened before, it belongs to the row of line "
        f'{lines[row - 1]}, but alone it is a row, too; write quote = "none" if quotes are part '
        "of the text, or quote = '\"' if they hold cells together"
    )


def _parse(text: bytes, path: Path, lines: NDArray[np.intp], **options: Any) -> pd.DataFrame:
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
        raise DataError(f"{path}: {len(lines)} lines make {len(frame)} rows; check its quotes")
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
        **options,
    )
    return frame


def _leading_zero_notes(
    text: bytes, path: Path, names: Sequence[str], frame: pd.DataFrame, options: dict[str, Any]
) -> list[str]:
    """Notes on whole numbers that are written with leading zeros, as codes are."""
    if all(dtype.kind != "i" for dtype in frame.dtypes):
        return []
    sample = _read_csv(text, dtype=str, nrows=_SAMPLE_ROWS, **options)
    notes = []
    for i, name in enumerate(names):
        if frame.dtypes[i].kind == "i":
            padded = sample[i][sample[i].str.fullmatch(r"0[0-9]+", na=False)]
            if len(padded):
                notes.append(
                    f'{path.name}: column "{name}": cells such as "{padded.iloc[0]}" are read as '
                    f'numbers, without leading zeros; write categorical = ["{name}"] if they are '
                    "codes"
                )
    return notes
