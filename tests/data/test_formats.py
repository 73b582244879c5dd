"""One small table in every format: the same features and classes; a broken file is one line."""

from __future__ import annotations

import gzip
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arff
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people_table import (
    ARFF,
    COLUMNS,
    FILES,
    FRAME,
    KEEL,
    buffer_of,
    excel,
    npz,
    quoted_arff,
    text,
    write,
    zipped,
)
from scipy import sparse

from remix_study.data.arff import parse_arff
from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.data.table_file import load_file
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

FEATURES = ("age", "city=Bergen", "city=New York", "city=Oslo", "smokes")
NAN = np.nan
X = [
    [31.5, 0, 0, 1, 1],
    [42, 0, 0, 0, 0],
    [NAN, 1, 0, 0, 1],
    [55, 0, 0, 1, NAN],
    [60, 0, 1, 0, 0],
    [18.25, 0, 0, 1, 1],
]


def assert_is_the_table(dataset: Dataset) -> None:
    order = [dataset.features.index(name) for name in FEATURES]
    assert len(dataset.features) == len(FEATURES)
    np.testing.assert_array_equal(dataset.X[:, order], X)
    assert dataset.classes == ("NA", "no", "yes")
    assert [dataset.classes[code] for code in dataset.y] == COLUMNS["target"]
    assert [note for note in dataset.notes if "what separates cells" not in note] == []


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_table(tmp_path: Path, name: str) -> None:
    dataset = load_file(write(tmp_path, name, FILES[name]()), label="target")
    assert_is_the_table(dataset)
    assert dataset.name == name.split(".")[0]


def test_the_header_of_keel_says_which_column_is_the_class(tmp_path: Path) -> None:
    assert_is_the_table(load_file(write(tmp_path, "people.dat", FILES["people.dat"]())))
    with pytest.raises(DataError, match="write label"):
        load_file(write(tmp_path, "people.arff", FILES["people.arff"]()))


WITHOUT_TARGET = {name: cells for name, cells in COLUMNS.items() if name != "target"}
FROM_PYTHON: dict[str, Callable[[], Any]] = {
    "dictionary": lambda: WITHOUT_TARGET,
    "pandas": lambda: FRAME.drop(columns="target"),
    "pandas objects": lambda: FRAME.drop(columns="target").astype(object),
    "polars": lambda: pl.DataFrame(WITHOUT_TARGET),
    "arrow": lambda: pl.DataFrame(WITHOUT_TARGET).to_arrow(),
}


@pytest.mark.parametrize("kind", FROM_PYTHON)
def test_every_table_from_python_gives_the_same(kind: str) -> None:
    assert_is_the_table(from_arrays(FROM_PYTHON[kind](), COLUMNS["target"]))


def test_rows_of_a_dictionary_are_by_position() -> None:
    shuffled = {name: cells.set_axis(range(6, 0, -1)) for name, cells in FRAME.items()}
    shuffled["city"].index = range(6)
    labels = shuffled.pop("target").to_numpy()
    assert_is_the_table(from_arrays(shuffled, labels))


def test_records_and_masks_of_numpy() -> None:
    records = np.array([(1.5, "a"), (2, "b"), (3, "a")], dtype=[("n", float), ("s", "U1")])
    dataset = from_arrays(records, [0, 1, 0])
    assert dataset.features == ("n", "s=a", "s=b")
    masked = np.ma.masked_array([[1, 2], [3, 4], [5, 6]], mask=[[0, 0], [1, 0], [0, 0]])
    np.testing.assert_array_equal(from_arrays(masked, [0, 1, 0]).X, [[1, 2], [NAN, 4], [5, 6]])


def test_bytes_are_text_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "bytes.parquet"
    frame = pd.DataFrame({"s": [b"x", b"y", None, b"x"], "y": [b"no", b"yes", b"no", b"no"]})
    frame.to_parquet(path)
    dataset = load_file(path, label="y")
    assert (dataset.features, dataset.classes) == (("s=x", "s=y"), ("no", "yes"))
    frame.replace(b"x", b"\xff").to_parquet(path)
    with pytest.raises(DataError, match=r"bytes\.parquet: cannot be read as a Parquet file"):
        load_file(path, label="y")
    objects = pl.DataFrame({"a": pl.Series([1, object()], dtype=pl.Object)})
    with pytest.raises(DataError, match=r'a table of polars, cannot be read \(column "a" holds'):
        from_arrays(objects, [0, 1])
    with pytest.raises(DataError, match="holds Python objects"):
        from_arrays(objects["a"], [0, 1])


def test_a_column_that_was_the_index_of_a_frame_stays(tmp_path: Path) -> None:
    FRAME.set_index("age").to_parquet(tmp_path / "people.parquet")
    assert_is_the_table(load_file(tmp_path / "people.parquet", label="target"))
    FRAME.set_index(pd.Index(list("fedcba"))).to_parquet(tmp_path / "people.parquet")
    assert_is_the_table(load_file(tmp_path / "people.parquet", label="target"))


