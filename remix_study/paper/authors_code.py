"""Whether the errors of the authors' public repository explain the published Table 2.

The five published methods are trained again as the repository trains them and ranked alone. Their
mean ranks are compared with the published ones, and so are those of the five methods without the
errors. One column of ranks represents each side, fixed beforehand: the repository's methods
scored as the repository scores them, the others by the correct score. The constants that say what
is near, and the rule of the verdict, were written before these methods were run in full.

Class weights have no effect in the repository, so that its cost adjustment is the baseline again:
no problem should show a difference of the two, and their mean ranks be as close as in Table 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from scipy import stats

from remix_study.metrics import PUBLISHED_METRICS, is_maximized, short_name
from remix_study.paper.table2 import PROBLEMS, RANK_SUMS, STRATEGIES, is_published
from remix_study.results.comparison import Comparison
from remix_study.results.effects import with_holm
from remix_study.results.methods import PUBLISHED, Method
from remix_study.results.rank_sums import rank_means, sum_ranks

AUTHORS_SCORE = "brier_repo"
AUTHORS_CODE, WITHOUT_ERRORS = "repository", "mended"
# Scores that the repository computes incorrectly. Of more than two classes its balanced Brier
# score is correct but for a constant factor.
SCORED_AS = {("binary", "bbs"): AUTHORS_SCORE}
# Two columns are near if no method differs by more than this many ranks on the average problem,
# and the order is the same but for one pair of neighbours.
NEAR_RANKS = 1.0
NEAR_ORDER = 0.9

_COST_AND_BASELINE = ("cost", "baseline")
Verdict = Literal["explained", "needs no errors", "not explained", "not judged"]


@dataclass(frozen=True)
class RankColumn:
    """Mean ranks of the five methods on one side, beside a published column.

    Attributes:
        side: `AUTHORS_CODE` or `WITHOUT_ERRORS`.
        metric: the score by which methods were ranked.
        ranks: strategy -> mean rank.
        spearman: rank correlation with the published column; NaN if all methods tie, as `kendall`.
        largest_difference: of the absolute differences of mean ranks.
        is_complete: whether these are as many problems as the paper has of the kind.
        is_judged: whether it represents its side; others are only shown.
    """

    side: str
    metric: str
    n_problems: int
    ranks: Mapping[str, float]
    spearman: float
    kendall: float
    largest_difference: float
    mean_difference: float
    is_complete: bool
    is_judged: bool

    @property
    def is_near(self) -> bool:
        """Whether the column is near the published one, by `NEAR_RANKS` and `NEAR_ORDER`."""
        # One swap of neighbours among five gives 0.9 but for the last digit.
        return self.largest_difference <= NEAR_RANKS and self.spearman >= NEAR_ORDER - 1e-9


@dataclass(frozen=True)
class PublishedColumn:
    """A column of Table 2 as mean ranks by strategy, and those that are compared with it."""

    kind: str
    metric: str
    ranks: Mapping[str, float]
    candidates: tuple[RankColumn, ...]

    @property
    def title(self) -> str:
        return f"{self.kind} {short_name(self.metric)}"

    @property
    def totals(self) -> tuple[float, float]:
        """What the printed rank sums add up to, and what those of these problems must."""
        k, n = len(STRATEGIES), len(PROBLEMS[self.kind])
        return sum(RANK_SUMS[self.kind, self.metric]), n * k * (k + 1) / 2

    @property
    def sides(self) -> dict[str, RankColumn]:
        """Side -> the column of ranks that represents it."""
        return {c.side: c for c in self.candidates if c.is_judged}

    @property
    def weight_distances(self) -> dict[str, float]:
        """Distance of the mean ranks of cost adjustment and baseline, published and by side."""
        ranks = {"published": self.ranks} | {side: c.ranks for side, c in self.sides.items()}
        return {name: abs(by["cost"] - by["baseline"]) for name, by in ranks.items()}

    @property
    def verdict(self) -> Verdict:
        """Whether the errors explain the column.

        They do if the repository's methods are near it and those without the errors are not; if
        both are near the column needs no errors.
        """
        authors, without_errors = map(self.sides.get, (AUTHORS_CODE, WITHOUT_ERRORS))
        if authors is None or not authors.is_complete:
            return "not judged"
        if not authors.is_near:
            return "not explained"
        if without_errors is None or not without_errors.is_complete:
            return "not judged"
        return "needs no errors" if without_errors.is_near else "explained"


@dataclass(frozen=True)
class WeightEffect:
    """Class weights on the problems of one kind and side, in one metric.

    On some problems cost adjustment differs from the baseline, after Holm; on others the two have
    identical scores, and so share their rank.
    """

    kind: str
    metric: str
    side: str
    n_problems: int
    n_different: int
    n_equal: int


@dataclass(frozen=True, eq=False)
class Table2Comparison:
    """The study of the repository's methods compared with Table 2.

    Attributes:
        partial: problems that lack one of the five methods, or folds of it.
        columns: columns of Table 2 that have a column of the repository's methods.
        weight_effects: by kind, metric and side, where problems have both methods complete.
        ratios: kind -> imbalance ratios of (the study, Table 1), if the study has others.
    """

    n_problems: int
    partial: tuple[str, ...]
    columns: tuple[PublishedColumn, ...]
    weight_effects: tuple[WeightEffect, ...]
    ratios: Mapping[str, tuple[set[float], set[float]]]


def compare_with_table2(
    authors: Sequence[Comparison], without_errors: Sequence[Comparison]
) -> Table2Comparison:
    """Compare problems trained as the repository does, and those of main studies, with Table 2."""
    complete = [c for c in authors if _is_complete(c)]
    columns: list[PublishedColumn] = []
    effects: list[WeightEffect] = []
    for (kind, metric), sums in RANK_SUMS.items():
        sides = {
            AUTHORS_CODE: [c for c in authors if c.kind == kind],
            WITHOUT_ERRORS: [c for c in without_errors if c.kind == kind and is_published(c)],
        }
        ranks = {
            name: value / len(PROBLEMS[kind]) for name, value in zip(STRATEGIES, sums, strict=True)
        }
        column = PublishedColumn(kind, metric, ranks, _rank_columns(kind, metric, ranks, sides))
        if AUTHORS_CODE in column.sides:
            columns.append(column)
        for side, problems in sides.items():
            effects.append(_weight_effect(kind, metric, side, problems))
    ratios = {
        kind: ({c.imbalance for c in complete if c.kind == kind}, {ratio for _, ratio in problems})
        for kind, problems in PROBLEMS.items()
    }
    return Table2Comparison(
        len(authors),
        tuple(c.problem for c in authors if c not in complete),
        tuple(columns),
        tuple(effect for effect in effects if effect.n_problems),
        {kind: pair for kind, pair in ratios.items() if not pair[0] <= pair[1]},
    )


def _weight_effect(
    kind: str, metric: str, side: str, problems: Sequence[Comparison]
) -> WeightEffect:
    problems = [c for c in problems if _is_complete(c, (metric,), _COST_AND_BASELINE)]
    differences = []
    for comparison in problems:
        cost, baseline = (published_methods(comparison)[name].label for name in _COST_AND_BASELINE)
        difference = comparison.effects.difference(cost, baseline, metric)
        differences += [difference] if difference else []
    n_different = sum(d.relation_after_holm != "unclear" for d in with_holm(differences))
    n_equal = sum(d.mean == d.interval.standard_error == 0 for d in differences)
    return WeightEffect(kind, metric, side, len(problems), n_different, n_equal)


def published_methods(comparison: Comparison) -> dict[str, Method]:
    """Strategy -> the method of the published five; with the repository's errors if both exist."""
    methods: dict[str, Method] = {}
    for method in comparison.methods:
        name = method.strategy.removesuffix("-repo")
        is_wanted = (name, method.alpha) in PUBLISHED and not method.settings
        if is_wanted and (name not in methods or method.strategy != name):
            methods[name] = method
    return methods


