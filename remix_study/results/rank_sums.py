"""Rank sums over problems, in the layout of Bellinger et al., Table 2.

A row is a strategy at one fixed alpha, never the best of its grid: picking the best would
compare a choice made on test rows with rows that had none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import CORE_METRICS, PUBLISHED_METRICS, is_maximized, short_name
from remix_study.results.alphas import nearest_alphas
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method, method_order
from remix_study.results.ranking import Ranking, rank_means, sum_ranks
from remix_study.results.variants import headline_problems

PUBLISHED = (
    ("baseline", None),
    ("cost", None),
    ("smote", None),
    ("mixup", PUBLISHED_ALPHA),
    ("remix", PUBLISHED_ALPHA),
)
KINDS = ("binary", "multi-class")

# Why problems are not ranked, or not from every study that has them.
SEARCHED, VARIANT, NO_TRIALS, SEVERAL_STUDIES = "searched", "variant", "no trials", "studies"


@dataclass(frozen=True)
class ProblemNote:
    """What became of problems that are not ranked, or not from every study.

    Attributes:
        reason: `SEARCHED`: Optuna chose the configurations, so that methods differ between
            problems; `VARIANT`: rows drawn or split otherwise than in a plain problem;
            `NO_TRIALS`: nothing is complete; `SEVERAL_STUDIES`: only one study's is ranked.
        problems: their names.
        study: the study that they are ranked from; "" for the other reasons.
    """

    reason: str
    problems: tuple[str, ...]
    study: str = ""


@dataclass(frozen=True)
class MissingFolds:
    """How many of a problem's planned folds have no test score of a method."""

    problem: str
    missing: int
    planned: int


@dataclass(frozen=True)
class IncompleteMethod:
    """A method that is not ranked on the problems of a kind, because it lacks some of them.

    Attributes:
        kind: "binary" or "multi-class".
        method: its label.
        absent: problems that it was not run on.
        partial: problems where folds failed or were not trained.
    """

    kind: str
    method: str
    absent: tuple[str, ...]
    partial: tuple[MissingFolds, ...]


@dataclass(frozen=True, eq=False)
class RankTable:
    """The rankings of one set of methods.

    Attributes:
        methods: the methods that at least one ranking has, in the order of the page.
        rankings: one a kind of problem and metric.
        incomplete: methods that were left out of them.
    """

    methods: tuple[Method, ...]
    rankings: tuple[Ranking, ...]
    incomplete: tuple[IncompleteMethod, ...]


def rankable(
    comparisons: Sequence[Comparison],
) -> tuple[tuple[Comparison, ...], tuple[ProblemNote, ...]]:
    """Select the problems that can be ranked, each once, and say what became of the others."""
    plain = headline_problems(comparisons)
    planned = [c for c in plain if c.is_grid]
    notes = [
        ProblemNote(reason, problems)
        for reason, problems in (
            (SEARCHED, tuple(c.name for c in comparisons if not c.is_grid)),
            (VARIANT, tuple(c.name for c in comparisons if c not in plain)),
            (NO_TRIALS, tuple(c.name for c in planned if not c.methods)),
        )
        if problems
    ]
    chosen: dict[str, Comparison] = {}
    several: dict[str, None] = {}
    for comparison in planned:
        if not comparison.methods:
            continue
        before = chosen.get(comparison.problem)
        if before is not None:
            chosen[comparison.problem] = max((before, comparison), key=_worth)
            several[comparison.problem] = None
        else:
            chosen[comparison.problem] = comparison
    for study in dict.fromkeys(chosen[problem].study for problem in several):
        problems = tuple(problem for problem in several if chosen[problem].study == study)
        notes.append(ProblemNote(SEVERAL_STUDIES, problems, study))
    return tuple(chosen.values()), tuple(notes)


def published_ranks(
    comparisons: Sequence[Comparison], metrics: Sequence[str] = PUBLISHED_METRICS
) -> RankTable:
    """The five published rows ranked alone; where one is missing, those that are common."""
    return rank_methods(comparisons, metrics, lambda row: (row.strategy, row.alpha) in PUBLISHED)


def strategy_ranks(comparisons: Sequence[Comparison]) -> RankTable:
    """One row of each strategy: of those that mix, the alpha nearest to the published 0.1."""
    nearest = nearest_alphas(
        ((comparison.kind, row.family, row.settings), row)
        for comparison in comparisons
        for row in comparison.methods
    )
    labels = {row.label for row in nearest.values()}
    return rank_methods(comparisons, CORE_METRICS, lambda row: row.label in labels)


