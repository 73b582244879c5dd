"""Data sets made of arrays and data frames, and those that come with scikit-learn."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets as sklearn_datasets

from remix_study.data.arrays import from_arrays
from remix_study.data.catalogue import dataset_names
from remix_study.data.dataset import class_name, encode_labels
from remix_study.data.named_datasets import load_dataset
from remix_study.errors import DataError

X4 = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        ([1.0, 0.0, 1.0, 10.0], ("0", "1", "10"), [1, 0, 1, 2]),
        (["10", "9", "1.", "-1.0"], ("-1", "1", "9", "10"), [3, 2, 1, 0]),
        ([True, False, True, True], ("False", "True"), [1, 0, 1, 1]),
        ([b"neg", b"pos", b"neg", b"neg"], ("neg", "pos"), [0, 1, 0, 0]),
        (["b ", "a", "b", "10"], ("10", "a", "b"), [2, 1, 2, 0]),
        ([0.5, 1.5, 0.5, 0.5], ("0.5", "1.5"), [0, 1, 0, 0]),
    ],
)
def test_labels_become_the_names_a_study_file_writes(
    labels: list[Any], classes: tuple[str, ...], codes: list[int]
) -> None:
    encoded, names = encode_labels(labels)
    assert (encoded.tolist(), names) == (codes, classes)
    assert tuple(map(class_name, classes)) == classes


def test_arrays_are_copied_and_frozen() -> None:
    X, y = X4.copy(), np.array([0, 1, 0, 1])
    dataset = from_arrays(X, y, groups=["b", "a", "b", "c"])
    X[:] = 0
    np.testing.assert_array_equal(dataset.X, X4)
    assert dataset.features == ("x0", "x1")
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [1, 0, 1, 2]
    assert dataset.counts.tolist() == [2, 2]
    for array in (dataset.X, dataset.y, dataset.groups):
        assert not array.flags.writeable


def test_missing_values_stay_missing() -> None:
    X = X4.copy()
    X[1, 1] = np.nan
    np.testing.assert_array_equal(from_arrays(X, [0, 1, 0, 1]).X, X)


def test_hash_follows_the_content() -> None:
    dataset = from_arrays(X4, [0, 1, 0, 1])
    assert dataset.sha256 == from_arrays(X4.astype(np.float32), np.array([0.0, 1, 0, 1])).sha256
    different = [
        from_arrays(X4 + 1, [0, 1, 0, 1]),
        from_arrays(X4, [0, 1, 1, 1]),
        from_arrays(X4, [0, 2, 0, 2]),
        from_arrays(X4, [0, 1, 0, 1], groups=[0, 1, 0, 1]),
    ]
    assert len({dataset.sha256, *(changed.sha256 for changed in different)}) == 5


def test_data_frame_columns_by_their_kind() -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2, 3, 5],
            "b": [True, False, True, True],
            "t": ["u", None, "v", "u"],
            "c": pd.Categorical(["x", "y", "x", "x"], categories=["x", "y", "never"]),
            "i": pd.array([1, None, 3, 4], dtype="Int64"),
            "o": ["1", "2.5", "?", "1e3"],
            5: [0.5, np.nan, 0.5, 1.0],
        },
        index=[7, 7, 8, 9],
    )
    dataset = from_arrays(frame, pd.Series(["a", "b", "a", "b"], index=[3, 2, 1, 0]))
    assert dataset.features == ("n", "b", "t=u", "t=v", "c=x", "c=y", "i", "o", "5")
    nan = np.nan
    expected = [
        [1, 1, 1, 0, 1, 0, 1, 1, 0.5],
        [2, 0, 0, 0, 0, 1, nan, 2.5, nan],
        [3, 1, 0, 1, 1, 0, 3, nan, 0.5],
        [5, 1, 1, 0, 1, 0, 4, 1000, 1],
    ]
    np.testing.assert_array_equal(dataset.X, expected)


def test_array_of_objects_is_read_by_column() -> None:
    X = np.array([[1, "u"], [2, "v"], [None, "u"], [4, "u"]], dtype=object)
    dataset = from_arrays(X, [0, 1, 0, 1], features=["n", "t"])
    assert dataset.features == ("n", "t=u", "t=v")
    np.testing.assert_array_equal(dataset.X[:, 0], [1, 2, np.nan, 4])


@pytest.mark.parametrize(
    ("X", "y", "arguments", "message"),
    [
        (np.zeros(4), [0, 1, 0, 1], {}, "X has shape (4,)"),
        (np.zeros((4, 2, 2)), [0, 1, 0, 1], {}, "X has shape (4, 2, 2)"),
        (X4, [0, 1, 0], {}, "X has 4 rows and y has 3"),
        (X4, [0, 1, 0, 1], {"groups": [1]}, "X has 4 rows and groups has 1"),
        (X4, np.eye(4), {}, "y has shape (4, 4); it needs one value a row, such as y.argmax(axis"),
        ((row for row in X4), [0, 1, 0, 1], {}, "X is a generator; give an array, a data frame"),
        (X4, [0, 0, 0, 0], {}, "all 4 rows are of class 0"),
        (X4, [0.1, 0.2, 0.3, 0.4], {}, "each of the 4 rows has a different label"),
        (X4, [0, 1, None, 1], {}, "y is missing in 1 of 4 rows, first in row 2"),
        (X4, [0, 1, np.nan, 1], {}, "y is missing in 1 of 4 rows, first in row 2"),
        (X4, ["a", "NA", " ", "NA"], {}, "y is missing in 1 of 4 rows, first in row 2"),
        (X4, np.array([b"a", b"b", b"", b"b"]), {}, "y is missing in 1 of 4 rows, first in row 2"),
        (X4, [0, 1, 0, 1], {"groups": ["a", None, "b", "b"]}, "groups is missing in 1 of 4"),
        (
            X4 + np.array([0, np.inf]),
            [0, 1, 0, 1],
            {},
            'column "x1": 4 values are infinite',
        ),
        (X4 * 1e200, [0, 1, 0, 1], {}, 'column "x0": 3 values are larger than 1e+30'),
        (X4, [0, 1, 0, 1], {"features": ["a"]}, "1 feature names for 2 columns"),
        (np.zeros((0, 2)), [], {}, "0 rows and 2 columns"),
        (np.zeros((4, 0)), [0, 1, 0, 1], {}, "4 rows and 0 columns"),
        (X4 * 1j, [0, 1, 0, 1], {}, 'column "x0": complex numbers'),
        (
            pd.DataFrame({"when": pd.period_range("2020-01", periods=4, freq="M")}),
            [0, 1, 0, 1],
            {},
            'column "when": periods',
        ),
        (
            pd.DataFrame([[1, 2]] * 4, columns=["a", "a"]),
            [0, 1, 0, 1],
            {},
            'two columns are named "a"',
        ),
    ],
)
def test_invalid_arrays_are_refused(
    X: Any, y: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        from_arrays(X, y, name="mine", **arguments)
    assert str(caught.value).startswith('data set "mine"')
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine"])
def test_data_sets_of_scikit_learn_are_as_it_gives_them(name: str) -> None:
    bunch = getattr(sklearn_datasets, f"load_{name}")()
    dataset = load_dataset(name)
    np.testing.assert_array_equal(dataset.X, bunch.data)
    labels = np.asarray(dataset.classes)[dataset.y]
    np.testing.assert_array_equal(labels, bunch.target_names[bunch.target].astype(str))
    assert len(dataset.features) == dataset.X.shape[1] == len(set(dataset.features))
    assert dataset.name == name
    assert dataset.source
    assert dataset.citation
    assert dataset.licence
    assert load_dataset(name).sha256 == dataset.sha256
    assert name in dataset_names()


def test_digit_classes_are_digits() -> None:
    assert load_dataset("digits").classes == tuple("0123456789")


def test_unknown_name_is_refused_with_the_closest_or_all_names() -> None:
    with pytest.raises(DataError, match=r'no data set "digit"; did you mean "digits"\?$'):
        load_dataset("digit")
    with pytest.raises(DataError, match='no data set "mnist"; known: digits, breast_cancer, wine'):
        load_dataset("mnist")


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import importlib, pkgutil, sys, remix_study.data\n"
        "for module in pkgutil.iter_modules(remix_study.data.__path__):\n"
        "    importlib.import_module(f'remix_study.data.{module.name}')\n"
        "print([m for m in ('sklearn', 'pandas', 'scipy', 'keras') if m in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"
