"""Folds with fewer rare rows: which training rows go, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from remix_study.data.arrays import from_arrays
from remix_study.data.folds import make_folds
from remix_study.data.problems import make_problem
from remix_study.data.rare_rows import SHARES, with_fewer_rare_rows


@pytest.fixture(scope="module")
def problem():
    y = np.repeat([0, 1, 2], [120, 40, 17])
    dataset = from_arrays(np.arange(len(y))[:, None], y, name="made-up")
    return make_problem(dataset, minority=("1", "2"), kind="multi-class")


@pytest.fixture(scope="module")
def folds(problem):
    return make_folds(problem, folds=3, repeats=2, validation=0.3, seed=5)


def test_each_rare_class_keeps_its_share_and_all_else_stays(problem, folds):
    for share in SHARES:
        for full, fewer in zip(folds, with_fewer_rare_rows(problem, folds, share, 5), strict=True):
            before, after = (np.bincount(problem.y[f.train], minlength=3) for f in (full, fewer))
            assert after[0] == before[0]
            assert [*after[1:]] == [max(1, round(share * n)) for n in before[1:]]
            assert (np.diff(fewer.train) > 0).all()
            assert np.isin(fewer.train, full.train).all()
            assert (fewer.validation == full.validation).all()
            assert (fewer.test == full.test).all()


def test_the_rows_of_a_smaller_share_are_among_those_of_a_larger_one(problem, folds):
    parts = [with_fewer_rare_rows(problem, folds, share, 5) for share in SHARES]
    for smaller, larger in zip(parts, [*parts[1:], folds], strict=True):
        assert all(np.isin(a.train, b.train).all() for a, b in zip(smaller, larger, strict=True))


def test_the_seed_and_the_fold_choose_the_rows(problem, folds):
    (half,) = with_fewer_rare_rows(problem, folds[:1], 0.5, 5)
    (again,) = with_fewer_rare_rows(problem, folds[:1], 0.5, 5)
    (other_seed,) = with_fewer_rare_rows(problem, folds[:1], 0.5, 6)
    (other_fold,) = with_fewer_rare_rows(problem, [replace(folds[0], fold=7)], 0.5, 5)
    assert (half.train == again.train).all()
    assert not np.array_equal(half.train, other_seed.train)
    assert not np.array_equal(half.train, other_fold.train)


def test_no_class_loses_its_last_row(problem, folds):
    (tiny,) = with_fewer_rare_rows(problem, folds[:1], 1e-6, 5)
    assert [*np.bincount(problem.y[tiny.train], minlength=3)[1:]] == [1, 1]
