"""Whether the errors of the authors' public repository explain the published Table 2.

The five published methods are trained again as the repository trains them and ranked alone. Their
mean ranks are compared with the published ones, and so are those of the five methods without the
errors. One column of ranks represents each side, fixed beforehand: the repository's methods
scored as the repository scores them, the others by the correct score. The constants that say what
is near, and the rule of the verdict, were written before these methods were run in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.metrics import PUBLISHED_METRICS
from remix_study.paper.published import PROBLEMS, RANK_SUMS, STRATEGIES, is_published
from remix_study.report.formatting import plain
from remix_study.results.comparison import Comparison
from remix_study.results.methods import PUBLISHED, Method
from remix_study.results.rank_sums import KINDS, Ranking, rank_methods

AUTHORS_SCORE = "brier_repo"
AUTHORS_CODE, WITHOUT_ERRORS = "repository", "mended"
# Scores that the repository computes incorrectly. Of more than two classes its balanced Brier
# score is correct but for a constant factor.
SCORED_AS = {("binary", "bbs"): AUTHORS_SCORE}
# Two columns are near if no method differs by more than this many ranks on the average problem,
# and the order is the same but for one pair of neighbours.
NEAR_RANKS = 1.0
NEAR_ORDER = 0.9

Verdict = Literal["explained", "needs no errors", "not explained", "not judged"]


@dataclass(frozen=True)
class RankComparison:
    """A column of mean ranks compared with a published one.

    Attributes:
        side: `AUTHORS_CODE` or `WITHOUT_ERRORS`.
        metric: the score by which methods were ranked.
        n_problems: number of problems.
        ranks: mean ranks, in the order of `STRATEGIES`.
        spearman: rank correlation with the published column; NaN if all methods tie.
        kendall: Kendall's tau-b with the published column.
        largest_difference: largest absolute difference of two mean ranks.
        mean_difference: mean absolute difference of mean ranks.
        is_complete: whether these are as many problems as the paper has of the kind.
        is_judged: whether it represents its side; others are only shown.
    """

    side: str
    metric: str
    n_problems: int
    ranks: tuple[float, ...]
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
    """A column of Table 2 as mean ranks, and the columns that are compared with it."""

    kind: str
    metric: str
    published: tuple[float, ...]
    candidates: tuple[RankComparison, ...]

    def side_column(self, side: str) -> RankComparison | None:
        """The column of ranks that represents a side; None if there is none."""
        return next(
            (
                candidate
                for candidate in self.candidates
                if candidate.side == side and candidate.is_judged
            ),
            None,
        )

    @property
    def verdict(self) -> Verdict:
        """Whether the errors explain the column.

        They do if the repository's methods are near it and those without the errors are not; if
        both are near the column needs no errors.
        """
        authors, without_errors = self.side_column(AUTHORS_CODE), self.side_column(WITHOUT_ERRORS)
        if authors is None or not authors.is_complete:
            return "not judged"
        if not authors.is_near:
            return "not explained"
        if without_errors is None or not without_errors.is_complete:
            return "not judged"
        return "needs no errors" if without_errors.is_near else "explained"


@dataclass(frozen=True, eq=False)
class Table2Comparison:
    """The study of the repository's methods compared with Table 2.

    Attributes:
        columns: columns of Table 2 that have a column of the repository's methods.
        ratios: kind -> imbalance ratios of (the study, Table 1), mildest first, if they differ.
        partial: problems that lack one of the five methods, or folds of it.
    """

    columns: tuple[PublishedColumn, ...]
    ratios: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    partial: tuple[str, ...]


def compare_with_table2(
    authors: Sequence[Comparison], without_errors: Sequence[Comparison]
) -> Table2Comparison:
    """Compare the repository's methods, and those without its errors, with Table 2.

    Args:
        authors: problems trained as the repository does.
        without_errors: problems of the main studies, each once.
    """
    complete = [c for c in authors if _has_all_methods(c)]
    columns = []
    for (kind, metric), sums in RANK_SUMS.items():
        published = tuple(value / len(PROBLEMS[kind]) for value in sums)
        problems = {
            AUTHORS_CODE: [c for c in complete if c.kind == kind],
            WITHOUT_ERRORS: [
                c
                for c in without_errors
                if c.kind == kind and _has_all_methods(c) and is_published(c)
            ],
        }
        candidates = [
            _compare_ranks(side, ranked_by, kind, published, problems[side], is_judged)
            for side, ranked_by, is_judged in _ranked_columns(kind, metric)
            if problems[side] and _has_score(ranked_by, problems[side])
        ]
        if any(candidate.side == AUTHORS_CODE and candidate.is_judged for candidate in candidates):
            columns.append(PublishedColumn(kind, metric, published, tuple(candidates)))
    return Table2Comparison(
        tuple(columns),
        {kind: ratios for kind in KINDS if (ratios := _differing_ratios(kind, complete))},
        tuple(c.problem for c in authors if not _has_all_methods(c)),
    )


def table2_comparison_table(comparison: Table2Comparison) -> pd.DataFrame:
    """The comparison as a table, one line a published column and candidate."""
    return pd.DataFrame(
        [
            {
                "kind": column.kind,
                "published_metric": column.metric,
                "rows": candidate.side,
                "ranked_by": candidate.metric,
                "problems": candidate.n_problems,
                **{
                    f"mean_rank_{name}": rank
                    for name, rank in zip(STRATEGIES, candidate.ranks, strict=True)
                },
                "spearman": candidate.spearman,
                "kendall": candidate.kendall,
                "largest_difference": candidate.largest_difference,
                "mean_difference": candidate.mean_difference,
                "stands_for_its_side": "yes" if candidate.is_judged else "no",
                "near": "yes" if candidate.is_near else "no",
                "errors": column.verdict,
            }
            for column in comparison.columns
            for candidate in column.candidates
        ]
    )


def published_strategy(method: Method) -> str:
    """The published strategy of a method, with the repository's errors or without; "" if none."""
    name = method.strategy.removesuffix("-repo")
    alpha = dict(PUBLISHED).get(name)
    has_alpha = method.alpha is None if alpha is None else method.alpha == alpha
    return name if name in STRATEGIES and has_alpha and not method.settings else ""


