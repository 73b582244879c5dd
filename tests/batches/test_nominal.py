"""SMOTE-NC's neighbours and plans: against imbalanced-learn's SMOTENC and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from imbalanced_rows import plan
from imblearn.over_sampling import SMOTENC
from mixed_tables import COLUMNS, mixed_features

from remix_study.batches.class_groups import NEIGHBOURS, nearest_neighbours
from remix_study.batches.nominal import NUMERIC, UNKNOWN, nominal_features
from remix_study.batches.plan import StackPlanner
from remix_study.batches.strategies import make_strategy
from remix_study.batches.training_rows import TrainingRows

COUNTS = (60, 12, 4, 1)
Y = np.random.default_rng(1).permutation(np.repeat(np.arange(4), COUNTS)).astype(np.int32)
X = mixed_features(len(Y), has_missing=False)
NUMERIC_FEATURES = [0, 4, 8]
SMOTES = ("smote", "smote-dataset", "smote-repo")


def training_rows(columns=COLUMNS):
    rows = (np.arange(len(Y)) * 2 + 3).astype(np.int32)
    return TrainingRows(rows, Y, 4, lambda: X, nominal=nominal_features(X, columns))


def test_codes_by_hand():
    rows = np.array([[0.5, 0, 1, 1], [7, 1, 0, 0], [1, 0, 0, np.nan]])
    nominal = nominal_features(rows, [(1, 2), (3,)])
    # No category of the first column, False, and a truth value that is missing.
    np.testing.assert_array_equal(nominal.codes, [[1, 0], [0, 1], [2, UNKNOWN]])
    np.testing.assert_array_equal(nominal.category, [NUMERIC, 0, 1, 0])
    np.testing.assert_array_equal(nominal.column, [0, 0, 0, 1])
    assert nominal_features(rows, ()) is None


def test_distances_by_hand():
    rows = np.array([[0.0, 0, 1, 1], [2, 1, 0, 0], [2, 0, 0, np.nan], [9, 9, 9, 9]])
    nominal = nominal_features(rows, [(1, 2), (3,)])
    is_row = np.array([[True, True, True, False]])
    points = nominal.points(np.nan_to_num(rows)[None], np.arange(4)[None], is_row)[0]
    distances = ((points[:, None] - points) ** 2).sum(axis=2)
    # 0, 2, 2 vary by 8 / 9; all three rows differ in both nominal columns.
    np.testing.assert_allclose(distances[0, 1:3], 4 + 2 * 8 / 9)
    np.testing.assert_allclose(distances[1, 2], 2 * 8 / 9)


def test_categories_alone_count_one_each():
    rows = np.array([[0.0, 1, 1], [1, 0, 0], [1, 0, 1]])
    points = nominal_features(rows, [(0, 1), (2,)]).points(
        rows[None], np.arange(3)[None], np.ones((1, 3), bool)
    )[0]
    distances = ((points[:, None] - points) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances, [[0, 2, 1], [2, 0, 1], [1, 1, 0]])


def library_neighbours(rows, k):
    """Positions of the k neighbours of each row, from the points that SMOTENC makes of them."""
    # Each category as one number, and another class for SMOTENC to see a minority.
    parts = [np.nan_to_num(X[:, list(c)]) @ np.arange(1, len(c) + 1) for c in COLUMNS]
    columns = np.column_stack([X[:, NUMERIC_FEATURES], *parts])
    y = np.ones(2 * len(rows) + 1, int)
    y[: len(rows)] = 0
    library = SMOTENC([3, 4, 5], k_neighbors=k, random_state=0)
    library.fit_resample(columns[np.concatenate([rows, np.arange(len(rows) + 1)])], y)
    return library.nn_k_.kneighbors(n_neighbors=k, return_distance=False)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_neighbours_are_those_of_imbalanced_learn(label):
    rows = np.flatnonzero(label == Y)
    k, size = min(NEIGHBOURS, len(rows) - 1), np.array([len(rows)])
    nominal = nominal_features(X, COLUMNS)
    near = nearest_neighbours(X, rows, np.array([0]), size, nominal=nominal)[0]
    np.testing.assert_array_equal(near[:, :k], library_neighbours(rows, k))
    # Which those of one-hot features are not.
    plain = nearest_neighbours(X, rows, np.array([0]), size)[0]
    assert label == 2 or not np.array_equal(near, plain)


@pytest.mark.parametrize("sampler", SMOTES)
def test_plans_hold_the_neighbours_of_synthetic_rows(sampler):
    training = training_rows()
    label = dict(zip(training.rows.tolist(), Y.tolist(), strict=True))
    allowed = {}
    for code in (1, 2):
        rows = np.flatnonzero(code == Y)
        k = 3 if code == 2 else NEIGHBOURS
        for row, near in zip(rows, library_neighbours(rows, k), strict=True):
            allowed[training.rows[row]] = training.rows[rows[near]].tolist()
    for epoch in range(3):
        # A batch holds all rows; the authors' code repeats rows, as the smallest class has one.
        planned = plan(sampler, training, len(Y), epoch)
        assert planned.neighbours.shape == (*planned.first.shape, NEIGHBOURS)
        assert planned.neighbours.dtype == np.int32
        is_synthetic = planned.first != planned.second
        assert is_synthetic.any() == (sampler != "smote-repo")
        assert (planned.neighbours[~is_synthetic] == -1).all()
        for first, second, near in zip(
            planned.first[is_synthetic],
            planned.second[is_synthetic],
            planned.neighbours[is_synthetic],
            strict=True,
        ):
            present = near[near >= 0].tolist()
            assert present == allowed[first]
            assert second in present
            assert {label[row] for row in present} == {label[first]}


def test_the_authors_code_votes_with_the_neighbours_that_it_draws_from():
    rows = np.flatnonzero(Y != 3)
    training = TrainingRows(
        rows.astype("i4"), Y[rows], 4, lambda: X[rows], nominal=nominal_features(X[rows], COLUMNS)
    )
    planned = plan("smote-repo", training, len(rows))
    is_synthetic = planned.first != planned.second
    assert is_synthetic.any()
    # The smallest class has four rows, so that k is 3 for all.
    np.testing.assert_array_equal((planned.neighbours >= 0).sum(axis=2)[is_synthetic], 3)


@pytest.mark.parametrize("sampler", SMOTES)
def test_tables_without_nominal_columns_have_no_neighbours(sampler):
    numeric, mixed = (plan(sampler, training_rows(c), 24) for c in ((), COLUMNS))
    assert numeric.neighbours is None
    # Bases and gaps are the same: only the neighbours differ.
    np.testing.assert_array_equal(numeric.first, mixed.first)
    np.testing.assert_array_equal(numeric.weight, mixed.weight)


def test_a_stack_without_smote_has_no_neighbours_and_one_with_it_has_them_in_every_epoch():
    def planner(*names):
        strategies = [make_strategy(name) for name in names]
        return StackPlanner(strategies, [training_rows()] * 2, [3, 4], batch_size=24)

    assert planner("remix", "undersample").plan(0).neighbours is None
    mixed_planner = planner("remix", "smote")
    planned = mixed_planner.plan(0)
    assert planned.neighbours.shape == (2, 3, 24, NEIGHBOURS)
    assert (planned.neighbours[0] == -1).all()
    assert (planned.neighbours[1] >= 0).any()
    alone = plan("smote", training_rows(), 24, seed=4)
    np.testing.assert_array_equal(planned.neighbours[1], alone.neighbours)
    # Also where the member of SMOTE has ended: the program stays the same.
    assert (mixed_planner.plan(1, np.array([0])).neighbours == -1).all()
