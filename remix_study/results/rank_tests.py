"""Tests of ReMix against other methods over problems, and over data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from remix_study.metrics import better_sign
from remix_study.results import significance
from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Relation
from remix_study.results.rank_sums import Ranking, RankTable
from remix_study.results.significance import LEVEL, FriedmanTest, Posterior

SURE = 0.95  # Posterior probability from which on a relation counts as certain


@dataclass(frozen=True)
class Opponent:
    """A method that ReMix is compared with in one metric.

    Attributes:
        holm_p: two-sided p-value of the difference in mean rank, adjusted after Holm.
        is_behind: whether ReMix has the better mean rank.
        difference: mean score of ReMix minus this method, above zero where ReMix is better.
        posterior: of the Bayesian signed-rank test: ReMix better, equal or worse.
    """

    method: str
    holm_p: float
    is_behind: bool
    difference: float
    posterior: Posterior

    @property
    def relation(self) -> Relation:
        """Whether ReMix ranks better or worse, by Holm's p-value."""
        if self.holm_p > LEVEL:
            return "unclear"
        return "better" if self.is_behind else "worse"


@dataclass(frozen=True, eq=False)
class RankTest:
    """The tests on one ranking: of all methods together, and of ReMix against each other one.

    Attributes:
        ranking: what was tested, with the unit, "problem" or "data set", as its index.
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
        return len(self.ranking.ranks)

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that an exact test of this many units can give."""
        return significance.smallest_p(self.n_units)

    @property
    def smallest_holm_p(self) -> float:
        """The same, adjusted for the number of opponents."""
        return min(1.0, self.smallest_p * len(self.opponents))

    @property
    def has_too_few_units(self) -> bool:
        """Whether no exact test could be significant once it is adjusted for the opponents."""
        return significance.has_too_few_units(self.n_units, len(self.opponents))

    def mean_rank(self, label: str) -> float:
        return float(self.ranking.mean_ranks[label])

    def opponents_that_are(self, relation: Relation) -> list[str]:
        """Labels of the opponents to which ReMix has this relation."""
        return [rival.method for rival in self.opponents if rival.relation == relation]

    def surely(self, side: str) -> list[str]:
        """Labels of the opponents than which ReMix surely is "better", "equal" or "worse"."""
        return [r.method for r in self.opponents if getattr(r.posterior, side) > SURE]


def rank_tests(ranked: RankTable, comparisons: Sequence[Comparison]) -> tuple[RankTest, ...]:
    """Test every ranking over problems, and over data sets if some hold several problems."""
    datasets = {c.problem: c.dataset for c in comparisons}
    remix = next((m.label for m in ranked.methods if m.strategy == "remix"), "")
    tests = []
    for ranking in ranked.rankings:
        tests.append(_rank_test(ranking, "problem", remix))
        ranked_datasets = [datasets[str(problem)] for problem in ranking.means.index]
        if len(set(ranked_datasets)) < len(ranked_datasets):
            tests.append(_rank_test(ranking.by_dataset(datasets), "data set", remix))
    return tuple(tests)


def _rank_test(ranking: Ranking, unit: str, remix: str) -> RankTest:
    n = len(ranking.ranks)
    if n < significance.LEAST_UNITS:
        return RankTest(ranking, unit, None, remix, ())
    sums = ranking.sums.to_numpy(dtype=np.float64)
    overall = significance.friedman_test(
        sums, n, significance.tie_mass(ranking.ranks.to_numpy(dtype=np.float64))
    )
    if remix not in ranking.sums:
        return RankTest(ranking, unit, overall, "", ())
    labels = [str(label) for label in ranking.sums.index]
    adjusted = significance.against_control(sums, n, labels.index(remix))
    sign = better_sign(ranking.metric)
    gains = {label: sign * (ranking.means[remix] - ranking.means[label]) for label in labels}
    opponents = tuple(
        Opponent(
            method=label,
            holm_p=float(p),
            is_behind=bool(ranking.sums[remix] < ranking.sums[label]),
            difference=float(gains[label].to_numpy().mean()),
            posterior=significance.signed_rank_posterior(gains[label]),
        )
        for label, p in zip(labels, adjusted, strict=True)
        if label != remix
    )
    return RankTest(ranking, unit, overall, remix, opponents)


TestsBySet = Mapping[str, Sequence[RankTest]]  # Name of a set of methods -> its tests

_KEYS = """rows_ranked=set kind=test.ranking.kind metric=test.ranking.metric unit=test.unit
    units=test.n_units """


def table(tests_by_set: TestsBySet) -> pd.DataFrame:
    """Table of tests of all methods: one line a set of methods, kind, metric and unit."""
    return frame_of(
        (
            Record(set=name, test=test)
            for name, tests in tests_by_set.items()
            for test in tests
            if test.overall is not None
        ),
        _KEYS
        + """rows=test.overall.methods friedman_chi2=test.overall.chi2 friedman_p=test.overall.p
        iman_davenport_f=test.overall.f iman_davenport_p=test.overall.f_p
        nemenyi_cd=test.overall.critical_difference""",
    )


def table_of_opponents(tests_by_set: TestsBySet) -> pd.DataFrame:
    """Table of tests of ReMix: one line a set of methods, kind, metric, unit and opponent."""
    return frame_of(
        (
            Record(set=name, test=test, rival=opponent)
            for name, tests in tests_by_set.items()
            for test in tests
            for opponent in test.opponents
        ),
        _KEYS
        + """remix=test.remix rival=rival.method mean_rank_remix mean_rank_rival
        holm_p=rival.holm_p mean_gain_of_remix=rival.difference
        remix_better=rival.posterior.better practically_equal=rival.posterior.equal
        rival_better=rival.posterior.worse""",
        mean_rank_remix=lambda line: line.test.mean_rank(line.test.remix),
        mean_rank_rival=lambda line: line.test.mean_rank(line.rival.method),
    )
