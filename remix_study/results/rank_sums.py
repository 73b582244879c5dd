"""Rank sums of methods over problems, as in Table 2 of Bellinger et al.

A method is ranked at its one fixed alpha, never as the best of a grid of alphas: the best would be
chosen on the same test rows that it is compared on.
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

PUBLISHED: tuple[tuple[str, float | None], ...] = (
    ("baseline", None),
    ("cost", None),
    ("smote", None),
    ("mixup", PUBLISHED_ALPHA),
    ("remix", PUBLISHED_ALPHA),
)
"""Strategy and alpha of the methods of the paper's Table 2, in its order."""

KINDS = ("binary", "multi-class")
"""Kinds of problems, which are ranked apart."""

# Reasons why problems are not ranked, or not from every study that has them.
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


def is_published(method: Method) -> bool:
    """Whether a method is one of the five of the paper's Table 2."""
    return (method.strategy, method.alpha) in PUBLISHED


def rankable(
    comparisons: Sequence[Comparison],
) -> tuple[tuple[Comparison, ...], tuple[ProblemNote, ...]]:
    """Select the problems that can be ranked, and note what became of the others.

    Of a problem that several studies have, the one with most published methods is taken, then
    the one with most methods.

    Returns:
        The problems, each once, and the notes.
    """
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
    selected: dict[str, Comparison] = {}
    repeated: dict[str, None] = {}
    for comparison in planned:
        if not comparison.methods:
            continue
        problem = comparison.problem
        if problem in selected:
            repeated[problem] = None
            selected[problem] = max(selected[problem], comparison, key=_priority)
        else:
            selected[problem] = comparison
    for study in dict.fromkeys(selected[problem].study for problem in repeated):
        problems = tuple(problem for problem in repeated if selected[problem].study == study)
        notes.append(ProblemNote(SEVERAL_STUDIES, problems, study))
    return tuple(selected.values()), tuple(notes)


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


def table(ranked: RankTable) -> pd.DataFrame:
    """Table of rank sums: one line a kind, metric and method."""
    return pd.DataFrame(
        [
            {
                "kind": ranking.kind,
                "metric": ranking.metric,
                "row": label,
                "rank_sum": rank_sum,
                "mean_rank": rank_sum / len(ranking.ranks),
                "problems": len(ranking.ranks),
                "rows_ranked": len(ranking.sums),
            }
            for ranking in ranked.rankings
            for label, rank_sum in ranking.sums.items()
        ]
    )


def table_by_problem(ranked: RankTable) -> pd.DataFrame:
    """Table of ranks: one line a problem, metric and method, with its mean score."""
    return pd.DataFrame(
        [
            {
                "kind": ranking.kind,
                "metric": ranking.metric,
                "problem": problem,
                "row": label,
                "mean": ranking.means.loc[problem, label],
                "rank": ranking.ranks.loc[problem, label],
            }
            for ranking in ranked.rankings
            for problem in ranking.ranks.index
            for label in ranking.ranks.columns
        ]
    )


def published_layout(ranked: RankTable) -> pd.DataFrame:
    """Table of rank sums in the paper's layout: a line a method, a column a kind and metric."""
    layout = pd.DataFrame({"row": [method.label for method in ranked.methods]})
    for ranking in ranked.rankings:
        column = f"{ranking.kind} {short_name(ranking.metric)}"
        layout[column] = layout["row"].map(ranking.sums)
    return layout


def rank_methods(
    comparisons: Sequence[Comparison],
    metrics: Sequence[str],
    is_wanted: Callable[[Method], bool],
) -> RankTable:
    """Rank the wanted methods that are complete on every problem of a kind, in each metric.

    Args:
        comparisons: the problems, each once.
        metrics: what to rank.
        is_wanted: says of a method whether it takes part.

    Returns:
        Rankings of kinds with two such methods or more.
    """
    rankings: list[Ranking] = []
    incomplete: list[IncompleteMethod] = []
    methods: dict[str, Method] = {}
    for kind in KINDS:
        problems = [c for c in comparisons if c.kind == kind]
        candidates = {m.label: m for c in problems for m in c.methods if is_wanted(m)}
        complete, left_out = _split_complete(kind, problems, candidates, metrics)
        incomplete += left_out
        if len(complete) < 2:
            continue
        methods |= complete
        for metric in metrics:
            means = pd.DataFrame(
                {
                    label: [float(c.score(label, metric).mean()) for c in problems]
                    for label in complete
                },
                index=[c.problem for c in problems],
            )
            ranks = rank_means(means, maximize=is_maximized(metric))
            rankings.append(Ranking(kind, metric, means, ranks, sum_ranks(ranks)))
    ordered = tuple(sorted(methods.values(), key=method_order))
    return RankTable(ordered, tuple(rankings), tuple(incomplete))


def _split_complete(
    kind: str,
    problems: Sequence[Comparison],
    candidates: Mapping[str, Method],
    metrics: Sequence[str],
) -> tuple[dict[str, Method], list[IncompleteMethod]]:
    """Split the candidates into those with every fold of every problem, and the others."""
    complete: dict[str, Method] = {}
    incomplete: list[IncompleteMethod] = []
    for method in sorted(candidates.values(), key=method_order):
        absent = tuple(
            c.problem for c in problems if method.label not in {m.label for m in c.methods}
        )
        partial = tuple(
            MissingFolds(c.problem, missing, c.planned_folds)
            for c in problems
            if c.problem not in absent
            and (missing := max(c.missing_folds(method.label, metric) for metric in metrics))
        )
        if absent or partial:
            incomplete.append(IncompleteMethod(kind, method.label, absent, partial))
        else:
            complete[method.label] = method
    return complete, incomplete


def _priority(comparison: Comparison) -> tuple[int, int]:
    """Order of studies that have the same problem.

    Published methods count first: a grid of alphas has many methods and nothing to rank them with.
    """
    return sum(map(is_published, comparison.methods)), len(comparison.methods)
