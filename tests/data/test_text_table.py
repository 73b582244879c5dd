"""Separated text: the same values from every dialect, and a line for what no dialect explains."""

from __future__ import annotations

import csv
import gzip
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remix_study.data.numbers import settle_numbers
from remix_study.data.raw_table import RawTable, join_tables
from remix_study.data.text_table import read_text_table
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

NAMES = ("number", "count", "text", "label")


@dataclass(frozen=True)
class Dialect:
    """One way of writing a table, and the keys that read it."""

    ending: str = ".csv"
    keys: TableFormat = TableFormat()
    separator: str = ","
    decimal: str = "."
    thousands: str = ""
    line_end: str = "\n"
    encoding: str = "utf-8"
    quoting: Any = csv.QUOTE_MINIMAL
    blanks: str = ""
    missing: str = ""
    unit: str = ""


DIALECTS = {
    "commas": Dialect(),
    "semicolons and decimal commas": Dialect(
        keys=TableFormat(decimal=","), separator=";", decimal=","
    ),
    "commas and decimal commas in quotes": Dialect(keys=TableFormat(decimal=","), decimal=","),
    "tabs": Dialect(".tsv", separator="\t"),
    "bars": Dialect(".txt", separator="|"),
    "blanks": Dialect(".data", separator=" ", quoting=csv.QUOTE_NONNUMERIC, missing="NA"),
    "Windows' line ends, all cells in quotes": Dialect(line_end="\r\n", quoting=csv.QUOTE_ALL),
    "UTF-16": Dialect(encoding="utf-16"),
    "Latin-1": Dialect(keys=TableFormat(encoding="latin-1"), encoding="latin-1"),
    "UTF-8 with a byte order mark": Dialect(encoding="utf-8-sig"),
    "no header": Dialect(keys=TableFormat(header=False, separator=",")),
    "grouped digits": Dialect(keys=TableFormat(thousands=","), thousands=","),
    "grouped digits, decimal commas": Dialect(
        keys=TableFormat(thousands=".", decimal=","), separator=";", thousands=".", decimal=","
    ),
    "blanks behind separators": Dialect(blanks=" "),
    "two characters": Dialect(".dat", TableFormat(separator="::"), separator="::"),
    "gzip": Dialect(".csv.gz"),
    "a word for missing": Dialect(keys=TableFormat(missing=("n.a.",)), missing="n.a."),
    "units": Dialect(keys=TableFormat(units=("€", "%")), unit=" €"),
}

TEXTS = st.text('abé ;,|\t"\n0.-', max_size=5).map(lambda text: f"x{text}".strip())
ROWS = st.lists(
    st.tuples(
        st.none() | st.floats(-1e9, 1e9).map(lambda value: float(repr(value))),
        st.integers(-(10**7), 10**7),
        st.none() | TEXTS,
        st.sampled_from(["NA", "null", "None", "01", "yes"]),
    ),
    min_size=1,
    max_size=6,
)


def write(path: Path, rows: list[tuple[Any, ...]], dialect: Dialect) -> list[int]:
    """Write rows; returns the line on which each begins."""
    stream = io.StringIO(newline="")
    separator = "\x1f" if len(dialect.separator) > 1 else dialect.separator
    writer = csv.writer(
        stream, delimiter=separator, quoting=dialect.quoting, lineterminator=dialect.line_end
    )
    header = [] if not dialect.keys.header else [NAMES]
    lines = []
    for cells in [*header, *([cell_text(cell, dialect) for cell in row] for row in rows)]:
        lines.append(stream.getvalue().count("\n") + 1)
        writer.writerow(cells)
    text = stream.getvalue().replace("\x1f", dialect.separator + dialect.blanks)
    if dialect.blanks:
        text = "\n".join(re.sub(',(?=")|,(?=[^" ]*$)', ", ", line) for line in text.split("\n"))
    content = text.encode(dialect.encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return lines[len(header) :]


def cell_text(cell: Any, dialect: Dialect) -> str:
    if cell is None:
        return dialect.missing
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        return repr(cell).replace(".", dialect.decimal) + dialect.unit
    digits = f"{cell:,}".replace(",", dialect.thousands)
    return digits + dialect.unit


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS)
def test_every_dialect_gives_back_the_values(tmp_path: Path, name: str, rows: list[Any]) -> None:
    dialect = DIALECTS[name]
    if dialect.separator == " ":
        rows = [(a, b, c and c.replace("\n", "/"), d) for a, b, c, d in rows]
    if len(dialect.separator) > 1 or dialect.blanks:
        rows = [(a, b, c and re.sub('[",\n]', "/", c), d) for a, b, c, d in rows]
    path = tmp_path / f"table{dialect.ending}"
    lines = write(path, rows, dialect)
    table = read_text_table(path, dialect.keys, verbatim=(-1,))
    assert table.lines is not None
    assert table.lines.tolist() == lines
    features = settle_numbers(table.without([table.names[-1]]), dialect.keys).frame
    number, count, text = (features.iloc[:, i] for i in range(3))
    expected = np.array([np.nan if row[0] is None else row[0] for row in rows])
    np.testing.assert_allclose(number.to_numpy(dtype=float), expected, rtol=5e-16)
    assert count.tolist() == [row[1] for row in rows]
    assert [None if cell != cell else cell for cell in text] == [row[2] for row in rows]
    assert table.frame.iloc[:, 3].tolist() == [row[3] for row in rows]