def test_a_polars_series_of_labels() -> None:
    frame = pl.DataFrame(COLUMNS)
    assert_is_the_table(from_arrays(frame.drop("target"), frame["target"]))


@pytest.mark.parametrize(
    "kind", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array, sparse.dok_array]
)
def test_a_sparse_matrix_is_the_array_it_stands_for(kind: Any) -> None:
    matrix = np.array([[0, 1.5], [2, 0], [0, 0]])
    dataset = from_arrays(kind(matrix), ["a", "b", "a"])
    np.testing.assert_array_equal(dataset.X, matrix)


def test_a_sparse_matrix_beyond_memory_is_refused() -> None:
    matrix = sparse.csr_array((100_000, 1_000_000_000))
    with pytest.raises(DataError, match=r"a sparse matrix of 100,000 x 1,000,000,000, w"):
        from_arrays(matrix, np.arange(100_000) % 2)


def test_matrices_of_an_npz_are_columns_by_number(tmp_path: Path) -> None:
    path = tmp_path / "matrix.npz"
    np.savez(path, X=np.arange(6.0).reshape(3, 2), extra=[7, 8, 9.5], y=[0, 1, 0])
    dataset = load_file(path, label="y")
    assert dataset.features == ("X0", "X1", "extra")
    np.testing.assert_array_equal(dataset.X, [[0, 1, 7], [2, 3, 8], [4, 5, 9.5]])


def test_dates_and_gaps_of_an_arff(tmp_path: Path) -> None:
    content = b"""@relation r
@attribute day date 'dd.MM.yyyy HH:mm'
@attribute n integer
@attribute c {a,b}
@data
'31.12.2020 23:59', 1, a
?, ?, b
"""
    table = parse_arff(content, tmp_path, TableFormat())
    assert table.frame["day"].tolist() == [pd.Timestamp(2020, 12, 31, 23, 59), pd.NaT]
    assert table.lines is not None
    assert table.lines.tolist() == [6, 7]


# Without braces and a lone question mark, which the library writes without quotes.
TEXTS = st.text(
    st.characters(exclude_categories=("C", "Z", "Ps", "Pe"), include_characters=" ,'\"%?\\é"),
    min_size=1,
).map(str.strip)
ARFF_ROWS = st.lists(
    st.tuples(
        st.none() | st.floats(-1e9, 1e9),
        st.none() | TEXTS.filter(lambda text: text not in ("", "?")),
        st.sampled_from(["a b", "it's", 'say "x"', "c,d", "50%"]),
    ),
    min_size=1,
)


@settings(max_examples=25)
@given(st.sampled_from(["t", "t u", "t,u", "t%", "{t}"]), ARFF_ROWS)
def test_what_another_library_writes_as_arff_is_read_back(
    name: str, rows: list[tuple[float | None, str | None, str]]
) -> None:
    values = sorted({row[2] for row in rows})
    attributes = [("x y", "REAL"), (name, "STRING"), ("class", values)]
    written = {"relation": "r", "attributes": attributes, "data": [list(row) for row in rows]}
    frame = parse_arff(arff.dumps(written).encode(), Path("x.arff"), TableFormat()).frame
    assert list(frame.columns) == ["x y", name, "class"]
    np.testing.assert_array_equal(frame["x y"], [NAN if r[0] is None else r[0] for r in rows])
    texts = frame[name]
    assert [None if pd.isna(cell) else cell for cell in texts] == [r[1] for r in rows]
    assert frame["class"].tolist() == [row[2] for row in rows]


