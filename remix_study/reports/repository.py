"""Did the errors of the authors' public repository make the published Table 2?

Its five rows are trained again as the repository trains them and ranked alone, in g-mean, in the
balanced Brier score and in the repository's own version of that. The mean ranks are held against
the published ones, and so are those of the five rows without the errors. What counts as near, and
what follows from it, stands here and was written before these rows were run in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.reports.comparison import Comparison, Row
from remix_study.reports.published import PROBLEMS, RANK_SUMS
from remix_study.reports.ranks import KINDS, PUBLISHED, Ranking, rank_where
from remix_study.reports.words import plain

REPO_SCORE = "brier_repo"
REPO, MENDED = "repository", "mended"
# The published column -> what may have made it, as (whose rows, scored by which metric).
CANDIDATES = {
    "g_mean": ((REPO, "g_mean"), (MENDED, "g_mean")),
    "bbs": ((REPO, REPO_SCORE), (REPO, "bbs"), (MENDED, REPO_SCORE), (MENDED, "bbs")),
}
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

    def best(self, whose: str) -> Likeness | None:
        """The nearest of the candidates of one side."""
        own = [one for one in self.found if one.whose == whose]
        return min(own, key=lambda one: one.mean, default=None)

    @property
    def verdict(self) -> Verdict:
        """Whether the errors explain the column.

        They do where the repository's rows are near it and those without the errors are not;
        where both are near the column needs no errors.
        """
        repo, mended = self.best(REPO), self.best(MENDED)
        if repo is None or not repo.complete:
            return "not judged"
        if not any(one.near for one in self.found if one.whose == REPO):
            return "not explained"
        if mended is None or not mended.complete:
            return "not judged"
        own = [one for one in self.found if one.whose == MENDED]
        return "needs no errors" if any(one.near for one in own) else "explained"


@dataclass(frozen=True, eq=False)
class Reenacted:
    """The study of the repository's rows beside Table 2.

    Attributes:
        columns: those of Table 2 for which there is something to compare.
        ratios: kind -> imbalance ratios of (these rows, Table 1), mildest first, where they
            differ.
        idle: kind -> (problems on which class weights changed no score, all problems).
        partial: problems that lack one of the five rows, or folds of it.
    """

    columns: tuple[Column, ...]
    ratios: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    idle: dict[str, tuple[int, int]]
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
            MENDED: [c for c in mended if c.kind == kind and _complete(c) and _of_paper(c)],
        }
        found = [
            _likeness(whose, own, kind, published, sides[whose])
            for whose, own in CANDIDATES[metric]
            if sides[whose] and _scored(own, sides[whose])
        ]
        if any(one.whose == REPO for one in found):
            columns.append(Column(kind, metric, published, tuple(found)))
    return Reenacted(
        tuple(columns),
        {kind: own for kind in KINDS if (own := _ratios(kind, usable))},
        {kind: same for kind in KINDS if (same := _idle(kind, usable))},
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
                "near": "yes" if one.near else "no",
                "errors": column.verdict,
            }
            for column in made.columns
            for one in column.found
        ]
    )


def strategy_of(row: Row) -> str:
    """The published strategy that a row stands for, with the repository's errors or without."""
    name = row.strategy.removesuffix("-repo")
    alpha = dict(PUBLISHED).get(name)
    same = row.alpha is None if alpha is None else row.alpha == alpha
    return name if name in NAMES and same and not row.settings else ""


def _five(comparison: Comparison) -> dict[str, Row]:
    """The rows that stand for the published five; of two that stand for one, the repository's."""
    found: dict[str, Row] = {}
    for row in comparison.rows:
        name = strategy_of(row)
        if name and (name not in found or row.strategy != name):
            found[name] = row
    return found


def _complete(comparison: Comparison) -> bool:
    rows = _five(comparison)
    return comparison.is_grid and all(
        name in rows
        and not any(comparison.missing_folds(rows[name].label, m) for m in ("g_mean", "bbs"))
        for name in NAMES
    )


def _of_paper(comparison: Comparison) -> bool:
    place = (str(comparison.info["dataset"]), comparison.imbalance)
    return place in PROBLEMS[comparison.kind]


def _scored(metric: str, here: Sequence[Comparison]) -> bool:
    """Whether every row has the metric, and it is another one than the balanced Brier score.

    Of more than two classes the repository's version is that score but for a constant factor.
    """
    if metric == REPO_SCORE and here[0].kind != "binary":
        return False
    return all(not c.missing_folds(row.label, metric) for c in here for row in _five(c).values())


def _likeness(
    whose: str,
    metric: str,
    kind: str,
    published: Sequence[float],
    here: Sequence[Comparison],
) -> Likeness:
    ranking = _ranking(metric, here)
    by_name = {
        strategy_of(row): float(ranking.sums[row.label]) / len(here)
        for row in _five(here[0]).values()
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
    )


def _ranking(metric: str, here: Sequence[Comparison]) -> Ranking:
    five = {(c.problem, row.label) for c in here for row in _five(c).values()}
    labels = {label for _, label in five}
    (ranking,) = rank_where(here, (metric,), lambda row: row.label in labels).rankings
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


def _idle(kind: str, here: Sequence[Comparison]) -> tuple[int, int] | None:
    """On how many problems the class weights left every score as the baseline's."""
    own = [c for c in here if c.kind == kind]
    same = 0
    for c in own:
        rows = _five(c)
        pairs = [(c.score(rows["baseline"].label, m), c.score(rows["cost"].label, m))
                 for m in ("g_mean", "bbs")]  # fmt: skip
        same += all(first.equals(second) for first, second in pairs)
    return (same, len(own)) if own else None


def ratios_in_words(ratios: Sequence[float]) -> str:
    """'0.25, 0.1, 0.05'."""
    return ", ".join(plain(ratio) for ratio in ratios)
