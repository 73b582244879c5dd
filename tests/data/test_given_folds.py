"""Folds that the data give: equal to scikit-learn's, and nothing of a test part leaks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import PredefinedSplit, TimeSeriesSplit

from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import make_strategy
from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.data.folds import Fold
from remix_study.data.given_folds import make_given_folds
from remix_study.data.problems import Problem, make_problem
from remix_study.data.split import Split
from remix_study.data.split_columns import split_by_fold
from remix_study.data.table_file import load_file
from remix_study.errors import DataError
from remix_study.studyfile.given_split import GivenSplit
from remix_study.training.members import make_members

N = 60
Y = np.where(np.arange(N) % 3 == 0, "rare", "usual")


def problem_of(split: Split, y: Any = Y, X: Any = None, groups: Any = None) -> Problem:
    X = np.random.default_rng(0).normal(size=(len(y), 2)) if X is None else X
    dataset = from_arrays(X, y, groups=groups)
    rare = "rare" if "rare" in dataset.classes else "1"
    return make_problem(replace(dataset, split=split), minority=(rare,))


def by_time(values: Any) -> Split:
    times, codes = np.unique(values, return_inverse=True)
    return Split("time", codes, tuple(map(str, times)))


def folds_of(problem: Problem, **rules: Any) -> tuple[Fold, ...]:
    rules = {"folds": 3, "repeats": 1, "validation": 0.3, "seed": 7} | rules
    return make_given_folds(problem, **rules)


def write(path: Path, columns: dict[str, Any]) -> Path:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_folds_of_a_column_are_those_of_scikit_learn() -> None:
    # As numbers 10 comes after 9.
    names = np.random.default_rng(1).choice([1, 9, 10], N)
    folds = folds_of(problem_of(split_by_fold(list(map(str, names)))))
    for fold, (train, test) in zip(folds, PredefinedSplit(names).split(), strict=True):
        np.testing.assert_array_equal(fold.test, test)
        np.testing.assert_array_equal(np.sort(np.r_[fold.train, fold.validation]), train)
        shares = [(Y[rows] == "rare").mean() for rows in (train, fold.validation)]
        assert abs(shares[0] - shares[1]) < 1 / len(fold.validation)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(60, 90), folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_windows_of_distinct_times_are_those_of_scikit_learn(
    n: int, folds: int, seed: int
) -> None:
    times = np.random.default_rng(seed).permutation(n)
    y = (times % 2).astype(int)  # Both classes in every two rows
    for fold, (train, test) in zip(
        folds_of(problem_of(by_time(times), y), folds=folds),
        TimeSeriesSplit(folds).split(np.arange(n)),
        strict=True,
    ):
        order = np.argsort(times)
        np.testing.assert_array_equal(fold.test, np.sort(order[test]))
        held_out = order[train][len(train) - int(np.ceil(0.3 * len(train))) :]
        np.testing.assert_array_equal(fold.validation, np.sort(held_out))
        np.testing.assert_array_equal(fold.train, np.sort(np.setdiff1d(order[train], held_out)))


@settings(max_examples=40, deadline=None)
@given(folds=st.integers(2, 4), seed=st.integers(0, 99))
def test_rows_of_one_time_are_in_one_part_and_parts_are_in_order(folds: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 25, 160)
    y = np.random.default_rng(seed + 1).permutation(np.arange(160) % 2)
    all_folds = folds_of(problem_of(by_time(values), y), folds=folds)
    for fold in all_folds:
        assert values[fold.train].max() < values[fold.validation].min()
        assert values[fold.validation].max() < values[fold.test].min()
    tests = [values[fold.test] for fold in all_folds]
    assert all(a.max() < b.min() for a, b in pairwise(tests))
    # The last block ends with the last row, and rows before a block are all used.
    np.testing.assert_array_equal(
        np.sort(np.r_[all_folds[-1].train, all_folds[-1].validation, all_folds[-1].test]),
        np.arange(160),
    )


def test_repeats_of_a_test_part_differ_in_validation_rows_only() -> None:
    split = Split("test", (np.arange(N) >= 40).astype(np.intp), ("train", "test"))
    first, second = folds_of(problem_of(split), repeats=2)
    for fold in (first, second):
        np.testing.assert_array_equal(fold.test, np.arange(40, N))
        np.testing.assert_array_equal(np.sort(np.r_[fold.train, fold.validation]), np.arange(40))
    assert (first.validation != second.validation).any()
    assert (first.repeat, first.fold, second.repeat, second.fold) == (0, 0, 1, 0)


def test_groups_stay_together_or_are_refused() -> None:
    names = [str(row * 3 // N) for row in range(N)]
    groups = np.arange(N) // 4
    problem = problem_of(split_by_fold(names), groups=groups)
    for fold in folds_of(problem, grouped=True):
        assert not np.intersect1d(groups[fold.train], groups[fold.validation]).size
    names[0] = "2"
    with pytest.raises(DataError, match='1 groups have rows in two parts, such as "0" and "2"'):
        folds_of(problem_of(split_by_fold(names), groups=groups), grouped=True)


@pytest.mark.parametrize(
    ("split", "y", "message"),
    [
        (
            split_by_fold(["a"] * 20 + ["b"] * 40),
            np.where(np.arange(N) < 20, "usual", Y),
            r'fold "a": the test part has 0 rows of class "rare" and needs 1; give such folds',
        ),
        (
            split_by_fold(["a"] * 20 + ["b"] * 40),
            np.where(np.arange(N) < 21, Y, "usual"),
            r'fold "a": the rest has 0 rows of class "rare" and needs 2',
        ),
        (
            by_time(np.arange(N)),
            np.where(np.arange(N) < 14, "usual", Y),
            r'fold 1 of 3 \("15" to "29"\): the training part has 0 rows .*; use fewer cv.folds',
        ),
        (
            Split("test", (np.arange(N) >= 50).astype(np.intp), ("train", "test")),
            np.where(np.arange(N) >= 50, "usual", Y),
            r'the test file: the test part has 0 rows of class "rare" .*; add such rows',
        ),
    ],
)
def test_a_part_without_a_class_is_refused(split: Split, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        folds_of(problem_of(split, y))


# Tables: the columns that say the split.


def table_of(**columns: Any) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    colours = rng.choice(["red", "green", "blue"], N)
    return {"size": rng.normal(size=N).round(3), "colour": colours, **columns, "class": Y}


@pytest.mark.parametrize(
    "texts",
    [
        [f"2021-{1 + day // 28:02}-{1 + day % 28:02}" for day in range(N)],
        [f"{1 + day // 28}/{1 + day % 28}/2021" for day in range(N)],
        [f"2021-01-01 {minute // 60:02}:{minute % 60:02}:00" for minute in range(N)],
        [f"{number / 8}" for number in range(N)],
    ],
)
def test_times_are_ordered_as_dates_or_numbers_and_are_no_feature(
    tmp_path: Path, texts: list[str]
) -> None:
    order = np.random.default_rng(4).permutation(N)
    path = write(tmp_path / "a.csv", table_of(when=np.array(texts)[order]))
    dataset = load_file(path, label="class", split=GivenSplit(time="when"))
    assert dataset.split is not None
    np.testing.assert_array_equal(dataset.split.codes, order)
    assert dataset.split.names == tuple(texts)
    assert not any(name.startswith("when") for name in dataset.features)
    with_time = load_file(path, label="class", split=GivenSplit(time="when", keep_time=True))
    assert any(name.startswith("when") for name in with_time.features)
    for key, column in (("groups", "when"), ("drop", ["when"])):
        split = GivenSplit(time="when", keep_time=True)
        without = load_file(path, label="class", split=split, **{key: column})
        assert without.features == dataset.features


def test_a_column_that_is_no_time_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", table_of(when=np.resize(["soon", "later"], N)))
    with pytest.raises(DataError, match=r'column "when" \(time\): holds neither dates nor'):
        load_file(path, label="class", split=GivenSplit(time="when"))
    path = write(tmp_path / "b.csv", table_of(when=["1", "", *range(2, N)]))
    with pytest.raises(DataError, match=r'b.csv, line 3, column "when" \(time\): empty'):
        load_file(path, label="class", split=GivenSplit(time="when"))
    path = write(tmp_path / "c.csv", table_of(part=["x"] * N))
    with pytest.raises(DataError, match=r'"part" \(fold\): every row has the value "x"; it needs'):
        load_file(path, label="class", split=GivenSplit(fold="part"))


def load_with_test(folder: Path, changes: dict[str, Any]) -> Dataset:
    """A table of N rows, and a test file of its first 30 with some columns replaced, reordered."""
    table = table_of(code=np.resize(["01", "x", "x"], N))
    test = {name: np.asarray(values)[:30] for name, values in table.items()} | changes
    write(folder / "train.csv", table)
    write(folder / "test.csv", dict(reversed(test.items())))
    return load_file(folder / "train.csv", label="class", test_path=folder / "test.csv")


def test_a_test_file_is_read_by_the_columns_and_categories_of_the_table(tmp_path: Path) -> None:
    dataset = load_with_test(tmp_path, {})
    X, names = dataset.X, dataset.features
    assert names == (
        "size", "colour=blue", "colour=green", "colour=red", "code=01", "code=x",
    )  # fmt: skip
    np.testing.assert_array_equal(X[N:], X[:30])
    np.testing.assert_array_equal(dataset.y[N:], dataset.y[:30])
    assert dataset.split is not None
    np.testing.assert_array_equal(dataset.split.codes, np.arange(N + 30) >= N)
    # Numbers in the test file of a column that is text in the table stay texts.
    codes = load_with_test(tmp_path, {"code": ["01"] * 29 + ["2"]})
    np.testing.assert_array_equal(codes.X[N:, 4:], [[1, 0]] * 29 + [[0, 0]])


def test_new_categories_of_a_test_file_are_said_and_new_classes_refused(tmp_path: Path) -> None:
    colours = np.array(["red"] * 28 + ["mauve", "pink"])
    dataset = load_with_test(tmp_path, {"colour": colours})
    assert (dataset.X[-2:, 1:4] == 0).all()
    assert any("2 in 2 rows" in note and "no training row has" in note for note in dataset.notes)
    labels = Y[:30].astype(object)
    labels[4] = "new"
    with pytest.raises(DataError, match=r'test.csv, line 6, column "class": class "new" is in no'):
        load_with_test(tmp_path, {"class": labels})
    with pytest.raises(DataError, match=r'test.csv, line 3, column "size": "tall" is not a numb'):
        load_with_test(tmp_path, {"size": ["1", "tall", *["2"] * 28]})
    with pytest.raises(DataError, match=r"test.csv: its columns differ .* has weight beside"):
        load_with_test(tmp_path, {"weight": range(30)})
    with pytest.raises(DataError, match=r'"size": the cells of .*test.csv make another kind'):
        load_with_test(tmp_path, {"size": ["huge"] * 90, "colour": ["red"] * 90, "code": [2] * 90,
                                  "class": ["rare", *["usual"] * 89]})  # fmt: skip


def trained_on(problem: Problem, folds: tuple[Fold, ...]) -> list[Any]:
    """Everything that training sees of each fold, as arrays."""
    members = make_members(problem, folds, seed=7)
    X, fill, centre, scale = members.features()
    arrays: list[Any] = [problem.classes]
    for place, member in enumerate(members.members):
        rows, held_out = member.training.rows, member.validation
        plan = plan_epoch(
            make_strategy("remix", 0.2), member.training, batch_size=8, seed=member.seed, epoch=1
        )
        arrays += [rows, held_out, X[rows], X[held_out], problem.y[rows], problem.y[held_out]]
        arrays += [fill[place], centre[place], scale[place], plan.first, plan.second, plan.weight]
        arrays += [member.training.features()]
    return arrays


def assert_equal(first: list[Any], second: list[Any]) -> None:
    assert len(first) == len(second)
    for first_fold, second_fold in zip(first, second, strict=True):
        np.testing.assert_array_equal(first_fold, second_fold)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": np.linspace(-1e9, 1e9, 30)},
        {"size": [""] * 30},
        {"colour": ["mauve"] * 30},
        {"colour": [f"c{row}" for row in range(30)]},
        {"code": [str(row) for row in range(30)]},
        {"class": ["rare"] * 29 + ["usual"]},
    ],
)
def test_nothing_of_a_test_file_reaches_training(tmp_path: Path, changes: dict[str, Any]) -> None:
    def seen(changes: dict[str, Any]) -> list[Any]:
        dataset = load_with_test(tmp_path, changes)
        # Far from zero, so that the origin of float32 features is looked for.
        problem = make_problem(replace(dataset, X=dataset.X + 1e6))
        return [dataset.features, *trained_on(problem, folds_of(problem, repeats=2))]

    assert_equal(seen({}), seen(changes))


@pytest.mark.parametrize("kind", ["fold", "time"])
def test_nothing_of_a_fold_or_of_later_rows_reaches_its_training(kind: str) -> None:
    names = [str(row % 3) for row in range(N)]
    split = split_by_fold(names) if kind == "fold" else by_time(np.arange(N))
    X, y = np.random.default_rng(0).normal(size=(N, 2)), np.arange(N) % 2
    problem = problem_of(split, y, X)
    folds = folds_of(problem)
    for fold in folds:
        # All that comes after the training window, too.
        rows = fold.test if kind == "fold" else np.arange(fold.test.min(), N)
        X_changed, y_changed = X.copy(), y.copy()
        X_changed[rows] = np.random.default_rng(1).normal(scale=99, size=(len(rows), 2))
        y_changed[rows] = np.roll(1 - y[rows], 1)
        changed = problem_of(split, y_changed, X_changed)
        again = folds_of(changed)[fold.fold]
        assert_equal(trained_on(problem, (fold,)), trained_on(changed, (again,)))


def test_test_rows_from_python_are_those_of_a_file() -> None:
    import pandas as pd

    frame = pd.DataFrame(table_of()).drop(columns="class")
    test = frame.iloc[:30].assign(colour="mauve")[["colour", "size"]]
    dataset = from_arrays(frame, Y, X_test=test, y_test=Y[:30])
    np.testing.assert_array_equal(dataset.X[N:, 0], dataset.X[:30, 0])
    assert (dataset.X[N:, 1:] == 0).all()
    assert dataset.X.shape == (N + 30, 4)
    numbers = from_arrays(frame[["size"]].to_numpy(), Y, X_test=np.ones((2, 1)), y_test=Y[:2])
    assert numbers.X[N:].tolist() == [[1], [1]]
    assert dataset.split is not None
    assert numbers.split is not None
    assert (dataset.split.codes.sum(), numbers.split.codes.sum()) == (30, 2)
    with pytest.raises(DataError, match=r'y_test, row 1: class "new" is not in y, as in 1 rows'):
        from_arrays(frame, Y, X_test=test[:2], y_test=["rare", "new"])
    with pytest.raises(DataError, match=r"X_test is ndarray \(2, 3\) and X is ndarray \(60, 1\)"):
        from_arrays(np.ones((N, 1)), Y, X_test=np.ones((2, 3)), y_test=Y[:2])
    with pytest.raises(DataError, match=r"X_test: its columns differ .* lacks colour"):
        from_arrays(frame, Y, X_test=test[["size"]], y_test=Y[:30])
    # Seven rows and seven labels, but a label of the test rows would be that of the last row.
    four, three = np.ones((4, 1)), np.ones((3, 1))
    with pytest.raises(DataError, match=r"X has 4 rows and y has 3"):
        from_arrays(four, Y[:3], X_test=three, y_test=Y[:4])
    with pytest.raises(DataError, match=r"X_test has 2 rows and y_test has 3"):
        from_arrays(four, Y[:4], X_test=three[:2], y_test=Y[:3])
    with pytest.raises(DataError, match=r"rows of X_test differ in length"):
        from_arrays(four, Y[:4], X_test=[[1], [2, 3]], y_test=Y[:2])
