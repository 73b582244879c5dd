"""Preprocessing: exactly scikit-learn's steps, fitted on the inner training rows and no other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from remix_study.data.arrays import from_arrays
from remix_study.data.folds import make_folds
from remix_study.data.preprocessing import CLIP, fit_preprocessing
from remix_study.data.problems import make_problem


def awkward(rows: int = 200) -> np.ndarray:
    """Features of very different sizes, missing cells, a constant and an empty column."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 7)) * [1, 1e-9, 1e12, 1, 1, 1, 1] + [0, 0, 1e12, 5, 0, 0, 0]
    X[:, 3] = 0.1
    X[:, 4] = rng.standard_t(1.1, size=rows)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:, 3] = 0.1
    X[:, 5] = np.nan
    return X


def members(rows: int = 200) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [np.sort(rng.choice(rows, 90, replace=False)) for _ in range(4)]


def test_equals_the_scikit_learn_pipeline() -> None:
    X, trains = awkward(), members()
    fitted = fit_preprocessing(X, trains)
    assert fitted.fill.shape == fitted.centre.shape == fitted.scale.shape == (4, 7)
    for member, train in enumerate(trains):
        pipeline = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
        expected = pipeline.fit(X[train]).transform(X).clip(-5, 5).astype(np.float32)
        got = fitted.apply(member, X)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, expected)


def test_equals_a_literal_computation() -> None:
    X, trains = awkward(), members()
    fitted = fit_preprocessing(X, trains)
    for member, train in enumerate(trains):
        for column in (0, 1, 2, 4):
            seen = [value for value in X[train, column] if value == value]
            fill = sum(seen) / len(seen)
            full = [value if value == value else fill for value in X[train, column]]
            mean = sum(full) / len(full)
            sd = (sum((value - mean) ** 2 for value in full) / len(full)) ** 0.5
            z = [((value if value == value else fill) - mean) / sd for value in X[:, column]]
            expected = [min(5.0, max(-5.0, value)) for value in z]
            got = fitted.apply(member, X)[:, column]
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_nothing_leaks_from_validation_or_test_rows() -> None:
    X = awkward(300)
    y = np.arange(300) % 5 == 0
    problem = make_problem(from_arrays(X, y))
    made = make_folds(problem, folds=3, repeats=2, validation=0.3, seed=2)
    trains = [fold.train for fold in made]
    fitted = fit_preprocessing(problem.X, trains)
    for member, fold in enumerate(made):
        changed = problem.X.copy()
        outside = np.concatenate([fold.validation, fold.test])
        changed[outside] = np.where(np.isnan(changed[outside]), 7e7, np.nan)
        again = fit_preprocessing(changed, trains)
        for before, after in zip(
            (fitted.fill, fitted.centre, fitted.scale),
            (again.fill, again.centre, again.scale),
            strict=True,
        ):
            assert before[member].tobytes() == after[member].tobytes()
        inside = fitted.apply(member, problem.X[fold.train])
        assert inside.tobytes() == again.apply(member, changed[fold.train]).tobytes()
        # And the test is able to see a leak: the other members did change.
        others = [m for m, other in enumerate(made) if np.intersect1d(other.train, outside).size]
        assert others
        assert all(fitted.centre[m].tobytes() != again.centre[m].tobytes() for m in others)


def test_constant_and_empty_columns() -> None:
    X = awkward()
    fitted = fit_preprocessing(X, members())
    assert (fitted.scale[:, [3, 5]] == 1).all()
    assert (fitted.fill[:, 5] == 0).all()
    Z = fitted.apply(0, X)
    assert np.isfinite(Z).all()
    assert (np.abs(Z) <= CLIP).all()
    np.testing.assert_allclose(Z[:, [3, 5]], 0, atol=1e-15)


def test_a_column_empty_in_training_rows_only_stays_finite() -> None:
    X = np.arange(20.0)[:, None]
    X[:10] = np.nan
    Z = fit_preprocessing(X, [np.arange(10)]).apply(0, X)
    assert np.isfinite(Z).all()


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e12])
def test_large_features_keep_their_differences(offset: float) -> None:
    # In float32 all of these would be one number from 1e12 on.
    X = (offset + np.arange(100.0))[:, None]
    Z = fit_preprocessing(X, [np.arange(100)]).apply(0, X)[:, 0]
    expected = (np.arange(100) - 49.5) / np.sqrt((100**2 - 1) / 12)
    np.testing.assert_allclose(Z, expected, rtol=1e-6, atol=1e-6)


def test_a_member_does_not_depend_on_the_others() -> None:
    X, trains = awkward(), members()
    together, alone = fit_preprocessing(X, trains), fit_preprocessing(X, trains[2:3])
    assert together.apply(2, X).tobytes() == alone.apply(0, X).tobytes()


def test_the_input_is_left_alone() -> None:
    X = awkward()
    before = X.tobytes()
    fit_preprocessing(X, members()).apply(0, X)
    assert X.tobytes() == before
