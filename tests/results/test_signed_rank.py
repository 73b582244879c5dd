"""The Bayesian signed-rank test against baycomp's numbers and a literal loop."""

from __future__ import annotations

import numpy as np
import pytest

from remix_study.results.signed_rank import signed_rank_posterior


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
