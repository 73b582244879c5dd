"""Tests over problems against scipy, baycomp, hand-computed values and the audit of Table 2."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from remix_study.paper.table2 import PROBLEMS, RANK_SUMS
from remix_study.results import significance
from remix_study.results.significance import (
    against_control,
    cliques,
    critical_difference,
    friedman_test,
    has_too_few_units,
    holm,
    signed_rank_posterior,
    smallest_p,
    tie_mass,
)

# Kind, metric, Friedman's chi2 and p, critical difference, adjusted p against ReMix of baseline,
# cost, smote and mixup; worked out apart from this code.
AUDIT = [
    ("binary", "g_mean", 50.09, 3e-10, 1.438, (1e-5, 1e-6, 0.14, 3e-8)),
    ("multi-class", "g_mean", 18.67, 9e-4, 2.033, (0.014, 0.034, 0.074, 1e-4)),
    ("multi-class", "bbs", 24.89, 5e-5, 2.033, (6e-5, 2e-4, 0.003, 0.053)),
]


@pytest.mark.parametrize(("kind", "metric", "chi2", "p", "cd", "adjusted"), AUDIT)
def test_the_consistent_columns_of_table_2(kind, metric, chi2, p, cd, adjusted):
    sums, units = RANK_SUMS[kind, metric], len(PROBLEMS[kind])
    test = friedman_test(sums, units)
    assert test.chi2 == pytest.approx(chi2, abs=0.005)
    assert test.p == pytest.approx(p, rel=0.2)
    assert test.critical_difference == pytest.approx(cd, abs=5e-4)
    against = against_control(sums, units, control=4)
    assert math.isnan(against[4])
    # The audit gives one digit where it is small and three decimals where it is not.
    for adjusted_p, known in zip(against, adjusted, strict=False):
        assert adjusted_p == pytest.approx(known, rel=0.35 if known < 5e-3 else 0.06)


def test_the_binary_balanced_brier_column_is_refused():
    sums = RANK_SUMS["binary", "bbs"]
    with pytest.raises(ValueError, match=r"268.*270"):
        friedman_test(sums, 18)
    with pytest.raises(ValueError, match=r"268.*270"):
        against_control(sums, 18, control=4)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 7), st.integers(3, 12), st.booleans())
def test_friedman_is_that_of_scipy_with_and_without_ties(seed, methods, units, ties):
    scores = np.random.default_rng(seed).random((units, methods))
    scores = np.round(scores, 1) if ties else scores
    ranks = stats.rankdata(scores, axis=1)
    if (ranks == ranks[:, :1]).all():
        return
    test = friedman_test(ranks.sum(axis=0), units, tie_mass(ranks))
    chi2, p = stats.friedmanchisquare(*scores.T)
    assert test.chi2 == pytest.approx(chi2)
    assert test.p == pytest.approx(p)


def test_iman_and_davenport_is_the_f_test_of_ranks():
    # Without ties it is the two-way analysis of variance of the ranks.
    ranks = stats.rankdata(np.random.default_rng(1).random((9, 4)), axis=1)
    between = 9 * ((ranks.mean(axis=0) - 2.5) ** 2).sum()
    within = ((ranks - 2.5) ** 2).sum() - between
    f = (between / 3) / (within / 24)
    test = friedman_test(ranks.sum(axis=0), 9)
    assert test.f == pytest.approx(f)
    assert test.f_p == pytest.approx(stats.f.sf(f, 3, 24))


def test_one_order_everywhere_is_the_most_that_can_be():
    test = friedman_test([3, 6, 9], 3)
    assert test.chi2 == pytest.approx(6)
    assert math.isinf(test.f)
    assert test.f_p == pytest.approx(1 / 36)


def test_methods_that_are_always_tied_do_not_differ():
    test = friedman_test([6, 6, 6], 3, tie_mass(np.full((3, 3), 2.0)))
    assert (test.chi2, test.p) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("methods", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (7, 2.949), (10, 3.164)]
)
def test_critical_difference_uses_the_published_q(methods, q):
    # Demšar (2006), Table 5a.
    expected = q * math.sqrt(methods * (methods + 1) / (6 * 14))
    assert critical_difference(methods, 14) == pytest.approx(expected, abs=1.5e-3)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])


def test_cliques_are_the_longest_runs_within_the_difference():
    assert cliques([1.0, 2.0, 2.5, 4.0], 1.6) == ((0, 2), (2, 3))
    assert cliques([1.0, 3.0, 5.0], 1.5) == ()
    assert cliques([1.0, 1.5, 2.0], 3.0) == ((0, 2),)


@pytest.mark.parametrize("units", [3, 5, 7])
def test_smallest_p_is_that_of_the_exact_test(units):
    exact = stats.wilcoxon(np.arange(1.0, units + 1), method="exact").pvalue
    assert smallest_p(units) == pytest.approx(exact)


def test_seven_data_sets_are_too_few_for_four_rivals():
    assert smallest_p(7) * 4 == pytest.approx(0.0625)
    assert has_too_few_units(7, 4)
    assert not has_too_few_units(18, 4)


def slow(differences, rope, draws=4000):
    """Benavoli et al. (2017), section 4.2.1, literally."""
    z = [0.0, *differences]
    rng = np.random.default_rng(5)
    wins = np.zeros(3)
    for w in rng.dirichlet([0.5, *np.ones(len(differences))], draws):
        theta = np.zeros(3)
        for i, a in enumerate(z):
            for j, b in enumerate(z):
                side = 0 if a + b < -2 * rope else 2 if a + b > 2 * rope else 1
                theta[side] += w[i] * w[j]
        wins[theta.argmax()] += 1
    return wins / draws


# baycomp 1.0.3, 50,000 draws: two_on_multiple(zeros, differences, rope=0.01, random_state=0)
CASES = [
    ([0.031, 0.022, -0.013, 0.05, 0.004, 0.012, -0.003], (0.00152, 0.3692, 0.62928)),
    ([0.002, -0.003, 0.001, 0.0, 0.004], (0.0, 1.0, 0.0)),
    ([0.2, 0.1, -0.15], (0.25654, 0.01644, 0.72702)),
]


@pytest.mark.parametrize(("differences", "known"), CASES)
def test_probabilities_are_those_of_baycomp_and_of_the_literal_one(differences, known):
    posterior = signed_rank_posterior(differences)
    probabilities = (posterior.worse, posterior.equal, posterior.better)
    assert sum(probabilities) == pytest.approx(1)
    assert probabilities == pytest.approx(known, abs=0.012)
    assert probabilities == pytest.approx(slow(differences, 0.01), abs=0.03)


def test_a_sum_on_the_edge_of_the_region_counts_half_to_each_side():
    # 0.03 - 0.01 is 0.02 but for rounding, as is 0.02 + 0.
    exact = signed_rank_posterior([0.03, 0.02, -0.01])
    scaled = signed_rank_posterior([3.0, 2.0, -1.0], rope=1.0)
    assert exact == scaled


def test_negated_differences_swap_better_and_worse():
    d = np.array([0.2, 0.1, -0.15, 0.04])
    there, back = signed_rank_posterior(d), signed_rank_posterior(-d)
    assert (there.better, there.worse) == (back.worse, back.better)


def test_clear_differences_have_probability_one():
    assert signed_rank_posterior(np.full(7, 0.05)).better > 0.99
    assert signed_rank_posterior(np.full(7, -0.05)).worse > 0.99


def test_differences_on_the_same_sides_are_drawn_once():
    significance._posterior.cache_clear()
    first = signed_rank_posterior([0.2, 0.1, -0.15, 0.0])
    assert signed_rank_posterior([0.201, 0.099, -0.151, 0.0]) == first
    assert signed_rank_posterior([-0.2, -0.1, 0.15, 0.0]) != first
    assert significance._posterior.cache_info().misses == 2


def test_products_of_draws_are_too_small_for_threads():
    # OpenBLAS takes threads from 262,144 products on, which here cost more than they do.
    blocks, n, draws = significance._draws(28).shape
    assert blocks * draws == significance.DRAWS
    assert n * n * draws <= 262_144
