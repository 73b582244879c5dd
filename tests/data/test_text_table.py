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
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remix_study.data.numbers import settle_numbers
from remix_study.data.raw_table import RawTable
from remix_study.data.readers import read_tables
from remix_study.data.table_file import load_file
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

PLAIN = TableFormat()
NAMES = ("number", "count", "text", "label")


@dataclass(frozen=True)
class Dialect:
    """One way of writing a table, and the keys that read it."""

    ending: str = ".csv"
    keys: TableFormat = PLAIN
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
    table = read_tables([path], dialect.keys, verbatim=(-1,))
    assert table.lines is not None
    assert table.lines.tolist() == lines
    features = settle_numbers(table.without([table.names[-1]]), dialect.keys).frame
    number, count, text = (features.iloc[:, i] for i in range(3))
    expected = np.array([np.nan if row[0] is None else row[0] for row in rows])
    np.testing.assert_allclose(number.to_numpy(dtype=float), expected, rtol=5e-16)
    assert count.tolist() == [row[1] for row in rows]
    assert [None if cell != cell else cell for cell in text] == [row[2] for row in rows]
    assert table.frame.iloc[:, 3].tolist() == [row[3] for row in rows]


def table_of(folder: Path, text: str | bytes, name: str = "t.csv", **keys: Any) -> RawTable:
    """The raw table of a text, whose last column is the label."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_tables([path], TableFormat(**keys), verbatim=(-1,))


def refusal(folder: Path, text: str | bytes, name: str = "t.csv", **keys: Any) -> str:
    """The message on a text, without its folder."""
    with pytest.raises(DataError) as caught:
        table_of(folder, text, name, **keys)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("name", "text", "separator"),
    [
        ("t.csv", "a,b\n1,2\n", ","),
        ("t.csv", "a;b\n1;2\n", ";"),
        ("t.csv", "a|b\n1|2\n", "|"),
        ("t.csv", "a\tb\n1\t2\n", "\\t"),
        ("t.csv", "a;b\n1,5;2,5\n", ";"),
        ("t.data", "  a   b\n 1.5\t 2\n", " "),
        ("t.data", "a, b\n1, 2\n", ","),
        ("t.data", "a\tb\n1\t2\n", "\\t"),
        ("t.txt", "a b\tc d\n1 2\t3 4\n", "\\t"),
        ("t.tsv", "a\tb\n1,5\t2,5\n", "\\t"),
        ("t.txt", 'a;note\n1;"x; y, z"\n', ";"),
    ],
)
def test_a_separator_that_the_lines_show_is_used_and_noted(
    tmp_path: Path, name: str, text: str, separator: str
) -> None:
    table = table_of(tmp_path, text, name)
    assert (len(table.names), table.n_rows) == (2, 1)
    is_usual = (name[-3:], separator) in {("csv", ","), ("tsv", "\\t")}
    note = f'{name}: its lines show what separates cells: separator = "{separator}"'
    assert table.notes == (() if is_usual else (note,))


@pytest.mark.parametrize(
    ("text", "keys", "message"),
    [
        (
            "1,5;2,5\n3,5;4,5\n",
            {"header": False},
            "t.csv: its cells may be separated in several ways; "
            'write separator = "," or separator = ";"',
        ),
        ("ab\ncd\n", {}, "t.csv: each line is one cell; write the separator of its cells"),
        ("Title\n\na;b\n1;2\n", {}, "t.csv: its first line is one cell, and others have 2 (sep"),
        ("a,b\n1,é\n".encode("utf-16-le"), {}, 'such as encoding = "utf-16"'),
        ("a,b\n1,2\n".encode("utf-16-le"), {}, 'write encoding = "utf-16" if it is that'),
        ("a,b\n1,2\n", {"encoding": "hex"}, 't.csv: encoding "hex" is unknown'),
        ("a,b\n1,2\n", {"separator": ";"}, 't.csv, line 1: one cell only (separator = ";")'),
        ("a|b|c\n1|2|3\n4|5\n", {}, 't.csv, line 3: 2 cells instead of 3 (separator = "|")'),
        # The record before begins on line 2 and has three lines.
        ('a,b\n"x\ny\nz",0\n1\n', {}, 't.csv, line 5: 1 cells instead of 2 (separator = ",")'),
        ('a,b\n\n\n1,2\n"x,0\n', {}, "t.csv, line 5: "),
        ('a,b\n1,2\n3,"x\n5,6,7\n', {}, "t.csv, line 3: a quote is opened and never closed"),
        ("5.1,3.5,5.1\n4.9,3.0,x\n", {}, 'line 1: two columns are named "5.1"; write header ='),
        ("vhigh,vhigh,2\nlow,low,3\n", {}, 'named "vhigh"; rename one, or write header = false'),
        ("a,b\n1,2,\n3,4,\n", {}, 'line 2: 3 cells instead of 2 (separator = ","); name all 3'),
        ("a,b\n1,2\n3,4,\n", {}, 'line 3: 3 cells instead of 2 (separator = ","); mend the line'),
        ("a,b\n1,\xe9\n".encode("latin-1"), {}, "t.csv, line 2: not UTF-8 text; save the file as"),
        ("a,b\n1,2\n", {"encoding": "utf8x"}, 't.csv: encoding "utf8x" is unknown; did you mean'),
        (b"a,b\n1,\x81\n", {"encoding": "cp1252"}, "t.csv, line 2: not CP1252 text"),
        ("a,b\n1,2\n", {"categorical": ("c",)}, 'categorical column "c" is not in the header'),
        ("a,b\n1,2\n", {"categorical": (3,)}, "categorical = 3: there are 2 columns, numbered"),
        ("a,b\n\n\n", {}, "t.csv: the file has no rows"),
    ],
)
def test_a_text_that_is_no_table_is_refused_with_its_line_and_key(
    tmp_path: Path, text: str | bytes, keys: dict[str, Any], message: str
) -> None:
    assert message in refusal(tmp_path, text, **keys)


def test_blanks_beside_commas_are_a_doubt_where_the_name_says_nothing(tmp_path: Path) -> None:
    text = "1,5 2,5 a\n3,5 4,5 b\n"
    keys = 'write separator = "," or separator = " "'
    assert keys in refusal(tmp_path, text, "t.data", header=False)
    table = table_of(tmp_path, text, "t.data", header=False, decimal=",")
    assert table.frame.iloc[:, 0].tolist() == [1.5, 3.5]
    # Commas with a blank behind are commas.
    assert table_of(tmp_path, "1, 2, a\n3, 4, b\n", "t.data", header=False).frame.shape == (2, 3)


def test_a_first_line_that_names_the_separator_is_taken_at_its_word(tmp_path: Path) -> None:
    table = table_of(tmp_path, "sep=;\r\na;b,c\r\n1;2\r\n3;4,5\r\n")
    assert table.names == ["a", "b,c"]
    assert table.lines is not None
    assert table.lines.tolist() == [3, 4]


def test_lines_may_be_long(tmp_path: Path) -> None:
    name = "a" * 100_000
    table = table_of(tmp_path, f"{name};y\n1;p\n2;q\n")
    assert (table.names, table.n_rows) == ([name, "y"], 2)
    # Beyond the beginning, too, a line of another number of cells is named.
    text = "a,y\n" + "1,p\n" * 30_000
    assert table_of(tmp_path, text).n_rows == 30_000
    assert "t.csv, line 30002: 3 cells instead of 2" in refusal(tmp_path, text + "1,2,p\n")


def test_quotes_behind_blanks_count_as_pandas_reads_them(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'a, note, y\n1, "x, 0", p\n2, "x, 1", q\n')
    assert table.frame["note"].tolist() == ["x, 0", "x, 1"]


def test_quotes_that_may_swallow_rows_are_refused(tmp_path: Path) -> None:
    text = 'y\ttext\nham\t"Wen u miss\nspam\tcall now\nham\t"so" long" ok\nham\tbye\n'
    message = refusal(tmp_path, text, "t.tsv")
    assert message.startswith("t.tsv, line 3: by a quote opened before, it belongs to the row of")
    assert 'write quote = "none" if quotes are part of the text' in message
    table = table_of(tmp_path, text, "t.tsv", quote="none")
    assert table.frame["text"].tolist() == ['"Wen u miss', "call now", '"so" long" ok', "bye"]
    assert table_of(tmp_path, text, "t.tsv", quote='"').n_rows == 2
    # The last row swallows those behind it.
    text = 'y,text\nham,ok\nham,"so\nspam,"call now\n'
    assert "t.csv, line 4: by a quote" in refusal(tmp_path, text)


def test_a_separator_of_two_characters_stays_in_quoted_cells(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'a::"b::c"::y\n1::"x::y"::p\n', "t.dat", separator="::")
    assert table.names == ["a", "b::c", "y"]
    assert table.frame["b::c"].tolist() == ["x::y"]
    message = refusal(tmp_path, "a::b::y\n1::2\n", "t.dat", separator="::")
    assert message.startswith('t.dat, line 2: 2 cells instead of 3 (separator = "::")')


def test_single_quotes_hold_cells_together_by_key(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a,b,y\n'x, 1','it''s',p\n'z','\"w\"',q\n", quote="'")
    assert table.frame["a"].tolist() == ["x, 1", "z"]
    assert table.frame["b"].tolist() == ["it's", '"w"']


def test_a_row_of_gaps_is_a_row_and_a_blank_line_is_none(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a\tb\ty\n\t\tp\n\n  \n1\t2\tq\n", "t.tsv")
    assert table.lines is not None
    assert table.lines.tolist() == [2, 5]
    assert table.frame["y"].tolist() == ["p", "q"]


@pytest.mark.parametrize(
    ("header", "is_noted"),
    [
        ("5.1,3.5,setosa", True),
        ("5.1,3.5,0", True),
        ("0,1,2", False),
        ("1,2,3", False),
        ("age,1999,class", False),
    ],
)
def test_a_first_row_that_looks_like_data_is_noted(
    tmp_path: Path, header: str, is_noted: bool
) -> None:
    table = table_of(tmp_path, f"{header}\n4.9,3.0,setosa\n")
    assert table.n_rows == 1
    assert bool(table.notes) == is_noted
    if is_noted:
        assert "line 1" in table.notes[0]
        assert "header = false" in table.notes[0]
    without_header = table_of(tmp_path, f"{header}\n4.9,3.0,setosa\n", header=False)
    assert without_header.names == ["column 1", "column 2", "column 3"]
    assert (without_header.n_rows, without_header.notes) == (2, ())


def test_leading_zeros_are_noted_and_kept_by_key(tmp_path: Path) -> None:
    text = "zip,size,y\n01234,10,a\n98765,0,b\n00501,7,a\n"
    table = table_of(tmp_path, text)
    assert table.frame["zip"].tolist() == [1234, 98765, 501]
    (note,) = table.notes
    assert 'column "zip": cells such as "01234"' in note
    assert 'categorical = ["zip"]' in note
    for column in ("zip", 1, -3):
        as_names = table_of(tmp_path, text, categorical=(column,))
        assert as_names.frame["zip"].tolist() == ["01234", "98765", "00501"]
        assert as_names.notes == ()


def test_files_are_joined_by_the_names_of_their_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,t,y\n1,u,p\n2,v,q\n")
    (tmp_path / "b.csv").write_text("t;n;y\nw;?;p\n\nx;n.a.;q\n")
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    table = read_tables(paths, PLAIN, verbatim=("y",))
    assert table.frame["t"].tolist() == ["u", "v", "w", "x"]
    assert table.frame["y"].tolist() == ["p", "q", "p", "q"]
    places = [table.place(row).replace(f"{tmp_path}/", "") for row in range(4)]
    assert places == ["a.csv, line 2", "a.csv, line 3", "b.csv, line 2", "b.csv, line 4"]
    with pytest.raises(DataError, match=r'b\.csv, line 4, column "n": "n.a." is not a number \(2'):
        settle_numbers(table, PLAIN)
    settled = settle_numbers(table, TableFormat(missing=("n.a.",)))
    np.testing.assert_array_equal(settled.frame["n"], [1, 2, np.nan, np.nan])
    (tmp_path / "b.csv").write_text("t,m,y\nw,3,p\n")
    with pytest.raises(DataError, match=r"b\.csv: its columns differ .* lacks n and has m beside"):
        read_tables(paths, PLAIN, verbatim=("y",))


def test_every_dialect_makes_the_same_features(tmp_path: Path) -> None:
    rows = [
        (None if i == 3 else i * 1.375, i * 1000, None if i == 4 else f"t {i % 3}", "ny"[i % 2])
        for i in range(12)
    ]
    datasets = []
    for number, dialect in enumerate(DIALECTS.values()):
        path = tmp_path / f"table{number}{dialect.ending}"
        write(path, rows, dialect)
        datasets.append(load_file(path, label=-1, table_format=dialect.keys))
    first = datasets[0]
    assert first.X.shape[0] == 12
    for dataset in datasets[1:]:
        np.testing.assert_array_equal(dataset.X, first.X)
        np.testing.assert_array_equal(dataset.y, first.y)
        assert dataset.classes == first.classes
        if "column 1" not in dataset.features:
            assert dataset.features == first.features


KEYS = st.builds(
    TableFormat,
    separator=st.sampled_from(["", "", ";", " ", "::"]),
    quote=st.sampled_from(["", '"', "'", "none"]),
    decimal=st.sampled_from([".", ","]),
    header=st.booleans(),
    units=st.sampled_from([(), ("%",)]),
    encoding=st.sampled_from(["", "", "utf-16", "cp1252"]),
)
CELLS = st.sampled_from(
    ["1", "-2.5", "a", "", "x y", '"q, r"', '"q\nr"', '"', "n.a.", "NA", "3%", "1,5"]
)
CONTENTS = (
    st.text("a1,;|\"\t\n\r .-%'", max_size=40).map(str.encode)
    | st.binary(max_size=30)
    | st.lists(st.lists(CELLS, min_size=3, max_size=3).map(",".join), min_size=1, max_size=8).map(
        lambda lines: "\n".join(lines).encode()
    )
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=CONTENTS, keys=KEYS, ending=st.sampled_from([".csv", ".tsv", ".data"]))
def test_whatever_a_file_holds_is_a_table_or_refused_in_one_line(
    tmp_path: Path, content: bytes, keys: TableFormat, ending: str
) -> None:
    path = tmp_path / f"t{ending}"
    path.write_bytes(content)
    message = ""
    try:
        table = read_tables([path], keys, (-1,))
        assert table.lines is not None
        assert len(table.lines) == table.n_rows
        settle_numbers(table.without([table.names[-1]]), keys)
    except DataError as error:
        message = str(error)
    assert message.startswith(str(path) if message else "")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "is_noted"),
    [
        ("0.126,v,positive\n0.5,u,negative\n-1,v,positive\n", True),
        ("39,State-gov,Male,<=50K\n50,Private,Male,>50K\n38,State-gov,Female,<=50K\n", True),
        ("p,x,s\ne,x,s\np,b,y\n", True),
        ("age,work,sex\n39,work,Male\n50,Private,Female\n", False),
        ("0,1,2\n0,2,2\n1,1,0\n", False),
        ("id,1.5,2.5,3.5\na,1,2,3\nb,4,5,6\n", True),
    ],
)
def test_a_first_line_that_looks_like_data_is_noted(
    tmp_path: Path, text: str, is_noted: bool
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    table = read_tables([path], TableFormat(), ())
    assert any("looks like data" in note for note in table.notes) == is_noted


@pytest.mark.parametrize(
    ("cells", "is_noted"),
    [
        (["1.234", "620", "12.500"], True),
        (["1.234", "620", "1.5"], False),
        (["0.125", "1", "2"], False),
        (["1.234", "2.000", "3.125"], False),
        (["1.234", "", "12.500"], False),
    ],
)
def test_points_that_may_group_digits_are_noted(
    tmp_path: Path, cells: list[str], is_noted: bool
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a;b", *(f"{cell};x" for cell in cells)]))
    notes = read_tables([path], TableFormat(), ()).notes
    assert any('column "a": cells such as "1.234"' in note for note in notes) == is_noted
    keys = TableFormat(decimal=",", thousands=".")
    if is_noted:
        read = settle_numbers(read_tables([path], keys, ()), keys)
        assert read.frame["a"].tolist() == [1234, 620, 12500]


def test_a_column_that_is_left_out_is_not_noted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("zip,a,y\n" + "".join(f"0{i},{i * i},{i % 2}\n" for i in range(9)))
    assert any("leading zeros" in note for note in load_file(path, label="y").notes)
    assert load_file(path, label="y", drop=("zip",)).notes == ()
