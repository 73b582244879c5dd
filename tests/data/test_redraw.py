"""Problems drawn anew for every repeat: sizes as usual, other rows, folds within each draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.data.folds import make_folds
from remix_study.data.problems import Problem, make_problem, make_redrawn_problem
from remix_study.errors import DataError, UsageError

REPEATS = 5


def toy_dataset(*counts: int, groups: bool = False) -> Dataset:
    y = np.random.default_rng(len(counts)).permutation(np.repeat(np.arange(len(counts)), counts))
    X = np.random.default_rng(1).normal(size=(len(y), 3)) + y[:, None]
    return from_arrays(X, y, groups=np.arange(len(y)) // 3 if groups else None, name="toy")


def redraw(dataset: Dataset, seed: int = 3, repeats: int = REPEATS, **arguments) -> Problem:
    return make_redrawn_problem(dataset, seed=seed, repeats=repeats, **arguments)


CASES = [
    pytest.param(
        {"kind": "multi-class", "minority": ("1", "2"), "imbalance": 0.1}, [300, 30, 30, 280],
        id="multi-class",
    ),
    pytest.param({"kind": "binary", "minority": ("1",), "imbalance": 0.05}, [755, 37], id="few"),
    # Above the natural ratio the majority is reduced instead.
    pytest.param({"kind": "binary", "minority": ("1",), "imbalance": 0.5}, [360, 180], id="many"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "counts"), CASES)
class TestDraws:
    def test_each_draw_has_the_usual_sizes_and_other_rows(self, arguments, counts):
        dataset = toy_dataset(300, 180, 175, 280)
        plain, problem = make_problem(dataset, seed=3, **arguments), redraw(dataset, **arguments)
        assert plain.counts.tolist() == problem.counts.tolist() == counts
        assert (plain.name, plain.classes, plain.minority) == (
            problem.name, problem.classes, problem.minority,
        )  # fmt: skip
        rows = []
        for repeat in range(REPEATS):
            drawn = problem.draw(repeat)
            assert drawn.counts.tolist() == counts
            np.testing.assert_array_equal(drawn.rows, problem.rows[problem.draws[repeat]])
            assert (np.diff(drawn.rows) > 0).all()
            np.testing.assert_array_equal(drawn.X, dataset.X[drawn.rows])
            # Each row still has the class that the data set gives it.
            labels = np.array(drawn.classes)[drawn.y]
            published = np.array(dataset.classes)[dataset.y[drawn.rows]]
            is_kept = np.isin(published, drawn.classes)
            np.testing.assert_array_equal(labels[is_kept], published[is_kept])
            assert set(labels[~is_kept]) <= {"rest"}
            rows.append(frozenset(drawn.rows.tolist()))
        assert len({*rows, frozenset(plain.rows.tolist())}) == REPEATS + 1
        np.testing.assert_array_equal(problem.rows, sorted(frozenset.union(*rows)))

    def test_folds_partition_each_draw(self, arguments, counts):
        problem = redraw(toy_dataset(300, 180, 175, 280), **arguments)
        folds = make_folds(problem, folds=2, repeats=REPEATS, validation=0.3, seed=3)
        assert [(f.repeat, f.fold) for f in folds] == [
            (r, f) for r in range(REPEATS) for f in (0, 1)
        ]
        for repeat in range(REPEATS):
            repeat_folds = [fold for fold in folds if fold.repeat == repeat]
            for fold in repeat_folds:
                parts = np.concatenate([fold.train, fold.validation, fold.test])
                np.testing.assert_array_equal(np.sort(parts), problem.draws[repeat])
                for part in (fold.train, fold.validation, fold.test):
                    assert (np.diff(part) > 0).all()
                    assert np.bincount(problem.y[part], minlength=problem.K).all()
            tests = np.concatenate([fold.test for fold in repeat_folds])
            np.testing.assert_array_equal(np.sort(tests), problem.draws[repeat])
            assert np.bincount(problem.y[tests]).tolist() == counts


def test_classes_that_are_not_reduced_are_in_every_draw():
    dataset = toy_dataset(300, 180, 175)
    problem = redraw(dataset, kind="multi-class", minority=("1",), imbalance=0.1)
    for repeat in range(REPEATS):
        rows = problem.draw(repeat).rows
        for code in (0, 2):
            np.testing.assert_array_equal(
                rows[dataset.y[rows] == code], np.flatnonzero(dataset.y == code)
            )


def test_draws_depend_on_the_seed_and_the_repeat_alone():
    dataset, arguments = toy_dataset(400, 150), {"minority": ("1",), "imbalance": 0.1}
    five, eight = redraw(dataset, **arguments), redraw(dataset, repeats=8, **arguments)
    for repeat in range(REPEATS):
        # More repeats leave the first ones as they were.
        np.testing.assert_array_equal(five.draw(repeat).rows, eight.draw(repeat).rows)
    other_seed = redraw(dataset, seed=4, **arguments)
    assert not np.array_equal(five.draw(0).rows, other_seed.draw(0).rows)
    # Within a repeat, too, a smaller ratio keeps rows of a larger one.
    smaller = redraw(dataset, minority=("1",), imbalance=0.05)
    assert set(smaller.draw(2).rows) <= set(five.draw(2).rows)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(10, 60), st.sampled_from([0.1, 0.3, 0.9]))
def test_draws_have_the_usual_sizes_for_any_ratio(repeats, n_minority, ratio):
    dataset = toy_dataset(100, n_minority)
    plain = make_problem(dataset, minority=("1",), imbalance=ratio)
    problem = redraw(dataset, repeats=repeats, minority=("1",), imbalance=ratio)
    assert len(problem.draws) == repeats
    for repeat in range(repeats):
        assert problem.draw(repeat).counts.tolist() == plain.counts.tolist()


def test_groups_stay_on_one_side_of_each_draw():
    problem = redraw(toy_dataset(400, 200, groups=True), minority=("1",), imbalance=0.3)
    folds = make_folds(problem, folds=2, repeats=REPEATS, validation=0.3, grouped=True, seed=3)
    for fold in folds:
        part_groups = [
            set(problem.groups[part].tolist()) for part in (fold.train, fold.validation, fold.test)
        ]
        assert sum(map(len, part_groups)) == len(set.union(*part_groups))
        parts = np.concatenate([fold.train, fold.validation, fold.test])
        np.testing.assert_array_equal(np.sort(parts), problem.draws[fold.repeat])


def test_too_few_rows_or_draws_are_refused():
    arguments = {"minority": ("1",), "imbalance": 0.01}
    with pytest.raises(DataError, match="class 1 has 3 rows; 2 folds"):
        make_folds(
            redraw(toy_dataset(300, 50), **arguments), folds=2, repeats=REPEATS, validation=0.3
        )
    with pytest.raises(UsageError, match="5 draws for 3 repeats"):
        make_folds(redraw(toy_dataset(900, 50), **arguments), folds=2, repeats=3, validation=0.3)
