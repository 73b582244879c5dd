"""Did the errors of the authors' public repository make the published Table 2?

Its five rows are trained again as the repository trains them and ranked alone. Their mean ranks
are held against the published ones, and so are those of the five rows without the errors. One
column of ranks stands for each side, fixed beforehand: the repository's rows scored as the
repository scores them, the others by the right score. What counts as near, and what follows from
it, stands here and was written before these rows were run in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.metrics import PUBLISHED_METRICS
from remix_study.paper.published import PROBLEMS, RANK_SUMS
from remix_study.report.formatting import plain
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.results.rank_sums import KINDS, PUBLISHED, rank_methods
from remix_study.results.ranking import Ranking

REPO_SCORE = "brier_repo"
REPO, MENDED = "repository", "mended"
# How the repository scores where that is not the right score. Of more than two classes its
# balanced Brier score is the right one but for a constant factor.
SCORED_AS = {("binary", "bbs"): REPO_SCORE}
# Two columns are near where no row is off by more than this many ranks on the average problem,
# and the order is the same but for one pair of neighbours.
NEAR_RANKS = 1.0
NEAR_ORDER = 0.9
NAMES = tuple(strategy for strategy, _ in PUBLISHED)

Verdict = Literal["explained", "needs no errors", "not explained", "not judged"]


@dataclass(frozen=True)
class Likeness:
    """One column of mean ranks beside a published one.

    Attributes:
        whose: `REPO` or `MENDED`.
        metric: what the rows were ranked by.
        problems: how many there are.
        ranks: mean rank by strategy, in the order of `NAMES`.
        spearman: of the two columns; NaN where all rows tie.
        kendall: tau-b of them.
        largest: largest difference of two mean ranks.
        mean: mean difference, without sign.
        complete: whether these are as many problems as the paper has of the kind.
        judged: whether it stands for its side; others are shown only.
    """

    whose: str
    metric: str
    problems: int
    ranks: tuple[float, ...]
    spearman: float
    kendall: float
    largest: float
    mean: float
    complete: bool
    judged: bool

    @property
    def near(self) -> bool:
        # One swap of neighbours among five gives 0.9 but for the last digit.
        return self.largest <= NEAR_RANKS and self.spearman >= NEAR_ORDER - 1e-9


@dataclass(frozen=True)
class Column:
    """One column of Table 2, as mean ranks, and what may have made it."""

    kind: str
    metric: str
    published: tuple[float, ...]
    found: tuple[Likeness, ...]

    def of(self, whose: str) -> Likeness | None:
        """The column of ranks that stands for one side; None where it cannot be had."""
        return next((one for one in self.found if one.whose == whose and one.judged), None)

    @property
    def verdict(self) -> Verdict:
        """Whether the errors explain the column.

        They do where the repository's rows are near it and those without the errors are not;
        where both are near the column needs no errors.
        """
        repo, mended = self.of(REPO), self.of(MENDED)
        if repo is None or not repo.complete:
            return "not judged"
        if not repo.near:
            return "not explained"
        if mended is None or not mended.complete:
            return "not judged"
        return "needs no errors" if mended.near else "explained"


@dataclass(frozen=True, eq=False)
class Reenacted:
    """The study of the repository's rows beside Table 2.

    Attributes:
        columns: those of Table 2 for which there is something to compare.
        ratios: kind -> imbalance ratios of (these rows, Table 1), mildest first, where they
            differ.
        partial: problems that lack one of the five rows, or folds of it.
    """

    columns: tuple[Column, ...]
    ratios: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    partial: tuple[str, ...]


def reenact(repo: Sequence[Comparison], mended: Sequence[Comparison]) -> Reenacted:
    """Compare the repository's rows, and the rows without its errors, with Table 2.

    Args:
        repo: problems trained as the repository does.
        mended: problems of the main studies, each once.
    """
    usable = [c for c in repo if _complete(c)]
    columns = []
    for (kind, metric), sums in RANK_SUMS.items():
        published = tuple(value / len(PROBLEMS[kind]) for value in sums)
        sides = {
            REPO: [c for c in usable if c.kind == kind],
            MENDED: [c for c in mended if c.kind == kind and _complete(c) and of_paper(c)],
        }
        found = [
            _likeness(whose, own, kind, published, sides[whose], judged)
            for whose, own, judged in _candidates(kind, metric)
            if sides[whose] and _scored(own, sides[whose])
        ]
        if any(one.whose == REPO and one.judged for one in found):
            columns.append(Column(kind, metric, published, tuple(found)))
    return Reenacted(
        tuple(columns),
        {kind: own for kind in KINDS if (own := _ratios(kind, usable))},
        tuple(c.problem for c in repo if not _complete(c)),
    )


def table(made: Reenacted) -> pd.DataFrame:
    """One line a published column and candidate: the distances and what follows."""
    return pd.DataFrame(
        [
            {
                "kind": column.kind,
                "published_metric": column.metric,
                "rows": one.whose,
                "ranked_by": one.metric,
                "problems": one.problems,
                **{f"mean_rank_{n}": r for n, r in zip(NAMES, one.ranks, strict=True)},
                "spearman": one.spearman,
                "kendall": one.kendall,
                "largest_difference": one.largest,
                "mean_difference": one.mean,
                "stands_for_its_side": "yes" if one.judged else "no",
                "near": "yes" if one.near else "no",
                "errors": column.verdict,
            }
            for column in made.columns
            for one in column.found
        ]
    )


def strategy_of(row: Method) -> str:
    """The published strategy that a row stands for, with the repository's errors or without."""
    name = row.strategy.removesuffix("-repo")
    alpha = dict(PUBLISHED).get(name)
    same = row.alpha is None if alpha is None else row.alpha == alpha
    return name if name in NAMES and same and not row.settings else ""