def published_methods(comparison: Comparison) -> dict[str, Method]:
    """Strategy -> the method of the published five; with the repository's errors if both exist."""
    methods: dict[str, Method] = {}
    for method in comparison.methods:
        name = published_strategy(method)
        if name and (name not in methods or method.strategy != name):
            methods[name] = method
    return methods


def _has_all_methods(comparison: Comparison) -> bool:
    methods = published_methods(comparison)
    return comparison.is_grid and all(
        name in methods
        and not any(comparison.missing_folds(methods[name].label, m) for m in PUBLISHED_METRICS)
        for name in STRATEGIES
    )


def _ranked_columns(kind: str, metric: str) -> list[tuple[str, str, bool]]:
    """Columns to compare with a published one: (side, ranked by, whether it is judged)."""
    score = SCORED_AS.get((kind, metric), metric)
    others = [(AUTHORS_CODE, metric, False)] if score != metric else []
    return [(AUTHORS_CODE, score, True), *others, (WITHOUT_ERRORS, metric, True)]


def _has_score(metric: str, comparisons: Sequence[Comparison]) -> bool:
    return all(
        not c.missing_folds(method.label, metric)
        for c in comparisons
        for method in published_methods(c).values()
    )


def _compare_ranks(
    side: str,
    metric: str,
    kind: str,
    published: Sequence[float],
    comparisons: Sequence[Comparison],
    is_judged: bool,
) -> RankComparison:
    ranking = _ranking(metric, comparisons)
    by_name = {
        published_strategy(method): float(ranking.sums[method.label]) / len(comparisons)
        for method in published_methods(comparisons[0]).values()
    }
    ranks = np.array([by_name[name] for name in STRATEGIES])
    differences = np.abs(ranks - np.asarray(published))
    is_flat = np.ptp(ranks) == 0
    return RankComparison(
        side=side,
        metric=metric,
        n_problems=len(comparisons),
        ranks=tuple(float(rank) for rank in ranks),
        spearman=float("nan") if is_flat else float(stats.spearmanr(ranks, published).statistic),
        kendall=float("nan") if is_flat else float(stats.kendalltau(ranks, published).statistic),
        largest_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        is_complete=len(comparisons) == len(PROBLEMS[kind]),
        is_judged=is_judged,
    )


def _ranking(metric: str, comparisons: Sequence[Comparison]) -> Ranking:
    labels = {method.label for c in comparisons for method in published_methods(c).values()}
    (ranking,) = rank_methods(
        comparisons, (metric,), lambda method: method.label in labels
    ).rankings
    return ranking


def _differing_ratios(
    kind: str, comparisons: Sequence[Comparison]
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    ratios = {c.imbalance for c in comparisons if c.kind == kind}
    published = {ratio for _, ratio in PROBLEMS[kind]}
    if not ratios or ratios <= published:
        return None
    return tuple(sorted(ratios, reverse=True)), tuple(sorted(published, reverse=True))


def join_ratios(ratios: Sequence[float]) -> str:
    """Ratios in a line, as in '0.25, 0.1, 0.05'."""
    return ", ".join(plain(ratio) for ratio in ratios)
