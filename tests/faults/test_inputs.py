"""Data that would be read wrongly, or that memory does not hold: refused in one line."""

from __future__ import annotations

import gzip
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from remix_study.data import file_contents
from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import class_name
from remix_study.data.readers import read_tables
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

X = np.random.default_rng(0).normal(size=(40, 2))
Y = np.arange(40) % 2
FIFTH = np.arange(40) == 5


def masked(values):
    """The values, the fifth one masked."""
    return np.ma.masked_array(values, mask=FIFTH)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": masked(Y)}, "y is missing in 1 of 40 rows, first in row 5"),
        ({"groups": masked(Y)}, "groups is missing in 1 of 40 rows, first in row 5"),
        ({"sample_weight": masked(X[:, 0] ** 2)}, "row 5: sample_weight is masked"),
        ({"X": [[1.0, 2.0], [3.0]] * 20}, "the rows of X differ in length"),
        ({"y": [[1], [1, 2]] * 20}, "the rows of y differ in length"),
        ({"y": np.zeros(40, "V3")}, r"y holds \|V3; give texts or numbers"),
        ({"X": np.zeros((40, 2), "V3")}, r"X holds \|V3; give texts or numbers"),
        ({"X": {"a": np.zeros(40, "V3")}}, r'array "a" holds \|V3; give texts or numbers'),
        ({"X": pd.DataFrame({"a": np.zeros(40, "V3")})}, r'column "a" holds \|V3; give texts'),
        ({"X": {1: Y, "1": Y}}, 'two columns are named "1"; rename or drop one'),
        ({"X": X, "features": ["a", "a"]}, 'two columns are named "a"; rename or drop one'),
        ({"X": {"a": [object()] * 40}}, 'column "a", row 0: a value of type object has no text'),
        ({"groups": [object()] * 40}, "groups, row 0: a value of type object has no text"),
        (
            {"y": [Decimal("sNaN"), *"ab" * 19, "a"]},
            "y is missing in 1 of 40 rows",
        ),
        ({"sample_weight": [[1], [1, 2]] * 20}, "sample_weight: rows differ in length"),
        (
            {"sample_weight": [10**400] * 40},
            r'row 0: sample_weight: "10+" is no weight',
        ),
        ({"sample_weight": [Decimal("sNaN")] * 40}, "row 0: sample_weight: is missing, as in 40"),
        ({"sample_weight": ["\ud800"] * 40}, r'row 0: sample_weight: "\\ud800" is no weight'),
        ({"sample_weight": Y * 1j}, "sample_weight: holds complex128; weights are numbers from 0"),
        ({"sample_weight": Y.astype("M8[s]")}, r"sample_weight: holds datetime64\[s\]; weights"),
        ({"X": [[10**400, 1]] * 40}, '"x0": 40 values are infinite'),
        ({"X": X * [1, 1e39]}, r'"x1": 40 values are larger than 1e\+30'),
        ({"X": X * [1, 1e-300]}, '"x1": all values are smaller than 1e-30'),
    ],
)
def test_arrays_that_would_be_read_wrongly_are_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        from_arrays(**{"X": X, "y": Y} | arguments)


@pytest.mark.parametrize("dtype", [float, int, bool, str, object, "M8[s]", "m8[s]"])
def test_masked_features_are_missing(dtype):
    column = Y.astype(dtype)
    table = np.ma.masked_array(np.c_[column, column], mask=np.c_[FIFTH, FIFTH])
    fields = np.ma.zeros(40, dtype=[("a", column.dtype)])
    fields["a"] = column
    fields[FIFTH] = np.ma.masked
    for masked_table in (table, {"a": table}, fields):
        is_missing = np.isnan(from_arrays(masked_table, Y).X).all(axis=1)
        assert is_missing.tolist() == FIFTH.tolist()


TEXTS = ["1", "22", "\\xff", "\\ud800", "9" * 5000, "u"] * 7
VALUES = [b"1", "22", b"\xff", "\ud800", int("9" * 4000) * 10**1000 + int("9" * 1000), "u"] * 7


@pytest.mark.parametrize(
    "as_argument",
    [
        lambda cells: pd.DataFrame({"a": pd.Series(cells, dtype=object)}),
        lambda cells: pd.DataFrame({"a": pd.Categorical(pd.Series(cells, dtype=object))}),
        lambda cells: {"a": cells},
        lambda cells: {b"a": np.array(cells, dtype=object)},
        lambda cells: np.array(cells, dtype=object)[:, None],
    ],
    ids=["frame", "categories", "lists", "arrays", "matrix"],
)
def test_cells_become_texts_that_can_be_stored(as_argument):
    """As the same texts in a file do."""
    y = np.arange(len(TEXTS)) % 2
    of_texts = from_arrays(pd.DataFrame({"a": TEXTS}).astype(object), y)
    dataset = from_arrays(as_argument(VALUES), y)
    assert [name.split("=")[-1] for name in dataset.features] == [
        name.split("=")[-1] for name in of_texts.features
    ]
    np.testing.assert_array_equal(dataset.X, of_texts.X)


def test_numbers_in_bytes_are_numbers():
    of_bytes = from_arrays(np.array([[b"1.5"], [b"-2"]] * 20), Y)
    np.testing.assert_array_equal(of_bytes.X[:, 0], [1.5, -2] * 20)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (b"yes ", "yes"),
        (b"\xff", "\\xff"),
        ("caf\udce9", "caf\\udce9"),
        ("9" * 5000, "9" * 5000),
        ("9" * 5000 + ".0", "9" * 5000 + ".0"),
    ],
)
def test_labels_become_names_that_can_be_stored(label, name):
    assert class_name(label) == name
    assert set(from_arrays(X, np.array([label, "other"] * 20, dtype=object)).classes) == {
        name,
        "other",
    }


def test_labels_in_bytes_of_an_npz_file_are_those_of_a_text_file(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, X=X, y=np.array([b"a", "é".encode()] * 20))
    assert list(read_tables([path], TableFormat(), ["y"]).frame["y"][:2]) == ["a", "é"]


@pytest.mark.parametrize("ending", ["csv.gz", "zip", "npz", "xlsx"])
def test_a_file_that_unpacks_into_all_memory_is_refused_before(ending, tmp_path, monkeypatch):
    path = tmp_path / f"bomb.{ending}"
    rows = b"0,0,a\n" * 100_000
    if ending == "csv.gz":
        path.write_bytes(gzip.compress(rows))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("rows.csv", rows)
    monkeypatch.setattr(file_contents, "free_bytes", lambda: 1_000_000)
    with pytest.raises(DataError, match=r"take 600 kB, and half of the free memory is 500 kB"):
        read_tables([path], TableFormat(), ["y"])
