"""Did class weights act? Cost adjustment beside the baseline, as the repository trains it.

The repository hands its class weights over so that they never act, so its cost adjustment is the
baseline a second time. Two traces of that can be looked for: on no problem the two are told apart
fold by fold, and their mean ranks are as close as in the published table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remix_study.metrics import PUBLISHED_METRICS
from remix_study.paper.authors_code import MENDED, NAMES, REPO, Column, five, of_paper
from remix_study.results.comparison import Comparison
from remix_study.results.friedman import LEVEL, holm
from remix_study.results.intervals import paired_interval
from remix_study.results.paired import t_test
from remix_study.results.rank_sums import KINDS

_BASELINE, _COST = NAMES.index("baseline"), NAMES.index("cost")


@dataclass(frozen=True)
class Acting:
    """Class weights on the problems of one kind, one side, one metric.

    Attributes:
        whose: `REPO` or `MENDED`.
        problems: how many there are.
        apart: on how many cost adjustment is told from the baseline by the paired corrected
            test, after Holm over these problems.
        same: on how many the two have the very same scores, and so share their rank.
    """

    kind: str
    metric: str
    whose: str
    problems: int
    apart: int
    same: int


def acting(repo: Sequence[Comparison], mended: Sequence[Comparison]) -> tuple[Acting, ...]:
    """Every kind, metric and side that has problems with both rows complete."""
    found = []
    for kind in KINDS:
        for metric in PUBLISHED_METRICS:
            for whose, side in ((REPO, repo), (MENDED, [c for c in mended if of_paper(c)])):
                here = [c for c in side if c.kind == kind and _both(c, metric)]
                if here:
                    found.append(_count(kind, metric, whose, here))
    return tuple(found)


def rank_distances(column: Column) -> dict[str, float]:
    """How far apart the mean ranks of baseline and cost adjustment are: published, and a side."""
    distances = {"published": abs(column.published[_COST] - column.published[_BASELINE])}
    for whose in (REPO, MENDED):
        one = column.of(whose)
        if one is not None:
            distances[whose] = abs(one.ranks[_COST] - one.ranks[_BASELINE])
    return distances


def _both(comparison: Comparison, metric: str) -> bool:
    rows = five(comparison)
    return comparison.is_grid and all(
        name in rows and not comparison.missing_folds(rows[name].label, metric)
        for name in ("baseline", "cost")
    )


def _count(kind: str, metric: str, whose: str, here: Sequence[Comparison]) -> Acting:
    tests, same = [], 0
    for c in here:
        rows = five(c)
        cost, baseline = (c.score(rows[name].label, metric) for name in ("cost", "baseline"))
        same += cost.equals(baseline)
        tests.append(t_test(paired_interval(cost, baseline, c.ratio))[1])
    apart = int((holm(tests) <= LEVEL).sum())
    return Acting(kind, metric, whose, len(here), apart, same)
