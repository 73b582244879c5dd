"""Weights of rows: read from a column or an array, and refused by the line or row at fault."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remix_study.data.arrays import from_arrays
from remix_study.data.class_names import choose_classes
from remix_study.data.folds import make_folds
from remix_study.data.problems import make_problem
from remix_study.data.row_weights import check_weighted_parts
from remix_study.data.table_file import load_file
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

TABLE = "x,exposure,y\n1,0.5,a\n2,1,b\n3,0,a\n4,2.5,b\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "claims.csv"
    path.write_text(text)
    return path


def test_a_column_of_weights_is_no_feature(tmp_path: Path) -> None:
    dataset = load_file(write(tmp_path, TABLE), label="y", weights="exposure")
    assert dataset.features == ("x",)
    assert dataset.weights is not None
    assert dataset.weights.tolist() == [0.5, 1, 0, 2.5]
    # (sum w)^2 / sum w^2 = 16 / 7.5
    assert dataset.notes[0] == (
        'claims.csv: column "exposure": rows count in losses and scores by weights from 0 to 2.5; '
        "the 4 rows are worth 2 of equal weight"
    )
    tiny = TABLE.replace(",a", "e-200,a").replace(",b", "e-200,b")
    assert "worth 2 of" in load_file(write(tmp_path, tiny), label="y", weights=2).notes[0]
    text = TABLE.replace(",", ";").replace(".", ",")
    decimal = TableFormat(separator=";", decimal=",")
    by_comma = load_file(write(tmp_path, text), label="y", weights=2, table_format=decimal)
    np.testing.assert_array_equal(by_comma.weights, dataset.weights)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2.5", "-1", 'claims.csv, line 5, column "exposure" (weights): "-1.0" is no weight'),
        ("2.5", "", 'claims.csv, line 5, column "exposure" (weights): is missing, as in 1 of 4'),
        ("2.5", "inf", 'claims.csv, line 5, column "exposure" (weights): "inf" is no weight'),
        ("2.5", "much", 'claims.csv, line 5, column "exposure": "much" is not a number'),
    ],
)
def test_a_wrong_weight_is_refused_with_its_line(tmp_path, old, new, message) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        load_file(write(tmp_path, TABLE.replace(old, new)), label="y", weights="exposure")
    assert "\n" not in str(caught.value)


def test_columns_are_named_once(tmp_path: Path) -> None:
    path = write(tmp_path, TABLE)
    with pytest.raises(DataError, match="is the label; leave it out of groups, weights and drop"):
        load_file(path, label="y", weights="y")
    with pytest.raises(DataError, match="holds the weights; leave it out of groups and drop"):
        load_file(path, label="y", weights="exposure", drop=("exposure",))
    with pytest.raises(DataError, match='did you mean "exposure"'):
        load_file(path, label="y", weights="exposures")


def test_arrays_of_weights() -> None:
    X, y = np.zeros((4, 1)), [0, 1, 0, 1]
    plain = from_arrays(X, y)
    dataset = from_arrays(X, y, sample_weight=[1, 2, 3, 4])
    assert dataset.weights is not None
    assert dataset.weights.tolist() == [1, 2, 3, 4]
    assert dataset.sha256 != plain.sha256
    for weights, message in (
        ([1, 2, 3], r"sample_weight has shape \(3,\); it needs one value for each of the 4"),
        ([1, 2, np.nan, 4], "row 2: sample_weight: is missing, as in 1 of 4 rows"),
        ([1, 2, 3, -4], 'row 3: sample_weight: "-4" is no weight, as in 1 of 4 rows'),
        (np.ones((4, 2)), "sample_weight has shape"),
    ):
        with pytest.raises(DataError, match=message):
            from_arrays(X, y, sample_weight=weights)


def test_weights_follow_their_rows() -> None:
    weights = np.arange(1.0, 31)
    y = np.repeat(["a", "b", "c"], 10)
    dataset = from_arrays(np.arange(30.0)[:, None], y, sample_weight=weights)
    chosen = choose_classes(dataset, {}, ("b",))
    assert chosen.weights is not None
    np.testing.assert_array_equal(chosen.weights, chosen.X[:, 0] + 1)
    problem = make_problem(chosen, minority=("c",), imbalance=0.5)
    assert problem.weights is not None
    np.testing.assert_array_equal(problem.weights * 8, problem.X[:, 0] + 1)


@given(scale=st.floats(1e-3, 1e6))
def test_a_problem_has_weights_of_a_mean_near_one_or_none(scale: float) -> None:
    weights = np.array([0.1, 2, 3, 0])
    problems = [
        make_problem(from_arrays(np.zeros((4, 1)), [0, 1, 0, 1], sample_weight=w))
        for w in (weights, scale * weights, np.full(4, scale))
    ]
    assert problems[0].weights is not None
    assert problems[1].weights is not None
    np.testing.assert_array_equal(problems[0].weights, weights)
    assert 1 <= problems[1].weights.mean() < 2
    shares = problems[1].weights / problems[1].weights.sum()
    np.testing.assert_allclose(shares, weights / weights.sum(), rtol=1e-14)
    assert problems[2].weights is None


def test_a_part_whose_class_weighs_nothing_is_refused() -> None:
    y = np.repeat([0, 1], [30, 8])
    dataset = from_arrays(np.zeros((38, 1)), y)
    problem = make_problem(dataset)
    folds = make_folds(problem, folds=2, repeats=1, validation=0.3)
    weights = np.ones(38)
    test = folds[1].test
    weights[test[y[test] == 1]] = 0
    problem = make_problem(replace(dataset, weights=weights))
    with pytest.raises(
        DataError, match="repeat 0, fold 1: all 4 test rows of class 1 have weight 0"
    ):
        check_weighted_parts(problem, folds[1:])
    check_weighted_parts(make_problem(dataset), folds)
    with pytest.raises(DataError, match="have weight 0"):
        check_weighted_parts(make_problem(replace(dataset, weights=0 * weights)), folds)
