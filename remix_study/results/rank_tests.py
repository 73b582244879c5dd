"""Every test on one ranking, with the problem and with the data set as the unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from remix_study.metrics import is_maximized
from remix_study.results.comparison import Comparison
from remix_study.results.friedman import (
    LEAST_UNITS,
    FriedmanTest,
    against_control,
    friedman_test,
    tie_mass,
)
from remix_study.results.rank_sums import RankTable
from remix_study.results.ranking import Ranking, rank_by_dataset
from remix_study.results.signed_rank import Posterior, signed_rank_posterior

UNITS = ("problem", "data set")
SURE = 0.95


@dataclass(frozen=True)
class Opponent:
    """A row that ReMix is compared with on one metric.

    Attributes:
        method: its label.
        mean_rank: over the units.
        holm_p: two-sided p-value of the difference in mean rank, adjusted after Holm.
        ahead: whether ReMix has the better mean rank.
        difference: mean score of ReMix minus this row, above zero where ReMix is better.
        posterior: of the Bayesian signed-rank test, from the side of ReMix.
    """

    method: str
    mean_rank: float
    holm_p: float
    ahead: bool
    difference: float
    posterior: Posterior


@dataclass(frozen=True, eq=False)
class RankTest:
    """The tests on one ranking.

    Attributes:
        ranking: what was tested, with the unit as its index.
        unit: one of `UNITS`.
        overall: Friedman's test; None with fewer than `LEAST_UNITS` units.
        remix: label of the ReMix row, "" if there is none.
        opponents: the other rows against it; empty where there is no test or no ReMix.
    """

    ranking: Ranking
    unit: str
    overall: FriedmanTest | None
    remix: str
    opponents: tuple[Opponent, ...]

    @property
    def n_units(self) -> int:
        return len(self.ranking.ranks)


def rank_tests(ranked: RankTable, comparisons: Sequence[Comparison]) -> tuple[RankTest, ...]:
    """Both units of every ranking; the data set is left out where it is the problem itself."""
    datasets = {c.problem: str(c.info["dataset"]) for c in comparisons}
    remix = next((row.label for row in ranked.methods if row.strategy == "remix"), "")
    found = []
    for ranking in ranked.rankings:
        found.append(_test(ranking, "problem", remix))
        own = _by_dataset(ranking, datasets)
        if own is not None:
            found.append(_test(own, "data set", remix))
    return tuple(found)


def table(named: Mapping[str, Sequence[RankTest]]) -> pd.DataFrame:
    """One line a set of rows, kind, metric and unit: Friedman, Iman-Davenport, Nemenyi.

    Args:
        named: name of the set of rows -> its tests.
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
            for name, tests in named.items()
            for test in tests
            if test.overall is not None
        ]
    )


def table_of_opponents(named: Mapping[str, Sequence[RankTest]]) -> pd.DataFrame:
    """One line a set of rows, kind, metric, unit and rival of ReMix."""
    return pd.DataFrame(
        [
            {
                "rows_ranked": name,
                "kind": test.ranking.kind,
                "metric": test.ranking.metric,
                "unit": test.unit,
                "units": test.n_units,
                "remix": test.remix,
                "rival": rival.method,
                "mean_rank_remix": float(test.ranking.sums[test.remix]) / test.n_units,
                "mean_rank_rival": rival.mean_rank,
                "holm_p": rival.holm_p,
                "mean_gain_of_remix": rival.difference,
                "remix_better": rival.posterior.better,
                "practically_equal": rival.posterior.equal,
                "rival_better": rival.posterior.worse,
            }
            for name, tests in named.items()
            for test in tests
            for rival in test.opponents
        ]
    )


def _by_dataset(ranking: Ranking, datasets: Mapping[str, str]) -> Ranking | None:
    own = [datasets[str(problem)] for problem in ranking.means.index]
    return rank_by_dataset(ranking, datasets) if len(set(own)) < len(own) else None


def _test(ranking: Ranking, unit: str, remix: str) -> RankTest:
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
                ahead=bool(ranking.sums[remix] < ranking.sums[label]),
                difference=float(gain.mean()),
                posterior=signed_rank_posterior(gain),
            )
        )
    return RankTest(ranking, unit, overall, remix, tuple(opponents))
