"""Tests of ReMix against other methods over problems, and over data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from remix_study.metrics import is_maximized
from remix_study.results.comparison import Comparison
from remix_study.results.rank_sums import Ranking, RankTable
from remix_study.results.significance import (
    LEAST_UNITS,
    FriedmanTest,
    Posterior,
    against_control,
    friedman_test,
    signed_rank_posterior,
    tie_mass,
)

UNITS = ("problem", "data set")
"""What counts as one observation of a test."""

SURE = 0.95
"""Posterior probability from which on a relation counts as certain."""


@dataclass(frozen=True)
class Opponent:
    """A method that ReMix is compared with in one metric.

    Attributes:
        method: its label.
        mean_rank: over the units.
        holm_p: two-sided p-value of the difference in mean rank, adjusted after Holm.
        is_behind: whether ReMix has the better mean rank.
        difference: mean score of ReMix minus this method, above zero where ReMix is better.
        posterior: of the Bayesian signed-rank test: ReMix better, equal or worse.
    """

    method: str
    mean_rank: float
    holm_p: float
    is_behind: bool
    difference: float
    posterior: Posterior


@dataclass(frozen=True, eq=False)
class RankTest:
    """The tests on one ranking: of all methods together, and of ReMix against each other one.

    Attributes:
        ranking: what was tested, with the unit as its index.
        unit: one of `UNITS`.
        overall: Friedman's test; None with fewer than `LEAST_UNITS` units.
        remix: label of the ReMix method, "" if there is none.
        opponents: the other methods; empty where there is no test or no ReMix.
    """

    ranking: Ranking
    unit: str
    overall: FriedmanTest | None
    remix: str
    opponents: tuple[Opponent, ...]

    @property
    def n_units(self) -> int:
        """Number of problems or data sets."""
        return len(self.ranking.ranks)


def rank_tests(ranked: RankTable, comparisons: Sequence[Comparison]) -> tuple[RankTest, ...]:
    """Test every ranking over problems, and over data sets if some hold several problems.

    Args:
        ranked: the rankings.
        comparisons: the problems that were ranked.
    """
    datasets = {c.problem: c.dataset for c in comparisons}
    remix = next((m.label for m in ranked.methods if m.strategy == "remix"), "")
    tests = []
    for ranking in ranked.rankings:
        tests.append(_rank_test(ranking, "problem", remix))
        ranked_datasets = [datasets[str(problem)] for problem in ranking.means.index]
        if len(set(ranked_datasets)) < len(ranked_datasets):
            tests.append(_rank_test(ranking.by_dataset(datasets), "data set", remix))
    return tuple(tests)


def table(tests_by_set: Mapping[str, Sequence[RankTest]]) -> pd.DataFrame:
    """Table of tests of all methods: one line a set of methods, kind, metric and unit.

    Args:
        tests_by_set: name of the set of methods -> its tests.
    """
    return pd.DataFrame(
        [
            {
                "rows_ranked": name,
                "kind": test.ranking.kind,
                "metric": test.ranking.metric,
                "unit": test.unit,
                "units": test.n_units,
                "rows": test.overall.methods,
                "friedman_chi2": test.overall.chi2,
                "friedman_p": test.overall.p,
                "iman_davenport_f": test.overall.f,
                "iman_davenport_p": test.overall.f_p,
                "nemenyi_cd": test.overall.critical_difference,
            }
            for name, tests in tests_by_set.items()
            for test in tests
            if test.overall is not None
        ]
    )


def table_of_opponents(tests_by_set: Mapping[str, Sequence[RankTest]]) -> pd.DataFrame:
    """Table of tests of ReMix: one line a set of methods, kind, metric, unit and opponent.

    Args:
        tests_by_set: name of the set of methods -> its tests.
    """
    return pd.DataFrame(
        [
            {
                "rows_ranked": name,
                "kind": test.ranking.kind,
                "metric": test.ranking.metric,
                "unit": test.unit,
                "units": test.n_units,
                "remix": test.remix,
                "rival": opponent.method,
                "mean_rank_remix": float(test.ranking.sums[test.remix]) / test.n_units,
                "mean_rank_rival": opponent.mean_rank,
                "holm_p": opponent.holm_p,
                "mean_gain_of_remix": opponent.difference,
                "remix_better": opponent.posterior.better,
                "practically_equal": opponent.posterior.equal,
                "rival_better": opponent.posterior.worse,
            }
            for name, tests in tests_by_set.items()
            for test in tests
            for opponent in test.opponents
        ]
    )


def _rank_test(ranking: Ranking, unit: str, remix: str) -> RankTest:
    n = len(ranking.ranks)
    if n < LEAST_UNITS:
        return RankTest(ranking, unit, None, remix, ())
    sums = ranking.sums.to_numpy(dtype=np.float64)
    overall = friedman_test(sums, n, tie_mass(ranking.ranks.to_numpy(dtype=np.float64)))
    if remix not in ranking.sums:
        return RankTest(ranking, unit, overall, "", ())
    labels = [str(label) for label in ranking.sums.index]
    adjusted = against_control(sums, n, labels.index(remix))
    sign = 1.0 if is_maximized(ranking.metric) else -1.0
    opponents = []
    for label, p in zip(labels, adjusted, strict=True):
        if label == remix:
            continue
        gain = sign * (ranking.means[remix] - ranking.means[label]).to_numpy(dtype=np.float64)
        opponents.append(
            Opponent(
                method=label,
                mean_rank=float(ranking.sums[label]) / n,
                holm_p=float(p),
                is_behind=bool(ranking.sums[remix] < ranking.sums[label]),
                difference=float(gain.mean()),
                posterior=signed_rank_posterior(gain),
            )
        )
    return RankTest(ranking, unit, overall, remix, tuple(opponents))
