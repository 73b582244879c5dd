"""Ranks of methods within each problem and their sums, as in Table 2 of Bellinger et al.

A method is ranked at its one fixed alpha, never as the best of a grid of alphas: the best would be
chosen on the same test rows that it is compared on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.errors import join_names
from remix_study.metrics import CORE_METRICS, PUBLISHED_METRICS, is_maximized, short_name
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method, is_published, method_order, nearest_alphas
from remix_study.results.significance import check_rank_total

KINDS = ("binary", "multi-class")  # Kinds of problems, which are ranked apart

TIE_DECIMALS = 12
"""Means that are equal at this many decimals are the same number summed in another order."""


@dataclass(frozen=True)
class MissingFolds:
    """How many of a problem's planned folds have no test score of a method."""

    problem: str
    missing: int
    planned: int


@dataclass(frozen=True)
class IncompleteMethod:
    """A method that is not ranked on the problems of a kind, because it lacks some of them.

    It was not run on the absent ones; of partial ones folds failed or were not trained.
    """

    kind: str
    method: str
    absent: tuple[str, ...]
    partial: tuple[MissingFolds, ...]


@dataclass(frozen=True, eq=False)
class Ranking:
    """One metric of one kind of problem, ranked.

    There are (problems, methods) mean test scores and ranks, of which 1 is the best, and
    (methods,) rank sums, whose total has been checked.
    """

    kind: str
    metric: str
    means: pd.DataFrame
    ranks: pd.DataFrame
    sums: pd.Series[float]

    @property
    def mean_ranks(self) -> pd.Series[float]:
        return self.sums / len(self.ranks)

    @property
    def order(self) -> list[str]:
        """Labels of the methods by rank sum."""
        return [str(label) for label in self.sums.sort_values(kind="stable").index]

    @property
    def leaders(self) -> list[str]:
        """Labels of the methods with the lowest rank sum."""
        return [str(label) for label in self.sums.index[self.sums == self.sums.min()]]

    def by_dataset(self, datasets: Mapping[str, str]) -> Ranking:
        """Rank the methods on each data set (problem -> data set), its problems averaged first."""
        names = [datasets[str(problem)] for problem in self.means.index]
        return _ranking(self.kind, self.metric, self.means.groupby(names, sort=False).mean())


@dataclass(frozen=True, eq=False)
class RankTable:
    """The rankings of one set of methods, one a kind of problem and metric.

    `methods` are those that at least one ranking has, in the order of the page.
    """

    methods: tuple[Method, ...]
    rankings: tuple[Ranking, ...]
    incomplete: tuple[IncompleteMethod, ...]

    @property
    def by_kind(self) -> dict[str, list[Ranking]]:
        return grouped(self.rankings, lambda ranking: ranking.kind)


def published_ranks(
    comparisons: Sequence[Comparison], metrics: Sequence[str] = PUBLISHED_METRICS
) -> RankTable:
    """Rank the five published methods alone; if one is missing, those that all problems have."""
    return rank_methods(comparisons, metrics, is_published)


def strategy_ranks(comparisons: Sequence[Comparison]) -> RankTable:
    """Rank one method of each strategy; if it mixes, that with alpha nearest to the published."""
    nearest = nearest_alphas(
        ((comparison.kind, method.family, method.settings), method)
        for comparison in comparisons
        for method in comparison.methods
    )
    labels = {method.label for method in nearest.values()}
    return rank_methods(comparisons, CORE_METRICS, lambda method: method.label in labels)


def all_ranks(comparisons: Sequence[Comparison]) -> RankTable:
    """Rank all methods that are complete on every problem of a kind."""
    return rank_methods(comparisons, CORE_METRICS, lambda _: True)