def _is_complete(
    comparison: Comparison,
    metrics: Sequence[str] = PUBLISHED_METRICS,
    strategies: Sequence[str] = STRATEGIES,
) -> bool:
    """Whether these strategies have all folds in these metrics."""
    methods = published_methods(comparison)
    return comparison.is_grid and all(
        name in methods and not comparison.missing_folds(methods[name].label, metric)
        for name in strategies
        for metric in metrics
    )


def _rank_columns(
    kind: str,
    metric: str,
    published: Mapping[str, float],
    sides: Mapping[str, Sequence[Comparison]],
) -> tuple[RankColumn, ...]:
    score = SCORED_AS.get((kind, metric), metric)
    columns = []
    for side, ranked_by in dict.fromkeys(
        ((AUTHORS_CODE, score), (AUTHORS_CODE, metric), (WITHOUT_ERRORS, metric))
    ):
        problems = [c for c in sides[side] if _is_complete(c)]
        if not problems or not all(_is_complete(c, (ranked_by,)) for c in problems):
            continue
        ranks = _mean_ranks(ranked_by, problems)
        differences = [abs(ranks[name] - published[name]) for name in STRATEGIES]
        columns.append(
            RankColumn(
                side=side,
                metric=ranked_by,
                n_problems=len(problems),
                ranks=ranks,
                spearman=_correlation(stats.spearmanr, ranks, published),
                kendall=_correlation(stats.kendalltau, ranks, published),
                largest_difference=max(differences),
                mean_difference=sum(differences) / len(differences),
                is_complete=len(problems) == len(PROBLEMS[kind]),
                is_judged=side == WITHOUT_ERRORS or ranked_by == score,
            )
        )
    return tuple(columns)


def _correlation(
    function: Callable[..., Any], ranks: Mapping[str, float], published: Mapping[str, float]
) -> float:
    if len(set(ranks.values())) == 1:
        return float("nan")
    return float(function(list(ranks.values()), list(published.values())).statistic)


def _mean_ranks(metric: str, comparisons: Sequence[Comparison]) -> dict[str, float]:
    means = [
        {name: c.effects.mean(m.label, metric) for name, m in published_methods(c).items()}
        for c in comparisons
    ]
    sums = sum_ranks(rank_means(pd.DataFrame(means), maximize=is_maximized(metric)))
    return {name: float(sums[name]) / len(comparisons) for name in STRATEGIES}
