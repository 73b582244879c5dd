"""Tests on rank sums over problems, as Demšar (2006) recommends them.

A problem here is whatever was ranked once: a problem of the study, or a data set with the scores
of its problems averaged first. All p-values treat these units as independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from remix_study.results.ranking import check_rank_total

LEVEL = 0.05
# With fewer units no test is worth its p-value.
LEAST_UNITS = 3


@dataclass(frozen=True)
class FriedmanTest:
    """Whether the rows differ at all.

    Attributes:
        units: number N of problems or data sets.
        methods: number k of rows.
        chi2: Friedman's statistic, k - 1 degrees of freedom.
        p: its p-value.
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


def friedman_test(sums: ArrayLike, units: int, tied: float = 0.0) -> FriedmanTest:
    """Friedman's test with Iman and Davenport's correction, from rank sums.

    Args:
        sums: (k,) rank sums.
        units: number N of units that were ranked.
        tied: sum of t^3 - t over all groups of t tied rows, see `tie_mass`; 0 corrects nothing.

    Raises:
        ValueError: no ranking of N units can give these sums.
    """
    check_rank_total(sums, n_problems=units)
    array = np.asarray(sums, dtype=np.float64)
    k = len(array)
    chi2 = 12 / (units * k * (k + 1)) * float((array**2).sum()) - 3 * units * (k + 1)
    untied = 1 - tied / (units * k * (k**2 - 1))
    # All rows tied on every unit: nothing differs.
    chi2 = chi2 / untied if untied > 0 else 0.0
    room = units * (k - 1) - chi2
    if room > 1e-9:
        f = (units - 1) * chi2 / room
        f_p = float(stats.f.sf(f, k - 1, (k - 1) * (units - 1)))
    else:
        f, f_p = float("inf"), float(math.factorial(k)) ** (1 - units)
    return FriedmanTest(
        units=units,
        methods=k,
        chi2=chi2,
        p=float(stats.chi2.sf(chi2, k - 1)),
        f=f,
        f_p=f_p,
        critical_difference=critical_difference(k, units),
    )


def tie_mass(ranks: ArrayLike) -> float:
    """Sum of t^3 - t over the groups of t tied rows in each unit.

    Args:
        ranks: (units, rows).
    """
    found = 0.0
    for line in np.asarray(ranks, dtype=np.float64):
        _, sizes = np.unique(line, return_counts=True)
        found += float((sizes.astype(np.float64) ** 3 - sizes).sum())
    return found


def critical_difference(rows: int, units: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference of two mean ranks: q sqrt(k (k + 1) / 6 N).

    The q is that of the studentised range with infinitely many degrees of freedom, over sqrt(2).
    """
    q = float(stats.studentized_range.ppf(1 - level, rows, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(rows * (rows + 1) / (6 * units)))


def against_control(sums: ArrayLike, units: int, control: int) -> NDArray[np.float64]:
    """Two-sided p-values of each row against one, adjusted after Holm; NaN for that one.

    The difference of two mean ranks over sqrt(k (k + 1) / 6 N) is taken as normal.

    Args:
        sums: (k,) rank sums.
        units: number N of units.
        control: place of the row that the others are compared with.

    Raises:
        ValueError: no ranking of N units can give these sums.
    """
    check_rank_total(sums, n_problems=units)
    mean = np.asarray(sums, dtype=np.float64) / units
    k = len(mean)
    z = (mean - mean[control]) / np.sqrt(k * (k + 1) / (6 * units))
    others = np.arange(k) != control
    found = np.full(k, np.nan)
    found[others] = holm(2 * stats.norm.sf(np.abs(z[others])))
    return found


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted after Holm (1979), in the order in which they came."""
    array = np.asarray(p, dtype=np.float64)
    order = np.argsort(array, kind="stable")
    stepped = array[order] * np.arange(len(array), 0, -1)
    adjusted = np.empty_like(array)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def cliques(mean_ranks: ArrayLike, distance: float) -> tuple[tuple[int, int], ...]:
    """Longest runs of rows that the critical difference does not part.

    Args:
        mean_ranks: (k,) ascending.
        distance: the critical difference.

    Returns:
        First and last place of each run of two rows or more, none within another.
    """
    ranks = np.asarray(mean_ranks, dtype=np.float64)
    found: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = int(np.flatnonzero(ranks - ranks[first] < distance)[-1])
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return tuple(found)


def smallest_p(units: int) -> float:
    """The smallest two-sided p-value that an exact Wilcoxon signed-rank test can give."""
    return float(min(1.0, 2.0 ** (1 - units)))


def has_too_few_units(units: int, rivals: int, level: float = LEVEL) -> bool:
    """Whether no exact test can be significant once it is adjusted for this many rivals."""
    return smallest_p(units) * rivals > level
