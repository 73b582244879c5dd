"""Tests of methods over problems: Friedman's with Nemenyi and Holm, and the Bayesian signed-rank.

The unit is whatever was ranked once: a problem of the study, or a data set with the scores of its
problems averaged first. All tests treat units as independent. Those on rank sums are as Demšar
(2006) recommends them, the signed-rank test is that of Benavoli et al. (2014, 2017).

Rank sums are (k,) sums over N units; sums that no ranking of N units can give are a ValueError.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.05  # Level of significance of every test
LEAST_UNITS = 3  # Units that a test is made with at least
ROPE = 0.01  # Half the width of the region of practical equivalence, in units of a score

PRIOR_WEIGHT = 0.5
DRAWS = 20_000
_BLOCKS = 100  # A larger product of matrices is shared among threads, which here takes longer
_SEED = 2014


def check_rank_total(sums: ArrayLike, *, n_problems: int) -> None:
    """Raise ValueError for rank sums that no ranking with average ties can give."""
    array = np.asarray(sums, dtype=np.float64)
    expected = n_problems * len(array) * (len(array) + 1) / 2
    if not np.isclose(array.sum(), expected, rtol=0, atol=1e-6):
        raise ValueError(f"rank sums total {array.sum():g}, not N k (k + 1) / 2 = {expected:g}")


@dataclass(frozen=True)
class FriedmanTest:
    """Friedman's test of whether methods differ at all.

    Attributes:
        units: number N of problems or data sets.
        methods: number k of methods.
        chi2: Friedman's statistic, k - 1 degrees of freedom; `p` is its p-value.
        f: the statistic of Iman and Davenport, k - 1 and (k - 1)(N - 1) degrees of freedom.
        f_p: its p-value; where every unit has the same order and F has no bound, the exact
            probability of that, (1 / k!)^(N - 1).
        critical_difference: of two mean ranks, after Nemenyi, at level 0.05.
    """

    units: int
    methods: int
    chi2: float
    p: float
    f: float
    f_p: float
    critical_difference: float

    @property
    def is_significant(self) -> bool:
        return self.f_p <= LEVEL


def friedman_test(sums: ArrayLike, units: int, tied: float = 0.0) -> FriedmanTest:
    """Friedman's test with Iman and Davenport's correction, from the rank sums of N units.

    `tied` is what `tie_mass` gives; 0 corrects nothing.
    """
    check_rank_total(sums, n_problems=units)
    array = np.asarray(sums, dtype=np.float64)
    k = len(array)
    chi2 = 12 / (units * k * (k + 1)) * float((array**2).sum()) - 3 * units * (k + 1)
    untied = 1 - tied / (units * k * (k**2 - 1))
    # All methods tied on every unit: nothing differs.
    chi2 = chi2 / untied if untied > 0 else 0.0
    distance_to_bound = units * (k - 1) - chi2
    if distance_to_bound > 1e-9:
        f = (units - 1) * chi2 / distance_to_bound
        f_p = float(stats.f.sf(f, k - 1, (k - 1) * (units - 1)))
    else:
        f, f_p = float("inf"), float(math.factorial(k)) ** (1 - units)
    p = float(stats.chi2.sf(chi2, k - 1))
    return FriedmanTest(units, k, chi2, p, f, f_p, critical_difference(k, units))


def tie_mass(ranks: ArrayLike) -> float:
    """Sum of t^3 - t over the groups of t tied methods in each unit of (units, methods) ranks."""
    mass = 0.0
    for unit_ranks in np.asarray(ranks, dtype=np.float64):
        _, sizes = np.unique(unit_ranks, return_counts=True)
        mass += float((sizes.astype(np.float64) ** 3 - sizes).sum())
    return mass


def critical_difference(methods: int, units: int) -> float:
    """Nemenyi's critical difference of two mean ranks: q sqrt(k (k + 1) / 6 N).

    The q is that of the studentised range with infinitely many degrees of freedom, over sqrt(2).
    """
    q = float(stats.studentized_range.ppf(1 - LEVEL, methods, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * units)))


def cliques(mean_ranks: ArrayLike, distance: float) -> tuple[tuple[int, int], ...]:
    """Longest runs of methods whose (k,) ascending mean ranks differ by less than a distance.

    Returns first and last place of each run of two methods or more, none within another.
    """
    ranks = np.asarray(mean_ranks, dtype=np.float64)
    runs: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = int(np.flatnonzero(ranks - ranks[first] < distance)[-1])
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return tuple(runs)


def against_control(sums: ArrayLike, units: int, control: int) -> NDArray[np.float64]:
    """Two-sided p-values of each method against one, adjusted after Holm; NaN for that one.

    The difference of two mean ranks over sqrt(k (k + 1) / 6 N) is taken as normal. The control is
    given by its place among the sums.
    """
    check_rank_total(sums, n_problems=units)
    mean = np.asarray(sums, dtype=np.float64) / units
    k = len(mean)
    z = (mean - mean[control]) / np.sqrt(k * (k + 1) / (6 * units))
    is_other = np.arange(k) != control
    p = np.full(k, np.nan)
    p[is_other] = holm(2 * stats.norm.sf(np.abs(z[is_other])))
    return p


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """The p-values of one family adjusted after Holm (1979), in their given order."""
    array = np.asarray(p, dtype=np.float64)
    order = np.argsort(array, kind="stable")
    stepped = array[order] * np.arange(len(array), 0, -1)
    adjusted = np.empty_like(array)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def smallest_p(units: int) -> float:
    """The smallest two-sided p-value that an exact Wilcoxon signed-rank test can give."""
    return float(min(1.0, 2.0 ** (1 - units)))


def has_too_few_units(units: int, rivals: int) -> bool:
    """Whether no exact signed-rank test can be significant once it is adjusted for its rivals."""
    return smallest_p(units) * rivals > LEVEL


@dataclass(frozen=True)
class Posterior:
    """Probabilities that the first row is practically better, equal or worse; they sum to 1."""

    better: float
    equal: float
    worse: float


def signed_rank_posterior(differences: ArrayLike, rope: float = ROPE) -> Posterior:
    """The posterior of first minus second, above zero where the first is better.

    The posterior of the differences is a Dirichlet process: weights over the N differences and one
    pseudo-difference of zero. A draw of weights w gives the probability that the mean of two
    differences lies above, within or below the region of practical equivalence, sum w_i w_j over
    the pairs in each; the side with the largest is counted. This is what baycomp's
    `SignedRankTest` computes one draw at a time; here all draws are one product of matrices,
    since a page needs thousands of tests. The draws are the same in every call, and so is the
    posterior wherever the same pairs are on the same sides.

    Args:
        differences: (N,) one a problem or data set.
        rope: half the width of the region of practical equivalence, above zero.
    """
    values = np.r_[0.0, np.asarray(differences, dtype=np.float64)]
    sums = values[:, None] + values
    sides = _step(-sums - 2 * rope), _step(sums - 2 * rope)
    return _posterior(len(values), *(steps.tobytes() for steps in sides))


@lru_cache(maxsize=4096)
def _posterior(n: int, *sides: bytes) -> Posterior:
    """The posterior by the bytes of (n, n) steps: those of pairs below the region, and above."""
    weights = _draws(n)
    left, right = (
        _sum_of_products(weights, np.frombuffer(steps).reshape(n, n)) for steps in sides
    )
    winner = np.stack([left, 1 - left - right, right]).argmax(axis=0)
    worse, equal, better = np.bincount(winner, minlength=3) / DRAWS
    return Posterior(better=float(better), equal=float(equal), worse=float(worse))


def _sum_of_products(
    weights: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum over i, j of w_i w_j s_ij for each draw, of weights by `_draws`; (N, N) steps."""
    # On one side there is often nothing.
    return ((steps @ weights) * weights).sum(axis=1).ravel() if steps.any() else np.zeros(DRAWS)


@lru_cache(maxsize=64)
def _draws(n: int) -> NDArray[np.float64]:
    """Weights (blocks, n, draws of a block), a layout in which it is quick to sum over n."""
    prior = np.r_[PRIOR_WEIGHT, np.ones(n - 1)]
    draws = np.random.default_rng([_SEED, n]).dirichlet(prior, DRAWS)
    return np.ascontiguousarray(draws.reshape(_BLOCKS, -1, n).swapaxes(1, 2))


def _step(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 above zero, 1/2 at zero, but for rounding; 0 below."""
    return np.heaviside(np.round(x, 12), 0.5)
