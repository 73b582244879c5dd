"""Preprocessing: equal to scikit-learn's steps, preprocessing on the inner training rows alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from remix_study.data import preprocessing
from remix_study.data.arrays import from_arrays
from remix_study.data.folds import make_folds
from remix_study.data.preprocessing import CLIP, PreparedRows, fit_preprocessing
from remix_study.data.problems import make_problem
from remix_study.training.members import make_members


def difficult_features(rows: int = 200) -> np.ndarray:
    """Features of very different sizes, missing cells, a constant and an empty column."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 7)) * [1, 1e-9, 1e12, 1, 1, 1, 1] + [0, 0, 1e12, 5, 0, 0, 0]
    X[:, 3] = 0.1
    X[:, 4] = rng.standard_t(1.1, size=rows)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:, 3] = 0.1
    X[:, 5] = np.nan
    return X


def training_rows(rows: int = 200) -> list[np.ndarray]:
    """90 rows for each of four members."""
    rng = np.random.default_rng(1)
    return [np.sort(rng.choice(rows, 90, replace=False)) for _ in range(4)]


def test_equals_the_scikit_learn_pipeline() -> None:
    X, row_sets = difficult_features(), training_rows()
    preprocessing = fit_preprocessing(X, row_sets)
    assert (
        preprocessing.fill.shape
        == preprocessing.centre.shape
        == preprocessing.scale.shape
        == (4, 7)
    )
    for member, train in enumerate(row_sets):
        pipeline = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
        expected = pipeline.fit(X[train]).transform(X).clip(-5, 5).astype(np.float32)
        features = preprocessing.apply(member, X)
        assert features.dtype == np.float32
        np.testing.assert_array_equal(features, expected)


def test_equals_a_literal_computation() -> None:
    X, row_sets = difficult_features(), training_rows()
    preprocessing = fit_preprocessing(X, row_sets)
    for member, train in enumerate(row_sets):
        for column in (0, 1, 2, 4):
            present = [value for value in X[train, column] if value == value]
            fill = sum(present) / len(present)
            imputed = [value if value == value else fill for value in X[train, column]]
            mean = sum(imputed) / len(imputed)
            sd = (sum((value - mean) ** 2 for value in imputed) / len(imputed)) ** 0.5
            z = [((value if value == value else fill) - mean) / sd for value in X[:, column]]
            expected = [min(5.0, max(-5.0, value)) for value in z]
            features = preprocessing.apply(member, X)[:, column]
            np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_nothing_leaks_from_validation_or_test_rows() -> None:
    X = difficult_features(300)
    y = np.arange(300) % 5 == 0
    problem = make_problem(from_arrays(X, y))
    folds = make_folds(problem, folds=3, repeats=2, validation=0.3, seed=2)
    row_sets = [fold.train for fold in folds]
    preprocessing = fit_preprocessing(problem.X, row_sets)
    for member, fold in enumerate(folds):
        changed = problem.X.copy()
        unseen = np.concatenate([fold.validation, fold.test])
        changed[unseen] = np.where(np.isnan(changed[unseen]), 7e7, np.nan)
        refitted = fit_preprocessing(changed, row_sets)
        for statistic in ("fill", "centre", "scale"):
            before = getattr(preprocessing, statistic)[member]
            assert before.tobytes() == getattr(refitted, statistic)[member].tobytes()
        features = preprocessing.apply(member, problem.X[fold.train])
        assert features.tobytes() == refitted.apply(member, changed[fold.train]).tobytes()
        # The test can see a leak: members that train on the changed rows did change.
        affected = [m for m, rows in enumerate(row_sets) if np.intersect1d(rows, unseen).size]
        assert affected
        for m in affected:
            assert preprocessing.centre[m].tobytes() != refitted.centre[m].tobytes()


def test_constant_and_empty_columns() -> None:
    X = difficult_features()
    preprocessing = fit_preprocessing(X, training_rows())
    assert (preprocessing.scale[:, [3, 5]] == 1).all()
    assert (preprocessing.fill[:, 5] == 0).all()
    features = preprocessing.apply(0, X)
    assert np.isfinite(features).all()
    assert (np.abs(features) <= CLIP).all()
    np.testing.assert_allclose(features[:, [3, 5]], 0, atol=1e-15)


def test_a_column_empty_in_training_rows_only_stays_finite() -> None:
    X = np.arange(20.0)[:, None]
    X[:10] = np.nan
    features = fit_preprocessing(X, [np.arange(10)]).apply(0, X)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e12])
def test_large_features_keep_their_differences(offset: float) -> None:
    # In float32 all of these would be one number from 1e12 on.
    X = (offset + np.arange(100.0))[:, None]
    features = fit_preprocessing(X, [np.arange(100)]).apply(0, X)[:, 0]
    expected = (np.arange(100) - 49.5) / np.sqrt((100**2 - 1) / 12)
    np.testing.assert_allclose(features, expected, rtol=1e-6, atol=1e-6)


def test_a_member_does_not_depend_on_the_others() -> None:
    X, row_sets = difficult_features(), training_rows()
    together, alone = fit_preprocessing(X, row_sets), fit_preprocessing(X, row_sets[2:3])
    assert together.apply(2, X).tobytes() == alone.apply(0, X).tobytes()


def test_the_input_is_left_alone() -> None:
    X = difficult_features()
    before = X.tobytes()
    fit_preprocessing(X, training_rows()).apply(0, X)
    assert X.tobytes() == before


@pytest.mark.parametrize("n_features", [1, 2, 7])
def test_columns_are_fitted_some_at_a_time_to_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, n_features: int
) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(1e3, 5, (400, n_features))
    X[rng.random(X.shape) < 0.1] = np.nan
    rows = [np.arange(0, 300), np.arange(100, 400)]
    at_once = fit_preprocessing(X, rows)
    monkeypatch.setattr(preprocessing, "_MOST_CELLS", 1)
    by_column = fit_preprocessing(X, rows)
    for name in ("fill", "centre", "scale"):
        np.testing.assert_array_equal(getattr(by_column, name), getattr(at_once, name))


def test_single_precision_is_kept_and_prepared_as_its_values_in_double() -> None:
    rng = np.random.default_rng(4)
    single = rng.normal(1e5, 3, (200, 4)).astype(np.float32)
    y = rng.integers(0, 2, 200)
    problems = [make_problem(from_arrays(X, y)) for X in (single, single.astype(np.float64))]
    assert problems[0].X.dtype == np.float32
    assert problems[0].dataset.sha256 == problems[1].dataset.sha256
    folds = [make_folds(p, folds=2, repeats=1, validation=0.2, seed=1) for p in problems]
    members = [make_members(p, f, 1) for p, f in zip(problems, folds, strict=True)]
    for ours, theirs in zip(members[0].features(), members[1].features(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # One copy of the rows serves all programs.
    assert members[1].features()[0] is members[1].features()[0]


def test_a_problem_with_all_rows_shares_them_with_its_data_set() -> None:
    problem = make_problem(from_arrays(np.arange(20.0).reshape(10, 2), [0] * 6 + [1] * 4))
    assert problem.X is problem.dataset.X


def test_rows_that_are_prepared_when_they_are_read_are_the_same() -> None:
    X, row_sets = difficult_features(), training_rows()
    preprocessing = fit_preprocessing(X, row_sets)
    positions = np.random.default_rng(2).integers(90, size=(4, 5))
    for member, train in enumerate(row_sets):
        rows = PreparedRows(preprocessing, member, X, train)
        prepared = preprocessing.apply(member, X[train])
        assert rows.shape == prepared.shape
        np.testing.assert_array_equal(rows[positions], prepared[positions])
