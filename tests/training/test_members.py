"""A problem's rows as programs take them, and the preprocessing of its members."""

from __future__ import annotations

import numpy as np
import pytest

from remix_study.data.arrays import from_arrays
from remix_study.data.folds import make_folds
from remix_study.data.problems import make_problem
from remix_study.training.members import make_members


def members_of(X):
    problem = make_problem(from_arrays(X, np.arange(len(X)) % 2), kind="binary", minority=["1"])
    folds = make_folds(problem, folds=2, repeats=1, validation=0.3, seed=5)
    return make_members(problem, folds, 5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", [0.0, 2.0**22])
def test_rows_are_prepared_in_a_program_as_by_the_preprocessing(dtype, far):
    """Also missing cells of a feature whose digits would be lost, which is moved."""
    rng = np.random.default_rng(2)
    X = np.stack([rng.normal(size=80), far + rng.integers(0, 4, 80)], axis=1).astype(dtype)
    X[rng.random(X.shape) < 0.1] = np.nan
    members = members_of(X)
    rows, fill, centre, scale = members.features()
    assert rows.dtype == np.float32
    assert np.nanmax(rows) < 10
    for member in range(2):
        filled = np.where(np.isnan(rows), fill[member], rows)
        expected = members.preprocessing.standardise(member, members.problem.X)
        np.testing.assert_allclose((filled - centre[member]) / scale[member], expected, atol=1e-5)
    # All programs read one copy.
    assert members.features()[0] is rows