def all_ranks(comparisons: Sequence[Comparison]) -> RankTable:
    """All rows that are complete on every problem of a kind."""
    return rank_methods(comparisons, CORE_METRICS, lambda _: True)


def table(ranked: RankTable) -> pd.DataFrame:
    """One line a kind, metric and row: rank sum, mean rank, number of problems."""
    return pd.DataFrame(
        [
            {
                "kind": ranking.kind,
                "metric": ranking.metric,
                "row": row,
                "rank_sum": rank_sum,
                "mean_rank": rank_sum / len(ranking.ranks),
                "problems": len(ranking.ranks),
                "rows_ranked": len(ranking.sums),
            }
            for ranking in ranked.rankings
            for row, rank_sum in ranking.sums.items()
        ]
    )


def table_by_problem(ranked: RankTable) -> pd.DataFrame:
    """One line a problem, metric and row: the mean and its rank."""
    return pd.DataFrame(
        [
            {
                "kind": ranking.kind,
                "metric": ranking.metric,
                "problem": problem,
                "row": row,
                "mean": ranking.means.loc[problem, row],
                "rank": ranking.ranks.loc[problem, row],
            }
            for ranking in ranked.rankings
            for problem in ranking.ranks.index
            for row in ranking.ranks.columns
        ]
    )


def published_layout(ranked: RankTable) -> pd.DataFrame:
    """The paper's layout: rows are strategies, columns the metrics of each kind."""
    wide = pd.DataFrame({"row": [row.label for row in ranked.methods]})
    for ranking in ranked.rankings:
        column = f"{ranking.kind} {short_name(ranking.metric)}"
        wide[column] = wide["row"].map(ranking.sums)
    return wide


def rank_methods(
    comparisons: Sequence[Comparison],
    metrics: Sequence[str],
    wanted: Callable[[Method], bool],
) -> RankTable:
    """Rank the wanted rows that are complete on every problem of a kind, in each metric.

    Args:
        comparisons: the problems, each once.
        metrics: what to rank.
        wanted: which rows take part.
    """
    rankings: list[Ranking] = []
    incomplete: list[IncompleteMethod] = []
    rows: dict[str, Method] = {}
    for kind in KINDS:
        here = [c for c in comparisons if c.kind == kind]
        candidates = {row.label: row for c in here for row in c.methods if wanted(row)}
        complete, left_out = _complete(kind, here, candidates, metrics)
        incomplete += left_out
        if not here or len(complete) < 2:
            continue
        rows |= complete
        for metric in metrics:
            means = pd.DataFrame(
                {name: [float(c.score(name, metric).mean()) for c in here] for name in complete},
                index=[c.problem for c in here],
            )
            ranks = rank_means(means, maximize=is_maximized(metric))
            rankings.append(Ranking(kind, metric, means, ranks, sum_ranks(ranks)))
    ordered = tuple(sorted(rows.values(), key=method_order))
    return RankTable(ordered, tuple(rankings), tuple(incomplete))


def _complete(
    kind: str,
    here: Sequence[Comparison],
    candidates: Mapping[str, Method],
    metrics: Sequence[str],
) -> tuple[dict[str, Method], list[IncompleteMethod]]:
    """Split the candidates into those with every fold of every problem, and the others."""
    complete: dict[str, Method] = {}
    incomplete: list[IncompleteMethod] = []
    for row in sorted(candidates.values(), key=method_order):
        absent = tuple(
            c.problem for c in here if row.label not in {other.label for other in c.methods}
        )
        partial = tuple(
            MissingFolds(c.problem, missing, c.planned_folds)
            for c in here
            if c.problem not in absent
            and (missing := max(c.missing_folds(row.label, metric) for metric in metrics))
        )
        if absent or partial:
            incomplete.append(IncompleteMethod(kind, row.label, absent, partial))
        else:
            complete[row.label] = row
    return complete, incomplete


def _worth(comparison: Comparison) -> tuple[int, int]:
    """Published rows count first: a grid of alphas has many rows and nothing to rank them with."""
    published_ranks = sum((row.strategy, row.alpha) in PUBLISHED for row in comparison.methods)
    return published_ranks, len(comparison.methods)