def five(comparison: Comparison) -> dict[str, Method]:
    """The rows that stand for the published five; of two that stand for one, the repository's."""
    found: dict[str, Method] = {}
    for row in comparison.methods:
        name = strategy_of(row)
        if name and (name not in found or row.strategy != name):
            found[name] = row
    return found


def _complete(comparison: Comparison) -> bool:
    rows = five(comparison)
    return comparison.is_grid and all(
        name in rows
        and not any(comparison.missing_folds(rows[name].label, m) for m in PUBLISHED_METRICS)
        for name in NAMES
    )


def of_paper(comparison: Comparison) -> bool:
    """Whether it is one of the problems of the paper's Table 1."""
    place = (str(comparison.info["dataset"]), comparison.imbalance)
    return place in PROBLEMS[comparison.kind]


def _candidates(kind: str, metric: str) -> list[tuple[str, str, bool]]:
    """What is set beside a published column: (whose rows, ranked by which metric, judged)."""
    own = SCORED_AS.get((kind, metric), metric)
    shown = [(REPO, metric, False)] if own != metric else []
    return [(REPO, own, True), *shown, (MENDED, metric, True)]


def _scored(metric: str, here: Sequence[Comparison]) -> bool:
    return all(not c.missing_folds(row.label, metric) for c in here for row in five(c).values())


def _likeness(
    whose: str,
    metric: str,
    kind: str,
    published: Sequence[float],
    here: Sequence[Comparison],
    judged: bool,
) -> Likeness:
    ranking = _ranking(metric, here)
    by_name = {
        strategy_of(row): float(ranking.sums[row.label]) / len(here)
        for row in five(here[0]).values()
    }
    ranks = np.array([by_name[name] for name in NAMES])
    off = np.abs(ranks - np.asarray(published))
    flat = np.ptp(ranks) == 0
    return Likeness(
        whose=whose,
        metric=metric,
        problems=len(here),
        ranks=tuple(float(rank) for rank in ranks),
        spearman=float("nan") if flat else float(stats.spearmanr(ranks, published).statistic),
        kendall=float("nan") if flat else float(stats.kendalltau(ranks, published).statistic),
        largest=float(off.max()),
        mean=float(off.mean()),
        complete=len(here) == len(PROBLEMS[kind]),
        judged=judged,
    )


def _ranking(metric: str, here: Sequence[Comparison]) -> Ranking:
    labels = {row.label for c in here for row in five(c).values()}
    (ranking,) = rank_methods(here, (metric,), lambda row: row.label in labels).rankings
    return ranking


def _ratios(
    kind: str, here: Sequence[Comparison]
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    own = {c.imbalance for c in here if c.kind == kind}
    paper = {ratio for _, ratio in PROBLEMS[kind]}
    if not own or own <= paper:
        return None
    first, second = (tuple(sorted(ratios, reverse=True)) for ratios in (own, paper))
    return first, second


def ratios_in_words(ratios: Sequence[float]) -> str:
    """'0.25, 0.1, 0.05'."""
    return ", ".join(plain(ratio) for ratio in ratios)
