"""Data that would be read wrongly, or that memory does not hold: refused in one line."""

from __future__ import annotations

import gzip
import zipfile

import numpy as np
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
        ({"X": [[10**400, 1]] * 40}, '"x0": 40 values are infinite'),
        ({"X": X * [1, 1e39]}, r'"x1": 40 values are larger than 1e\+30'),
        ({"X": X * [1, 1e-300]}, '"x1": all values are smaller than 1e-30'),
    ],
)
def test_arrays_that_would_be_read_wrongly_are_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        from_arrays(**{"X": X, "y": Y} | arguments)


def test_masked_features_are_missing():
    table = np.ma.masked_array(X, mask=np.c_[FIFTH, FIFTH])
    assert np.isnan(from_arrays(table, Y).X).all(axis=1).tolist() == FIFTH.tolist()


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
