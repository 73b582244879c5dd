"""What separates the cells of a text: said by a key, by the file's name, or shown by its lines."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from remix_study.data.text_records import (
    BLANKS,
    STATED,
    Cut,
    quote_of,
    separator_key,
    split_records,
)
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

_BY_ENDING = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_CANDIDATES = (",", ";", "\t", "|")
# The beginning that is looked at: so many bytes and so many lines at least.
_SAMPLE_BYTES = 1 << 16
_SAMPLE_LINES = 20


def detect_separator(text: bytes, path: Path, table_format: TableFormat) -> tuple[str, str]:
    """Find the separator of a text.

    It is the one that the format says, or a first line ``sep=;`` as Excel writes it. A name that
    ends in ``.tsv`` or ``.tab`` says tabs. Else it is the only one of comma, semicolon, tab and
    bar that cuts every one of the first lines into the same number of cells, two at least; where
    none does, blanks if they do. A name that says nothing leaves a doubt where blanks do so, too.

    Args:
        text: The text, UTF-8.
        path: The file.
        table_format: Its separator, and its decimal mark, which separates only if nothing else
            does.

    Returns:
        The separator, and a note if neither the format nor the file's name says it.

    Raises:
        DataError: Several separators would do, or none.
    """
    if table_format.separator:
        return table_format.separator, ""
    if stated := STATED.match(text):
        return stated[1].decode(), ""
    stem = path.with_suffix("") if path.suffix.lower() in (".gz", ".zip") else path
    usual = _BY_ENDING.get(stem.suffix.lower(), "")
    sample = _beginning(text)
    is_cut = len(text) > len(sample)
    quote = quote_of(table_format)
    counts = {c: _counts(sample, Cut(c, quote), is_cut=is_cut) for c in (*_CANDIDATES, BLANKS)}
    fitting = [c for c in _CANDIDATES if len(set(counts[c])) == 1 and counts[c][0] > 1]
    if usual == "\t" and (usual in fitting or counts[usual][:1] > [1]):
        return usual, ""
    is_said = usual in fitting or "\t" in fitting
    if fitting and not is_said:
        # Blanks behind a separator belong to it.
        mark = re.escape(fitting[0].encode())
        without = re.sub(mark + rb"[ \t]+", fitting[0].encode(), sample)
        counts[BLANKS] = _counts(without, Cut(BLANKS, quote), is_cut=is_cut)
    if not is_said and len(set(counts[BLANKS])) == 1 and counts[BLANKS][0] > 1:
        fitting += [BLANKS]
    # A decimal mark separates cells only where those numbers are in quotes.
    fitting = [c for c in fitting if c != table_format.decimal] or fitting
    if len(fitting) > 1:
        keys = " or ".join(separator_key(c) for c in fitting)
        raise DataError(f"{path}: its cells may be separated in several ways; write {keys}")
    if fitting:
        key = separator_key(fitting[0])
        note = f"{path.name}: its lines show what separates cells: {key}"
        return fitting[0], "" if fitting == [usual] else note
    # No separator fits all lines: the one of the first line, so that a faulty line is named.
    likely = max(_CANDIDATES, key=lambda c: (counts[c][:1], c == usual))
    if counts[likely][:1] <= [1]:
        raise DataError(f"{path}: {_one_cell_fault(counts)}")
    return likely, ""


def _beginning(text: bytes) -> bytes:
    """The first whole lines of a text."""
    end = -1
    for _ in range(_SAMPLE_LINES):
        end = text.find(b"\n", end + 1)
        if end < 0:
            return text
    return text[: max(end, text.rfind(b"\n", 0, _SAMPLE_BYTES)) + 1]


def _one_cell_fault(counts: Mapping[str, Sequence[int]]) -> str:
    """What is wrong with a text whose first line no separator cuts."""
    later = {c: max(set(n[1:]), key=n[1:].count) for c, n in counts.items() if len(n) > 1}
    likely = max(_CANDIDATES, key=lambda c: later.get(c, 0))
    if later.get(likely, 0) > 1:
        return (
            f"its first line is one cell, and others have {later[likely]} "
            f"({separator_key(likely)}); remove what is above the column names"
        )
    return f"each line is one cell; write the separator of its cells, such as {separator_key(';')}"


def _counts(sample: bytes, cut: Cut, *, is_cut: bool) -> list[int]:
    """Number of cells of each record of the beginning of a text."""
    counts = []
    try:
        counts = [len(cells) for _, cells in split_records(sample, cut) if cells]
    except csv.Error:
        return []
    # The last record may go on behind the sample.
    return counts[:-1] if is_cut and len(counts) > 1 else counts
