"""A user's table: features made of its columns, and one line about what is wrong with it."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remix_study.data.dataset import Dataset
from remix_study.data.raw_table import TableFormat
from remix_study.data.table_file import load_file
from remix_study.errors import DataError

EXAMPLE = """age,sex,smokes,city,patient,target
31,f,True,Oslo,p1,1.0
42,m,false,,p2,0.0
?,f,TRUE,Bergen,p1,1.0
55,,NA,Oslo,p3,0.0
60,m,False,Oslo,p2,0.0
"""


def write_table(folder: Path, text: str | bytes = EXAMPLE, name: str = "mine.csv") -> Path:
    path = folder / name
    content = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def table(*lines: str, header: str = "a,target") -> str:
    return "\n".join([header, *lines]) + "\n"


def assert_same(first: Dataset, second: Dataset) -> None:
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.y, second.y)
    for field in ("classes", "features", "name"):
        assert getattr(first, field) == getattr(second, field)


def test_columns_by_their_kind(tmp_path: Path) -> None:
    dataset = load_file(write_table(tmp_path), label="target", groups="patient")
    assert dataset.name == "mine"
    assert dataset.classes == ("0", "1")
    assert dataset.y.tolist() == [1, 0, 1, 0, 0]
    assert dataset.features == ("age", "sex=f", "sex=m", "smokes", "city=Bergen", "city=Oslo")
    nan = np.nan
    expected = [
        [31, 1, 0, 1, 0, 1],
        [42, 0, 1, 0, 0, 0],
        [nan, 1, 0, 1, 1, 0],
        [55, 0, 0, nan, 0, 1],
        [60, 0, 1, 0, 0, 1],
    ]
    np.testing.assert_array_equal(dataset.X, expected)
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [0, 1, 0, 2, 1]
    assert dataset.notes == ()
    assert dataset.sha256 == hashlib.sha256(EXAMPLE.encode()).hexdigest()
    assert dataset.source == "file mine.csv"


def test_every_way_of_writing_a_table_reads_the_same(tmp_path: Path) -> None:
    plain = load_file(write_table(tmp_path), label="target")
    tabs = EXAMPLE.replace(",", "\t")
    quoted = "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in EXAMPLE.splitlines()
    )
    for text, name in [
        (EXAMPLE, "mine.csv.gz"),
        (EXAMPLE, "mine.txt"),
        (EXAMPLE, "mine.CSV"),
        (EXAMPLE.replace("\n", "\r\n"), "mine.csv"),
        (EXAMPLE.rstrip("\n"), "mine.csv"),
        (EXAMPLE.replace(",", ", "), "mine.csv"),
        ("\ufeff" + EXAMPLE, "mine.csv"),
        (EXAMPLE.replace("\n", "\r"), "mine.csv"),
        ("\n\n" + EXAMPLE + "\n\n", "mine.csv"),
        (quoted, "mine.csv"),
        (tabs, "mine.tsv"),
        (tabs, "mine.tab.gz"),
        (tabs, "mine.txt"),
        (gzip.compress(EXAMPLE.encode()), "mine.csv"),
    ]:
        assert_same(plain, load_file(write_table(tmp_path, text, name), label="target"))


def test_gzip_and_plain_have_one_hash(tmp_path: Path) -> None:
    plain = load_file(write_table(tmp_path), label="target")
    packed = load_file(write_table(tmp_path, name="mine.csv.gz"), label="target")
    assert plain.sha256 == packed.sha256


def test_dropped_columns_are_gone(tmp_path: Path) -> None:
    dataset = load_file(write_table(tmp_path), label="target", drop=("city", "patient", "sex"))
    assert dataset.features == ("age", "smokes")


def test_identifiers_are_left_out_with_a_note(tmp_path: Path) -> None:
    text = table(*(f"{i},ab{i}x,{i % 2}" for i in range(6)), header="a,code,target")
    dataset = load_file(write_table(tmp_path, text), label="target")
    assert dataset.features == ("a",)
    assert 'mine.csv: column "code" looks like an identifier' in dataset.notes[1]
    assert 'column "a" numbers the rows' in dataset.notes[0]


def test_the_index_of_a_saved_data_frame_is_left_out(tmp_path: Path) -> None:
    text = table(*(f"{i},{i * i},{i % 2}" for i in range(6)), header=",a,target")
    dataset = load_file(write_table(tmp_path, text), label="target")
    assert dataset.features == ("a",)
    assert "first column has no name" in dataset.notes[0]


def test_an_empty_column_is_kept_and_noted(tmp_path: Path) -> None:
    text = table(*(f"{i % 4},,{i % 2}" for i in range(6)), header="a,b,target")
    dataset = load_file(write_table(tmp_path, text), label="target")
    assert dataset.features == ("a", "b")
    assert np.isnan(dataset.X[:, 1]).all()
    assert dataset.notes == ('mine.csv: column "b" is empty; it carries no information',)


def test_a_text_among_numbers_is_refused_with_the_keys_that_mend_it(tmp_path: Path) -> None:
    path = write_table(tmp_path, table("1,0", "2,1", "1,0", "unknown,1", "2,0", "1,1"))
    message = (
        f'{path}, line 5, column "a": "unknown" is not a number (5 of 6 cells are); write '
        'missing = ["unknown"] if such cells are missing values, categorical = ["a"] if the '
        "column holds names, or mend the cell"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        load_file(path, label="target")
    as_missing = load_file(path, label="target", table_format=TableFormat(missing=("unknown",)))
    np.testing.assert_array_equal(as_missing.X[:, 0], [1, 2, 1, np.nan, 2, 1])
    as_names = load_file(path, label="target", table_format=TableFormat(categorical=("a",)))
    assert as_names.features == ("a=1", "a=2", "a=unknown")


def test_many_categories_are_noted(tmp_path: Path) -> None:
    text = table(*(f"c{i % 60},{i % 7}" for i in range(200)))
    dataset = load_file(write_table(tmp_path, text), label="target")
    assert len(dataset.features) == 60
    assert 'column "a" (60 categories) became a feature a category' in dataset.notes[0]


def test_numbers_are_read_to_double_precision(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=200) * 10.0 ** np.arange(-100, 100)
    values = np.clip(values, -1e29, 1e29)
    text = table(*(f"{value!r},{i % 2}" for i, value in enumerate(values.tolist())))
    dataset = load_file(write_table(tmp_path, text), label="target")
    np.testing.assert_array_equal(dataset.X[:, 0], values)


def test_whole_numbers_beyond_64_bits(tmp_path: Path) -> None:
    text = table("123456789012345678901234567890,0", "1,1", "2,0", "NA,1")
    dataset = load_file(write_table(tmp_path, text), label="target")
    np.testing.assert_array_equal(
        dataset.X[:, 0], [123456789012345678901234567890.0, 1, 2, np.nan]
    )


def test_labels_stay_as_they_are_written(tmp_path: Path) -> None:
    text = table("1,01", "2,1", "5,None", "4,01")
    assert load_file(write_table(tmp_path, text), label="target").classes == ("01", "1", "None")


GOOD = table("1,0", "2,1", "1,0")


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (GOOD, {"label": "class"}, 'label column "class" is not in the header; known: a, target'),
        (GOOD, {"label": "targett"}, 'did you mean "target"?'),
        (GOOD, {"groups": "g"}, 'groups column "g" is not in the header'),
        (GOOD, {"groups": 3}, "groups = 3: there are 2 columns, numbered from 1"),
        (GOOD, {"label": 0}, "label = 0: there are 2 columns, numbered from 1"),
        (GOOD, {"drop": ("a", "z")}, 'drop column "z" is not in the header'),
        (GOOD, {"drop": ("target",)}, 'column "target": is the label'),
        (GOOD, {"groups": "target"}, 'column "target": is the label'),
        (GOOD, {"drop": ("a",)}, "no feature column is left"),
        ("1,0\n2,1\n", {}, "looks like data: write header = false"),
        (f"{'9' * 5000},0\n2,1\n", {}, "looks like data: write header = false"),
        ("", {}, "the file is empty"),
        (" \n\n", {}, "the file is empty"),
        ("a,target\n", {}, "the file has no rows"),
        ("a,target,a\n1,2,3\n", {}, 'line 1: two columns are named "a"'),
        (table("1,0", "2,1", "3,1,9"), {}, "line 4: 3 cells instead of 2"),
        (table("1,0", "2", "3,1"), {}, "line 3: 1 cells instead of 2"),
        (table('"1",0', '"2"', "3,1"), {}, "line 3: 1 cells instead of 2"),
        (
            table("1,0", "2,", "3,NA"),
            {},
            'line 3, column "target" (label): empty or missing, as in 1 of 3 rows',
        ),
        (
            table("1,0,", "2,1,g", header="a,target,g"),
            {"groups": "g"},
            'column "g" (groups): empty',
        ),
        (table("1,0", "2,0"), {}, 'column "target": all 2 rows are of class 0'),
        (table("1,0", "inf,1", "3,1"), {}, 'line 3, column "a": 1 values are infinite'),
        (table("1,0", "1e999,1", "3,1"), {}, 'column "a": 1 values are infinite'),
        (table("1,.1", "5,.2", "4,.3"), {}, "each of the 3 rows has a different label"),
        (b"a,target\n1,\xff\xfe\n", {}, "line 2: not UTF-8 text"),
        (b"a,target\n1,0\x00\n2,1\n", {}, "NUL bytes"),
        (table('1,"0', "2,1"), {}, "mine.csv"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(
    tmp_path: Path, text: str | bytes, arguments: dict[str, Any], message: str
) -> None:
    path = write_table(tmp_path, text)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        load_file(path, **{"label": "target", **arguments})
    assert "mine.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        load_file(tmp_path / "gone.csv", label="target")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv: is a folder"):
        load_file(tmp_path / "folder.csv", label="target")
    with pytest.raises(DataError, match=r"must end in \.csv"):
        load_file(write_table(tmp_path, name="mine.cvs"), label="target")
    with pytest.raises(DataError, match=r"mine\.xls: \.xls files are not read; save it as \.xlsx"):
        load_file(write_table(tmp_path, name="mine.xls"), label="target")


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Simulated, as permissions do not stop an administrator.
    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = write_table(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"mine\.csv: cannot be read \(Permission denied\)"):
        load_file(path, label="target")


def test_damaged_gzip(tmp_path: Path) -> None:
    packed = gzip.compress(EXAMPLE.encode() * 50, mtime=0)
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0xFF
    for content in (packed[:-20], packed[: len(packed) // 2], packed[:5], bytes(flipped)):
        path = tmp_path / "mine.csv.gz"
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"mine\.csv\.gz: damaged gzip file") as caught:
            load_file(path, label="target")
        assert "\n" not in str(caught.value)
    path.write_bytes(EXAMPLE.encode())
    with pytest.raises(DataError, match=r"named \.gz but not a gzip file"):
        load_file(path, label="target")
