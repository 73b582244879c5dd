"""Cut a text into records and cells, and find the line on which each row begins."""

from __future__ import annotations

import csv
import io
import json
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

BLANKS = " "
"""The separator that stands for any run of blanks."""

STATED = re.compile(rb"sep=([,;|\t:~^ ])\r?\n", re.IGNORECASE)
"""A first line that names the separator, as Excel reads and writes it."""

_BLANK_SEPARATED = r"{0}(?:[^{0}]|{0}{0})*{0}[^ \t\r\n]*|[^ \t\r\n]+"


@dataclass(frozen=True)
class Cut:
    """Where cells begin and end.

    Attributes:
        separator: The character between two cells; ``BLANKS`` for any run of blanks.
        quote: The character that a cell may be set in, "" for none.
        written: The separator as the file has it, where ``separator`` stands for it.
    """

    separator: str
    quote: str
    written: str = ""

    @property
    def key(self) -> str:
        """The separator as the key of a problem, for messages."""
        return separator_key(self.written or self.separator)


def separator_key(separator: str) -> str:
    """A separator as the key of a problem has it: ``separator = "\\t"``."""
    return f"separator = {json.dumps(separator, ensure_ascii=False)}"


def quote_of(table_format: TableFormat) -> str:
    """What cells are set in, "" for nothing."""
    return {"": '"', "none": ""}.get(table_format.quote, table_format.quote)


def split_records(text: bytes, cut: Cut) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line of each record and its cells, none for a blank line.

    A record has several lines where a quoted cell has. Blanks before a cell are left out.

    Args:
        text: The text, UTF-8.
        cut: How cells are cut.

    Raises:
        csv.Error: A cell of more than 128 KiB, such as after a quote that never closes.
    """
    stream = io.TextIOWrapper(io.BytesIO(text), "utf-8", errors="replace", newline="")
    if cut.separator == BLANKS:
        pattern = _BLANK_SEPARATED.format(cut.quote) if cut.quote else r"[^ \t\r\n]+"
        cell = re.compile(pattern)
        for number, line in enumerate(stream, start=1):
            yield number, [text.strip(cut.quote or None) for text in cell.findall(line)]
        return
    reader = csv.reader(
        stream,
        delimiter=cut.separator,
        quotechar=cut.quote or None,
        quoting=csv.QUOTE_MINIMAL if cut.quote else csv.QUOTE_NONE,
        skipinitialspace=True,
    )
    first_line = 1
    for cells in reader:
        is_blank = len(cells) == 1 and not cells[0].strip()
        yield first_line, [] if is_blank else cells
        first_line = reader.line_num + 1


def row_lines(text: bytes, cut: Cut, columns: int, path: Path) -> NDArray[np.intp]:
    """Find the line on which each record begins, the header's first, intp.

    Raises:
        DataError: A record of another number of cells than ``columns``.
    """
    lines, line = array("q"), 0
    try:
        for line, cells in _cell_counts(text, cut):
            if cells == columns:
                lines.append(line)
            elif cells:
                remedy = "mend the line"
                if len(lines) == 1 and cells == columns + 1:
                    # As R writes the names of rows; or each row ends in a separator.
                    remedy = f"name all {cells} columns in line {lines[0]}, {remedy}"
                raise DataError(
                    f"{path}, line {line}: {cells} cells instead of {columns} ({cut.key}); "
                    f"{remedy} (a cell that holds the separator needs quotes), or write another "
                    "separator"
                )
    except csv.Error as error:
        raise DataError(f"{path}, line {line + 1}: cannot be read ({error})") from None
    return np.array(lines, dtype=np.intp)


def _cell_counts(text: bytes, cut: Cut) -> Iterator[tuple[int, int]]:
    """Yield the first line of each record and its number of cells, 0 for a blank line."""
    if cut.quote and cut.quote.encode() in text:
        return ((line, len(cells)) for line, cells in split_records(text, cut))
    # Without quotes it is enough to count separators, which is many times faster.
    lines = enumerate(io.BytesIO(text), start=1)
    if cut.separator == BLANKS:
        return ((n, len(line.split())) for n, line in lines)
    mark, blank = cut.separator.encode(), b" \r\n" if cut.separator == "\t" else b" \t\r\n"
    return ((n, line.count(mark) + 1 if line.strip(blank) else 0) for n, line in lines)


def refuse_doubtful_quotes(
    text: bytes, cut: Cut, columns: int, path: Path, lines: NDArray[np.intp]
) -> None:
    """Refuse quotes that make one row of several lines, each of which is a row without them.

    In a text of messages, for example, a quote that only one line opens would swallow rows.

    Args:
        text: The text.
        cut: How cells are cut.
        columns: Number of cells of a row.
        path: The file.
        lines: What :func:`row_lines` returns.
    """
    tail = text[-1000:]
    last_line = text.count(b"\n", 0, len(text) - len(tail) + len(tail.rstrip())) + 1
    if not len(lines) or last_line - lines[0] + 1 == len(lines):
        return
    single = array("q")
    for line, cells in _cell_counts(text, Cut(cut.separator, quote="")):
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
