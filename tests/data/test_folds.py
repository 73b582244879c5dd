"""Folds: stratified partitions with every class in each part, and groups kept together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.data.arrays import from_arrays
from remix_study.data.folds import Fold, make_folds
from remix_study.data.problems import Problem, make_problem
from remix_study.errors import DataError, UsageError


def toy_problem(*counts: int, name: str = "toy") -> Problem:
    y = np.random.default_rng(len(counts)).permutation(np.repeat(np.arange(len(counts)), counts))
    dataset = from_arrays(np.zeros((len(y), 1)), y, name=name)
    return make_problem(dataset)


def parts(fold: Fold) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return fold.train, fold.validation, fold.test


def assert_valid(all_folds: tuple[Fold, ...], problem: Problem, folds: int, repeats: int) -> None:
    """Folds are in order, partition the rows, and hold every class in each part."""
    assert [(f.repeat, f.fold) for f in all_folds] == [
        (repeat, fold) for repeat in range(repeats) for fold in range(folds)
    ]
    all_rows = np.arange(len(problem.y))
    for fold in all_folds:
        for part in parts(fold):
            assert part.dtype == np.intp
            assert (np.diff(part) > 0).all()
            assert np.bincount(problem.y[part], minlength=problem.K).all()
        np.testing.assert_array_equal(np.sort(np.concatenate(parts(fold))), all_rows)
    for repeat in range(repeats):
        tests = [fold.test for fold in all_folds if fold.repeat == repeat]
        np.testing.assert_array_equal(np.sort(np.concatenate(tests)), all_rows)


@settings(max_examples=50, deadline=None)
@given(
    folds=st.integers(2, 5),
    extra_rows=st.lists(st.integers(0, 25), min_size=2, max_size=8),
    validation=st.sampled_from([0.05, 0.2, 0.3, 0.5, 0.9]),
    seed=st.integers(0, 2**63 - 1),
)
def test_folds_partition_the_rows_and_hold_every_class(
    folds: int, extra_rows: list[int], validation: float, seed: int
) -> None:
    needed = 4 if folds == 2 else folds
    problem = toy_problem(*[needed + extra for extra in extra_rows])
    all_folds = make_folds(problem, folds=folds, repeats=2, validation=validation, seed=seed)
    assert_valid(all_folds, problem, folds, 2)
    for fold in all_folds:
        # Stratified: each class is in the test part with its share, give or take one row.
        shares = np.bincount(problem.y[fold.test], minlength=problem.K) - problem.counts / folds
        assert (np.abs(shares) < 1).all()


@settings(max_examples=50, deadline=None)
@given(
    folds=st.integers(2, 4),
    sizes=st.lists(st.integers(1, 6), min_size=24, max_size=60),
    validation=st.sampled_from([0.2, 0.3, 0.5, 0.7]),
    seed=st.integers(0, 2**63 - 1),
)
def test_groups_stay_on_one_side(
    folds: int, sizes: list[int], validation: float, seed: int
) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    dataset = from_arrays(np.zeros((len(groups), 1)), groups % 3, groups=groups)
    problem = make_problem(dataset)
    all_folds = make_folds(
        problem, folds=folds, repeats=2, validation=validation, grouped=True, seed=seed
    )
    assert_valid(all_folds, problem, folds, 2)
    for fold in all_folds:
        part_groups = [set(groups[part].tolist()) for part in parts(fold)]
        assert sum(map(len, part_groups)) == len(set(groups.tolist()))


def test_mixed_groups_stay_on_one_side() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 40, 600)
    dataset = from_arrays(np.zeros((600, 1)), (rng.random(600) < 0.1) * 1, groups=groups)
    problem = make_problem(dataset)
    all_folds = make_folds(problem, folds=3, repeats=3, validation=0.3, grouped=True, seed=1)
    assert_valid(all_folds, problem, 3, 3)
    for fold in all_folds:
        part_groups = [set(groups[part].tolist()) for part in parts(fold)]
        assert sum(map(len, part_groups)) == 40
        assert 0.15 < len(fold.validation) / (600 - len(fold.test)) < 0.5


def test_validation_is_the_stratified_share_of_the_training_part() -> None:
    problem = toy_problem(400, 100)
    for fold in make_folds(problem, folds=2, repeats=3, validation=0.3, seed=4):
        assert (len(fold.train), len(fold.validation), len(fold.test)) == (175, 75, 250)
        assert np.bincount(problem.y[fold.validation]).tolist() == [60, 15]


def test_a_tiny_class_still_gets_a_validation_row() -> None:
    problem = toy_problem(1000, 4)
    for fold in make_folds(problem, folds=2, repeats=20, validation=0.05, seed=4):
        assert [int((problem.y[part] == 1).sum()) for part in parts(fold)] == [1, 1, 2]


def test_folds_depend_on_the_seed_and_the_name_alone() -> None:
    def parts_of(seed: int, name: str = "toy", repeats: int = 2) -> list[list[int]]:
        problem = toy_problem(60, 40, name=name)
        all_folds = make_folds(problem, folds=2, repeats=repeats, validation=0.3, seed=seed)
        return [part.tolist() for fold in all_folds for part in parts(fold)]

    assert parts_of(1) == parts_of(1)
    assert parts_of(1) != parts_of(2)
    assert parts_of(1) != parts_of(1, name="other")
    # More repeats leave the first ones as they were.
    assert parts_of(1, repeats=3)[: len(parts_of(1))] == parts_of(1)


def test_repeats_differ() -> None:
    problem = toy_problem(60, 40)
    all_folds = make_folds(problem, folds=2, repeats=5, validation=0.3, seed=0)
    assert len({fold.test.tobytes() for fold in all_folds}) == 10


def test_grouped_repeats_differ_and_the_seed_decides() -> None:
    groups = np.repeat(np.arange(60), 3)
    dataset = from_arrays(np.zeros((180, 1)), groups % 2, groups=groups)

    def test_rows(seed: int) -> list[bytes]:
        all_folds = make_folds(
            make_problem(dataset), folds=2, repeats=4, validation=0.3, grouped=True, seed=seed
        )
        return [fold.test.tobytes() for fold in all_folds]

    assert len(set(test_rows(1))) == 8
    assert test_rows(1) == test_rows(1)
    assert not set(test_rows(1)) & set(test_rows(2))


@pytest.mark.parametrize(("folds", "needed"), [(2, 4), (3, 3), (5, 5)])
def test_a_class_with_too_few_rows_is_refused_by_name(folds: int, needed: int) -> None:
    message = (
        f"problem toy: class 1 has {needed - 1} rows; {folds} folds .* at least {needed}; leave it"
    )
    with pytest.raises(DataError, match=message):
        make_folds(toy_problem(50, needed - 1), folds=folds, repeats=1, validation=0.3)
    problem = toy_problem(50, needed)
    assert_valid(make_folds(problem, folds=folds, repeats=5, validation=0.3), problem, folds, 5)


def test_a_class_in_too_few_groups_is_refused() -> None:
    groups = np.arange(200) // 10
    dataset = from_arrays(np.zeros((200, 1)), (groups < 3) * 1, groups=groups, name="few")
    with pytest.raises(DataError, match="problem few: class 1 has 3 groups; 2 folds"):
        make_folds(make_problem(dataset), folds=2, repeats=1, validation=0.3, grouped=True)


def test_groups_that_cannot_be_dealt_are_refused() -> None:
    # Five groups, and class c is in all of them but group c: however they are halved, the half
    # of two groups holds some class only once, too few for training and validation rows.
    cells = [(group, label) for group in range(5) for label in range(5) if group != label]
    groups, y = np.repeat(cells, 3, axis=0).T
    problem = make_problem(from_arrays(np.zeros((60, 1)), y, groups=groups, name="lumpy"))
    with pytest.raises(DataError, match=r"problem lumpy: .* class 0 is in only 4 groups"):
        make_folds(problem, folds=2, repeats=3, validation=0.3, grouped=True)


def test_grouped_folds_need_groups() -> None:
    with pytest.raises(DataError, match="problem toy: grouped folds need groups"):
        make_folds(toy_problem(50, 50), folds=2, repeats=1, validation=0.3, grouped=True)


@pytest.mark.parametrize(
    ("folds", "repeats", "validation"), [(1, 1, 0.3), (2, 0, 0.3), (2, 1, 0.0), (2, 1, 1.0)]
)
def test_arguments_out_of_range_are_refused(folds: int, repeats: int, validation: float) -> None:
    with pytest.raises(UsageError, match="folds must be 2 or more"):
        make_folds(toy_problem(50, 50), folds=folds, repeats=repeats, validation=validation)
