"""Mixings: partners, weights and labels, and alpha at its limits."""

from __future__ import annotations

import numpy as np
import pytest
from imbalanced_rows import FEATURES, LABELS, SIGNIFICANCE, plan, plans, training_rows
from scipy import stats

from remix_study.batches.strategies import compose, make_strategy


def mix(mixing, alpha):
    """An epoch of 200 natural batches of 16 rows, mixed."""
    training = training_rows(np.arange(3200) % 3, np.zeros((3200, 1)))
    return plan(compose("natural", mixing, alpha), training, 16)


@pytest.mark.parametrize("name", ["beta", "beta-sample"])
class TestBeta:
    def test_partners_are_a_permutation_within_the_batch(self, name):
        mixed = mix(name, 0.3)
        np.testing.assert_array_equal(np.sort(mixed.second, axis=1), np.sort(mixed.first, axis=1))
        places = [np.argsort(row).tolist() for row in (mixed.second, mixed.first)]
        permutations = np.take_along_axis(np.argsort(places[0], axis=1), np.array(places[1]), 1)
        assert len(np.unique(permutations, axis=0)) == 200

    def test_weight_is_beta_for_each_batch_or_each_row(self, name):
        weight = mix(name, 0.3).weight
        distinct_weights = [len(np.unique(batch)) for batch in weight]
        assert max(distinct_weights) == 1 if name == "beta" else min(distinct_weights) > 1
        weights = weight[:, 0] if name == "beta" else weight.ravel()
        # In float32 weights next to 1 become 1: test where they are exact.
        inner = weights[(weights > 1e-6) & (weights < 1 - 1e-6)].astype(float)
        distribution = stats.beta(0.3, 0.3)
        low, high = distribution.cdf([1e-6, 1 - 1e-6])
        cdf = lambda x: (distribution.cdf(x) - low) / (high - low)  # noqa: E731
        assert stats.kstest(inner, cdf).pvalue > 1e-3
        assert len(inner) / len(weights) == pytest.approx(high - low, abs=0.03)

    @pytest.mark.parametrize("alpha", [5e-324, 1e-310, 1e-200, 1e-30, 1e-6])
    def test_smallest_alpha_is_a_fair_coin(self, name, alpha):
        weight = mix(name, alpha).weight
        assert np.isfinite(weight).all()
        assert np.isin(weight, [0, 1]).mean() > 0.999
        assert weight.mean() == pytest.approx(0.5, abs=0.12)

    @pytest.mark.parametrize("alpha", [1e16, 1e300, 1.7e308])
    def test_largest_alpha_is_one_half(self, name, alpha):
        np.testing.assert_allclose(mix(name, alpha).weight, 0.5, atol=1e-6)

    def test_alpha_zero_mixes_nothing(self, name):
        mixed = mix(name, 0.0)
        np.testing.assert_array_equal(mixed.second, mixed.first)
        assert (mixed.weight == 1).all()


def test_none_leaves_rows_as_they_are():
    mixed = mix("none", None)
    np.testing.assert_array_equal(mixed.first, mixed.second)
    assert (mixed.weight == 1).all()
    assert (mixed.label_weight == 1).all()


class TestRemixChou:
    def test_equals_a_literal_loop(self):
        counts = np.bincount(LABELS)
        cases = set()
        for epoch in range(20):
            remix_chou = plan("remix-chou", alpha=0.8, epoch=epoch)
            mixup = plan("mixup", alpha=0.8, epoch=epoch)
            # Rows, partners and weights are those of MixUp: only labels differ.
            for name in ("first", "second", "weight"):
                np.testing.assert_array_equal(getattr(remix_chou, name), getattr(mixup, name))
            for step in range(remix_chou.steps):
                for row in range(24):
                    weight = remix_chou.weight[step, row]
                    n_i = counts[LABELS[remix_chou.first[step, row]]]
                    n_j = counts[LABELS[remix_chou.second[step, row]]]
                    if n_i / n_j >= 3 and weight < 0.5:
                        expected = 0.0
                    elif n_i / n_j <= 1 / 3 and 1 - weight < 0.5:
                        expected = 1.0
                    else:
                        expected = weight
                    cases.add((n_i > n_j, n_i < n_j, expected == weight))
                    assert remix_chou.label_weight[step, row] == np.float32(expected)
        # Either class the larger one, labels moved or not; and pairs of one class.
        assert len(cases) == 5

    def test_at_exactly_three_to_one(self):
        y = np.repeat([0, 1], [30, 10]).astype(np.int32)
        mixed = plan("remix-chou", training_rows(y, FEATURES[:40]), 40, alpha=1.0)
        weight = mixed.weight[0, 0]
        is_pair = y[mixed.first[0]] != y[mixed.second[0]]
        expected = np.where(
            y[mixed.first[0]] == 0,
            0.0 if weight < 0.5 else weight,
            1.0 if weight > 0.5 else weight,
        )
        np.testing.assert_array_equal(
            mixed.label_weight[0][is_pair], expected[is_pair].astype(np.float32)
        )


class TestBalancedMixup:
    def test_natural_rows_are_mixed_with_rows_of_a_uniform_class(self):
        partners, partner_weights = [], []
        epochs = plans("balanced-mixup", 400, alpha=0.3), plans("baseline", 400)
        for mixed, natural in zip(*epochs, strict=True):
            np.testing.assert_array_equal(mixed.first, natural.first)
            np.testing.assert_array_equal(mixed.weight, mixed.label_weight)
            assert (mixed.weight == mixed.weight[:, :1]).all()
            partners.append(mixed.second)
            partner_weights.append(1 - mixed.weight[:, 0])
        times = np.bincount(np.concatenate(partners).ravel(), minlength=len(LABELS))
        class_times = [times[code == LABELS].sum() for code in range(3)]
        assert stats.chisquare(class_times).pvalue > SIGNIFICANCE
        for code in range(3):
            assert stats.chisquare(times[code == LABELS]).pvalue > SIGNIFICANCE
        # x = (1 - l) x_I + l x_C with l ~ Beta(alpha, 1): a small share on average.
        weights = np.concatenate(partner_weights).astype(float)
        inner = weights[weights > 1e-6]
        low = stats.beta(0.3, 1).cdf(1e-6)
        assert stats.kstest(inner, lambda x: (x**0.3 - low) / (1 - low)).pvalue > SIGNIFICANCE
        assert weights.mean() == pytest.approx(0.3 / 1.3, abs=0.03)

    @pytest.mark.parametrize("alpha", [1e-300, 1e-6, 1e300])
    def test_alpha_at_its_limits(self, alpha):
        weight = plan(make_strategy("balanced-mixup", alpha)).weight
        np.testing.assert_allclose(weight, 1.0 if alpha < 1 else 0.0, atol=1e-6)
