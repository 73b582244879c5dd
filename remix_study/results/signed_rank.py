"""The Bayesian signed-rank test of Benavoli et al. (2014, 2017) over problems or data sets.

The posterior of the differences is a Dirichlet process: weights over the N differences and one
pseudo-difference of zero. A draw of weights w gives the probability that the mean of two
differences lies above, within or below the region of practical equivalence, sum w_i w_j over the
pairs in each; the side with the largest is counted. This is what baycomp's `SignedRankTest`
computes one draw at a time; here all draws are one product of matrices, since a page needs
hundreds of tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROPE = 0.01
PRIOR_WEIGHT = 0.5
DRAWS = 20_000
_SEED = 2014


@dataclass(frozen=True)
class Posterior:
    """Probabilities that the first row is practically better, equal or worse; they sum to 1."""

    better: float
    equal: float
    worse: float


def signed_rank_posterior(differences: ArrayLike, rope: float = ROPE) -> Posterior:
    """The posterior of first minus second, above zero where the first is better.

    Args:
        differences: (N,) one a problem or data set.
        rope: half the width of the region of practical equivalence, in units of the score; above
            zero.

    Returns:
        The probabilities, from `DRAWS` draws that are the same in every call.
    """
    values = np.r_[0.0, np.asarray(differences, dtype=np.float64)]
    sums = values[:, None] + values
    above = _step(sums - 2 * rope)
    below = _step(-sums - 2 * rope)
    weights = _draws(len(values))
    right = ((weights @ above) * weights).sum(axis=1)
    left = ((weights @ below) * weights).sum(axis=1)
    winner = np.stack([left, 1 - left - right, right], axis=1).argmax(axis=1)
    worse, equal, better = np.bincount(winner, minlength=3) / DRAWS
    return Posterior(better=float(better), equal=float(equal), worse=float(worse))


@lru_cache(maxsize=64)
def _draws(n: int) -> NDArray[np.float64]:
    prior = np.r_[PRIOR_WEIGHT, np.ones(n - 1)]
    return np.random.default_rng([_SEED, n]).dirichlet(prior, DRAWS)


def _step(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 above zero, 1/2 at zero, but for rounding; 0 below."""
    return np.heaviside(np.round(x, 12), 0.5)
