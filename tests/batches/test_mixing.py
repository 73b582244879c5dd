"""Mixing on its own: lambda, permutation, and alpha at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from remix_study.batches.mixing import MIXINGS
from remix_study.batches.training_rows import DrawnRows, TrainingRows


def drawn(steps=200, batch=16):
    first = np.arange(steps * batch).reshape(steps, batch)
    return DrawnRows(first, first, np.ones(first.shape, np.float32))


def training_rows(n_rows):
    y = (np.arange(n_rows) % 3).astype(np.int32)
    return TrainingRows(np.arange(n_rows, dtype=np.int32), y, 3, lambda: None)


def mix(name, alpha, **kwargs):
    rows = drawn(**kwargs)
    return MIXINGS[name](np.random.default_rng(4), rows, alpha, training_rows(rows.first.size))


@pytest.mark.parametrize("name", ["beta", "beta-sample"])
class TestMixing:
    def test_partners_are_a_permutation_within_the_batch(self, name):
        mixed = mix(name, 0.3)
        np.testing.assert_array_equal(np.sort(mixed.second, axis=1), mixed.first)
        assert len(np.unique(mixed.second - mixed.first[:, :1], axis=0)) == 200

    def test_lambda_is_beta_one_a_batch_or_one_a_row(self, name):
        weight = mix(name, 0.3).weight
        distinct = [len(np.unique(row)) for row in weight]
        assert max(distinct) == 1 if name == "beta" else min(distinct) > 1
        lams = weight[:, 0] if name == "beta" else weight.ravel()
        # In float32 lambdas next to 1 become 1: test where both are exact.
        inner = lams[(lams > 1e-6) & (lams < 1 - 1e-6)].astype(float)
        cut = stats.beta(0.3, 0.3)
        low, high = cut.cdf([1e-6, 1 - 1e-6])
        assert stats.kstest(inner, lambda x: (cut.cdf(x) - low) / (high - low)).pvalue > 1e-3
        assert len(inner) / len(lams) == pytest.approx(high - low, abs=0.03)

    @pytest.mark.parametrize("alpha", [5e-324, 1e-310, 1e-200, 1e-30, 1e-6])
    def test_smallest_alpha_is_a_fair_coin(self, name, alpha):
        weight = mix(name, alpha).weight
        assert np.isfinite(weight).all()
        assert np.isin(weight, [0, 1]).all()
        assert weight.mean() == pytest.approx(0.5, abs=0.12)

    @pytest.mark.parametrize("alpha", [1e16, 1e300, 1.7e308])
    def test_largest_alpha_is_one_half(self, name, alpha):
        np.testing.assert_allclose(mix(name, alpha).weight, 0.5, atol=1e-6)

    def test_alpha_zero_mixes_nothing(self, name):
        mixed = mix(name, 0.0)
        np.testing.assert_array_equal(mixed.second, mixed.first)
        assert (mixed.weight == 1).all()


def test_none_leaves_rows_as_they_are():
    rows = drawn()
    mixed = MIXINGS["none"](np.random.default_rng(0), rows, 0.5, training_rows(rows.first.size))
    for part, kept in zip(mixed, rows, strict=False):
        assert part is kept
    assert (mixed.label_weight == 1).all()
