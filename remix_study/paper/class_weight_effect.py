"""Whether class weights have an effect: cost adjustment compared with the baseline.

The authors' repository passes class weights in a way that has no effect, so its cost adjustment
is the baseline a second time. Two consequences can be checked: no problem shows a difference of
the two fold by fold, and their mean ranks are as close as in the published table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remix_study.metrics import PUBLISHED_METRICS
from remix_study.paper.authors_code import (
    AUTHORS_CODE,
    WITHOUT_ERRORS,
    PublishedColumn,
    published_methods,
)
from remix_study.paper.published import STRATEGIES, is_published
from remix_study.results.comparison import Comparison
from remix_study.results.effects import t_test
from remix_study.results.intervals import paired_interval
from remix_study.results.rank_sums import KINDS
from remix_study.results.significance import LEVEL, holm

_BASELINE, _COST = STRATEGIES.index("baseline"), STRATEGIES.index("cost")


@dataclass(frozen=True)
class WeightEffect:
    """Class weights on the problems of one kind, one side, one metric.

    Attributes:
        side: `AUTHORS_CODE` or `WITHOUT_ERRORS`.
        n_problems: number of problems.
        n_different: problems on which cost adjustment differs from the baseline by the paired
            corrected test, after Holm over these problems.
        n_equal: problems on which the two have identical scores, and so share their rank.
    """

    kind: str
    metric: str
    side: str
    n_problems: int
    n_different: int
    n_equal: int


def weight_effects(
    authors: Sequence[Comparison], without_errors: Sequence[Comparison]
) -> tuple[WeightEffect, ...]:
    """Count by kind, metric and side, if there are problems with both methods complete."""
    effects = []
    for kind in KINDS:
        for metric in PUBLISHED_METRICS:
            for side, problems in (
                (AUTHORS_CODE, authors),
                (WITHOUT_ERRORS, [c for c in without_errors if is_published(c)]),
            ):
                complete = [c for c in problems if c.kind == kind and _has_both(c, metric)]
                if complete:
                    effects.append(_count(kind, metric, side, complete))
    return tuple(effects)


def rank_distances(column: PublishedColumn) -> dict[str, float]:
    """Distance of the mean ranks of baseline and cost adjustment, published and on each side."""
    distances = {"published": abs(column.published[_COST] - column.published[_BASELINE])}
    for side in (AUTHORS_CODE, WITHOUT_ERRORS):
        candidate = column.side_column(side)
        if candidate is not None:
            distances[side] = abs(candidate.ranks[_COST] - candidate.ranks[_BASELINE])
    return distances


def _has_both(comparison: Comparison, metric: str) -> bool:
    methods = published_methods(comparison)
    return comparison.is_grid and all(
        name in methods and not comparison.missing_folds(methods[name].label, metric)
        for name in ("baseline", "cost")
    )


def _count(kind: str, metric: str, side: str, problems: Sequence[Comparison]) -> WeightEffect:
    tests, n_equal = [], 0
    for c in problems:
        methods = published_methods(c)
        cost, baseline = (c.score(methods[name].label, metric) for name in ("cost", "baseline"))
        n_equal += cost.equals(baseline)
        tests.append(t_test(paired_interval(cost, baseline, c.ratio))[1])
    n_different = int((holm(tests) <= LEVEL).sum())
    return WeightEffect(kind, metric, side, len(problems), n_different, n_equal)