# What is wrong: the file's name, its content, and how the message begins after the path.
BROKEN: list[tuple[str, Callable[[], bytes], str]] = [
    ("x.parquet", lambda: b"PAR1 and more", ": cannot be read as a Parquet file"),
    ("x.parquet", lambda: buffer_of(FRAME.to_parquet)[:-9], ": cannot be read as a Parquet file"),
    ("x.feather", lambda: b"nothing of this kind", ": cannot be read as a Feather file"),
    ("x.xlsx", lambda: excel()[:300], ": cannot be read as an Excel file"),
    (
        "x.xlsx",
        lambda: b"a,b\n1,2\n",
        ": cannot be read as an Excel file (File is not a zip file); save it",
    ),
    ("x.csv", excel, ": no text, but a zip or an Excel file; name it .zip or .xlsx"),
    (
        "x.csv",
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1",
        ": no text, but an Excel file of the old format; save",
    ),
    ("x.npz", lambda: npz()[:200], ": cannot be read as NPZ arrays"),
    (
        "x.npz",
        lambda: buffer_of(lambda f: np.savez(f, a=np.zeros(3), b=np.zeros(2))),
        ': columns differ in length: "a" has 3, "b" has 2 rows',
    ),
    (
        "x.npz",
        lambda: buffer_of(lambda f: np.savez(f, a=np.zeros((2, 2, 2)))),
        ': array "a" has shape (2, 2, 2)',
    ),
    ("x.zip", lambda: b"PK\x03\x04 broken", ": damaged zip file"),
    # The place of its list of files is too large: Python looks before the beginning.
    (
        "x.zip",
        lambda: zipped("a.csv", b"a,b\n")[:-6] + b"\x99" * 3 + b"\0" * 3,
        ": damaged zip file",
    ),
    ("x.zip", lambda: zipped("a.csv", b" "), ": folder/a.csv in it is empty"),
    ("x.csv.gz", lambda: gzip.compress(text(","))[:30], ": damaged gzip file"),
    ("x.arff", lambda: b"@relation r\n@attribute a real\n", ": no line @data"),
    ("x.arff", lambda: b"@relation r\n@data\n1\n", ": the header has no @attribute line"),
    (
        "x.arff",
        lambda: b"@relation r\n@attribute a relational\n@data\n1\n",
        ', line 2, column "a": type "relational" is not read',
    ),
    ("x.arff", lambda: ARFF.encode() + b"\n% none\n", ": the file has no rows"),
    (
        "x.arff",
        lambda: text(",", "?", ARFF).replace(b"42.0", b"4 2"),
        ', line 10, column "age": "4 2" is not a number, as the header says',
    ),
    (
        "x.arff",
        lambda: text(",", "?", ARFF).replace(b"?,False", b"?,Maybe"),
        ', line 10, column "smokes": "Maybe" is not among the values that the header names',
    ),
    (
        "x.arff",
        lambda: quoted_arff().replace(b"?,False", b"?,Maybe"),
        ', line 10: "Maybe" is not among the values that the header names',
    ),
    (
        "x.arff",
        lambda: quoted_arff().replace(b"?,False", b"?,'50%, not found'"),
        ', line 10: "50%, not found" is not among the values that the header names',
    ),
    (
        "x.arff",
        lambda: text(",", "?", ARFF).replace(b"42.0,", b""),
        ", line 10: 3 cells instead of 4",
    ),
    (
        "x.arff",
        lambda: quoted_arff().replace(b"42.0,", b""),
        ", line 10: not a row of 4 cells; check its commas and quotes",
    ),
    (
        "x.dat",
        lambda: text(",", "?", KEEL.replace("@outputs target", "@outputs class")),
        ': the header\'s input or output "class" is no column',
    ),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_a_broken_file_is_one_line(
    tmp_path: Path, name: str, content: Callable[[], bytes], message: str
) -> None:
    path = write(tmp_path, name, content())
    with pytest.raises(DataError) as caught:
        load_file(path, label="target")
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)


def test_a_number_of_no_column_is_refused_also_beside_a_test_file(tmp_path: Path) -> None:
    path = write(tmp_path, "people.parquet", FILES["people.parquet"]())
    for arguments in ({"label": 99}, {"label": -1, "groups": 99}):
        with pytest.raises(DataError, match=f"{[*arguments][-1]} = 99: there are"):
            load_file(path, test_path=path, **arguments)


@pytest.mark.parametrize("name", ["parquet", "feather", "npz", "xlsx", "arff", "dat"])
def test_a_key_that_says_nothing_about_a_format_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f"people.{name}", FILES[f"people.{name}"]())
    with pytest.raises(DataError, match=r"people\.\w+: separator says nothing about such a table"):
        load_file(path, label="target", table_format=TableFormat(separator=";"))


def test_a_zip_of_several_files_is_refused_with_their_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", b"a\n1\n")
        archive.writestr("b.csv", b"a\n1\n")
    with pytest.raises(DataError, match=r"has 2 \(a\.csv, b\.csv\); unpack it"):
        load_file(tmp_path / "two.zip", label="a")


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [
        ("people.parquet", "pyarrow", "parquet"),
        ("people.feather", "pyarrow", "parquet"),
        ("people.xlsx", "openpyxl", "excel"),
    ],
)
def test_a_library_that_lacks_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, library: str, extra: str
) -> None:
    path = write(tmp_path, name, FILES[name]())
    monkeypatch.setitem(sys.modules, library, None)
    message = rf'{library} is not installed; pip install "remix-study\[{extra}\]"'
    with pytest.raises(DataError, match=message):
        load_file(path, label="target")
    if library == "pyarrow":
        with pytest.raises(DataError, match=message):
            from_arrays(pl.DataFrame(WITHOUT_TARGET), COLUMNS["target"])


def test_a_second_sheet_is_noted_and_rows_are_excels(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        cells = [
            ["n", "y"],
            [1, "a"],
            [None, None],
            *[[i, "b"] for i in range(3, 9)],
            ["#DIV/0!", "a"],
        ]
        pd.DataFrame(cells).to_excel(book, index=False, header=False, sheet_name="first")
        FRAME.to_excel(book, sheet_name="second")
    with pytest.raises(DataError, match=r'book\.xlsx, line 10, column "n": "#DIV/0!" is not a'):
        load_file(tmp_path / "book.xlsx", label="y")
    dataset = load_file(
        tmp_path / "book.xlsx", label="y", table_format=TableFormat(missing=("#DIV/0!",))
    )
    assert dataset.notes == ('book.xlsx: sheet "first" is read, the first of 2',)
    np.testing.assert_array_equal(dataset.X[:, 0], [1, 3, 4, 5, 6, 7, 8, NAN])
