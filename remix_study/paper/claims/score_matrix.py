"""The mean test scores that claims on rows are checked on: one board a kind of problem."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pandas as pd

from remix_study.metrics import CORE_METRICS, is_maximized
from remix_study.paper.claims.rules import IMAGES, PUBLISHED_ROWS
from remix_study.report.formatting import counted, listing
from remix_study.results.alphas import alpha_distance, nearest_alphas
from remix_study.results.comparison import Comparison, Row
from remix_study.results.intervals import rank_rows
from remix_study.results.rank_sums import KINDS

Domain = Literal["tabular", "images"]


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """The problems of one kind in one study, each strategy with one row.

    Attributes:
        name: in words, such as "binary" or "binary images".
        study: which study; a kind of problem is read from one study only, since the same
            problems in another one were run otherwise.
        problems: in the order of the page.
        rows: strategy -> problem -> its row; missing where it was not run on it.
    """

    name: str
    study: str
    problems: tuple[Comparison, ...]
    rows: Mapping[str, Mapping[str, Row]]

    @property
    def datasets(self) -> dict[str, str]:
        return {c.problem: str(c.info["dataset"]) for c in self.problems}

    @property
    def basis(self) -> str:
        """How many problems and data sets, in words."""
        sets = len(set(self.datasets.values()))
        return f"{counted(len(self.problems), 'problem')} of {counted(sets, 'data set')}"

    def lacking(self, strategies: Sequence[str], metrics: Sequence[str] = CORE_METRICS) -> str:
        """What keeps these strategies from being compared, in words; "" if nothing does."""
        if not self.problems:
            return f"no {self.name} problem"
        found = []
        for strategy in strategies:
            absent, partial = [], []
            for comparison in self.problems:
                row = self.rows.get(strategy, {}).get(comparison.problem)
                if row is None:
                    absent.append(comparison.problem)
                elif any(
                    self._folds.get((comparison.problem, row.label, metric), 0)
                    < comparison.planned_folds
                    for metric in metrics
                ):
                    partial.append(comparison.problem)
            if len(absent) == len(self.problems):
                found.append(f"{strategy} was not run")
            elif absent:
                found.append(f"{strategy} was not run on {_some(absent)}")
            if partial:
                found.append(f"{strategy} lacks folds of {_some(partial)}")
        return "; ".join(found)

    def means(self, metric: str, strategies: Sequence[str]) -> pd.DataFrame:
        """(problems, strategies) mean test scores of strategies that lack nothing."""
        return pd.DataFrame(
            {
                strategy: [
                    self._means[c.problem, self.rows[strategy][c.problem].label, metric]
                    for c in self.problems
                ]
                for strategy in strategies
            },
            index=[c.problem for c in self.problems],
        )

    @cached_property
    def _means(self) -> dict[tuple[str, str, str], float]:
        return {
            (c.problem, str(label), metric): float(mean)
            for c in self.problems
            for metric in c.metrics()
            for label, mean in c.scores["test", metric].mean().items()
        }

    @cached_property
    def _folds(self) -> dict[tuple[str, str, str], int]:
        return {
            (c.problem, str(label), metric): int(count)
            for c in self.problems
            for metric in c.metrics()
            for label, count in c.scores["test", metric].count().items()
        }

    def lead(self, metric: str, first: str, second: str) -> pd.Series[float]:
        """By problem, first minus second, above zero where the first is better."""
        means = self.means(metric, (first, second))
        sign = 1.0 if is_maximized(metric) else -1.0
        return sign * (means[first] - means[second])

    def rank_sums(self, metric: str, strategies: Sequence[str]) -> pd.Series[float]:
        """Sums of the ranks of these strategies among themselves; 1 is the best."""
        ranks = rank_rows(self.means(metric, strategies), maximize=is_maximized(metric))
        return ranks.sum(axis=0).astype(float)

    def by_ratio(self) -> dict[float, list[str]]:
        """Imbalance ratio -> its problems, the mildest first; NaN is left out."""
        ratios = sorted({c.imbalance for c in self.problems if not math.isnan(c.imbalance)})
        return {
            ratio: [c.problem for c in self.problems if c.imbalance == ratio]
            for ratio in reversed(ratios)
        }


def make_score_matrix(comparisons: Sequence[Comparison], kind: str, domain: Domain) -> ScoreMatrix:
    """The board of a kind, from the study that has most problems with all published rows.

    Of equals the study that has more problems counts, then the one that stands first.
    """
    here = [
        c
        for c in comparisons
        if c.is_grid and c.kind == kind and is_image(c) == (domain == "images")
    ]
    by_study: dict[str, list[Comparison]] = {}
    for comparison in here:
        by_study.setdefault(comparison.study, []).append(comparison)

    def worth(study: str) -> tuple[int, int]:
        own = by_study[study]
        full = sum(set(PUBLISHED_ROWS) <= set(rows_of(c, domain)) for c in own)
        return full, len(own)

    study = max(by_study, key=worth, default="")
    problems = tuple(by_study.get(study, ()))
    rows: dict[str, dict[str, Row]] = {}
    for comparison in problems:
        for strategy, row in rows_of(comparison, domain).items():
            rows.setdefault(strategy, {})[comparison.problem] = row
    name = kind if domain == "tabular" else f"{kind} image"
    return ScoreMatrix(name, study, problems, rows)


def both_kinds(
    comparisons: Sequence[Comparison], domain: Domain
) -> tuple[ScoreMatrix, ScoreMatrix]:
    """The boards of binary and of multi-class problems."""
    binary, multi = (make_score_matrix(comparisons, kind, domain) for kind in KINDS)
    return binary, multi


def rows_of(comparison: Comparison, domain: Domain) -> dict[str, Row]:
    """One row a strategy: at the main alpha, on images at the alpha nearest to it."""
    return nearest_alphas(
        (row.strategy, row)
        for row in comparison.rows
        if row.strategy
        and not row.settings
        and row.alpha != 0
        and (domain != "tabular" or alpha_distance(row.alpha) <= 1e-9)
    )


def is_image(comparison: Comparison) -> bool:
    """Whether the problem is one of the paper's image data set."""
    return str(comparison.info["dataset"]).startswith(IMAGES)


def _some(names: Sequence[str], most: int = 3) -> str:
    if len(names) <= most:
        return listing(names)
    return listing([*names[:most], f"{len(names) - most} more"])