def rank_methods(
    comparisons: Sequence[Comparison],
    metrics: Sequence[str],
    is_wanted: Callable[[Method], bool],
) -> RankTable:
    """Rank the wanted methods that are complete on every problem of a kind, in each metric.

    Kinds of problems with fewer than two such methods have no rankings.
    """
    rankings: list[Ranking] = []
    incomplete: list[IncompleteMethod] = []
    ranked: dict[str, Method] = {}
    for kind in KINDS:
        problems = [c for c in comparisons if c.kind == kind]
        wanted = {m.label: m for c in problems for m in c.methods if is_wanted(m)}
        left_out = {m.method: m for m in _incomplete(kind, problems, wanted, metrics)}
        incomplete += left_out.values()
        methods = {label: wanted[label] for label in _ordered(wanted) if label not in left_out}
        if len(methods) < 2:
            continue
        ranked |= methods
        for metric in metrics:
            scores = {
                label: [c.effects.mean(label, metric) for c in problems] for label in methods
            }
            means = pd.DataFrame(scores, index=[c.problem for c in problems])
            rankings.append(_ranking(kind, metric, means))
    ordered = tuple(ranked[label] for label in _ordered(ranked))
    return RankTable(ordered, tuple(rankings), tuple(incomplete))


def _ordered(methods: Mapping[str, Method]) -> list[str]:
    return sorted(methods, key=lambda label: method_order(methods[label]))


def _incomplete(
    kind: str,
    problems: Sequence[Comparison],
    labels: Mapping[str, Method],
    metrics: Sequence[str],
) -> Iterator[IncompleteMethod]:
    """The methods that have not every fold of every problem."""
    for label in _ordered(labels):
        absent = tuple(c.problem for c in problems if label not in {m.label for m in c.methods})
        partial = tuple(
            MissingFolds(c.problem, missing, c.planned_folds)
            for c in problems
            if c.problem not in absent
            and (missing := max(c.missing_folds(label, metric) for metric in metrics))
        )
        if absent or partial:
            yield IncompleteMethod(kind, label, absent, partial)


def _ranking(kind: str, metric: str, means: pd.DataFrame) -> Ranking:
    ranks = rank_means(means, maximize=is_maximized(metric))
    return Ranking(kind, metric, means, ranks, sum_ranks(ranks))


def rank_means(means: pd.DataFrame, *, maximize: bool) -> pd.DataFrame:
    """Rank methods within each problem by (problems, methods) means; ValueError if one is missing.

    1 is the best, ties share their average rank.
    """
    values = means.to_numpy(dtype=np.float64)
    if np.isnan(values).any():
        missing = means.columns[np.isnan(values).any(axis=0)]
        raise ValueError(
            "every method needs a mean score on every problem to be ranked; missing for "
            f"{join_names(map(str, missing))}"
        )
    ordered = np.round(-values if maximize else values, TIE_DECIMALS)
    ranks = stats.rankdata(ordered, method="average", axis=1)
    return pd.DataFrame(ranks, index=means.index, columns=means.columns)


def sum_ranks(ranks: pd.DataFrame) -> pd.Series[float]:
    """(methods,) sums of the (problems, methods) ranks, their total checked."""
    sums = ranks.sum(axis=0).astype(float)
    check_rank_total(sums.to_numpy(dtype=np.float64), n_problems=len(ranks))
    return sums


def table(ranked: RankTable) -> pd.DataFrame:
    """Table of rank sums: one line a kind, metric and method."""
    return frame_of(
        (Record(ranking=r, row=str(label)) for r in ranked.rankings for label in r.sums.index),
        """kind=ranking.kind metric=ranking.metric row rank_sum mean_rank problems rows_ranked""",
        rank_sum=lambda line: line.ranking.sums[line.row],
        mean_rank=lambda line: line.ranking.mean_ranks[line.row],
        problems=lambda line: len(line.ranking.ranks),
        rows_ranked=lambda line: len(line.ranking.sums),
    )


def table_by_problem(ranked: RankTable) -> pd.DataFrame:
    """Table of ranks: one line a problem, metric and method, with its mean score."""
    return frame_of(
        (
            Record(ranking=ranking, problem=problem, row=label)
            for ranking in ranked.rankings
            for problem in ranking.ranks.index
            for label in ranking.ranks.columns
        ),
        """kind=ranking.kind metric=ranking.metric problem row mean rank""",
        mean=lambda line: line.ranking.means.loc[line.problem, line.row],
        rank=lambda line: line.ranking.ranks.loc[line.problem, line.row],
    )


def published_layout(ranked: RankTable) -> pd.DataFrame:
    """Table of rank sums in the paper's layout: a line a method, a column a kind and metric."""
    layout = pd.DataFrame({"row": [method.label for method in ranked.methods]})
    for ranking in ranked.rankings:
        column = f"{ranking.kind} {short_name(ranking.metric)}"
        layout[column] = layout["row"].map(ranking.sums)
    return layout
