"""What the claims are checked on: mean scores of strategies by problem, and grids of alphas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import pandas as pd

from remix_study.metrics import is_maximized, short_name
from remix_study.paper import SENTENCES
from remix_study.paper.table2 import STRATEGIES
from remix_study.results.alpha_grids import AlphaGrid, alpha_grids
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method, alpha_distance, nearest_alphas
from remix_study.results.rank_sums import KINDS, rank_means

IMAGES = "cifar"
# What the paper ran on images; on fewer or in fewer folds an answer is a look.
IMAGE_SET, IMAGE_FOLDS = "cifar10", 20


class NotRun(Exception):
    """What a part of a claim needs was not run: what, and the limits of the part's problems."""

    def __init__(self, missing: str, limits: str = "") -> None:
        super().__init__(missing)
        self.limits = limits


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """Mean test scores of strategies on the problems of one kind in one metric.

    The kind is in words, such as "binary image". All problems are of one study, since the same
    problems in another one were run otherwise. Methods are by problem and strategy.
    """

    kind: str
    problems: tuple[Comparison, ...]
    methods: Mapping[str, Mapping[str, Method]]
    metric: str = "g_mean"
    _in_other_metrics: dict[str, ScoreMatrix] = field(default_factory=dict, init=False)

    @property
    def name(self) -> str:
        return f"{self.kind}, {short_name(self.metric)}"

    @cached_property
    def means(self) -> pd.DataFrame:
        """(problems, strategies) mean scores; NaN where a strategy lacks a fold or was not run."""
        return pd.DataFrame.from_dict(self._means, orient="index")

    @cached_property
    def _means(self) -> dict[str, dict[str, float]]:
        """Problem -> strategy -> mean score; without strategies that lack a fold."""
        return {c.problem: self._means_on(c) for c in self.problems}

    def _means_on(self, comparison: Comparison) -> dict[str, float]:
        return {
            strategy: score.mean
            for strategy, method in self.methods[comparison.problem].items()
            if not comparison.missing_folds(method.label, self.metric)
            and (score := comparison.effects.score(method.label, self.metric))
        }

    def missing(self, *strategies: str) -> str:
        """What keeps these strategies from being compared, in words; "" if nothing does."""
        means = self._means
        if means and all({*strategies} <= of_problem.keys() for of_problem in means.values()):
            return ""
        lacks = []
        for strategy in strategies:
            absent = [name for name in means if strategy not in self.methods[name]]
            partial = [n for n in means if n not in absent and strategy not in means[n]]
            lacks.append((strategy, absent, partial))
        return SENTENCES.phrase("claims.missing", self, lacks)

    def require(self, *strategies: str) -> None:
        """Raise `NotRun` where these strategies cannot be compared."""
        if missing := self.missing(*strategies):
            raise NotRun(missing, limits_of(self.problems))

    def leads(self, *pairs: tuple[str, str]) -> pd.DataFrame:
        """(problems, pairs) leads, above zero where the first strategy of a pair is better."""
        means = self._upward_means
        return pd.DataFrame({f"{a} over {b}": means[a] - means[b] for a, b in pairs})

    def gains(self, *strategies: str) -> pd.DataFrame:
        """(problems, strategies) leads over the baseline."""
        return self._upward_means[list(strategies)].sub(self._upward_means["baseline"], axis=0)

    @cached_property
    def _upward_means(self) -> pd.DataFrame:
        return self.means if is_maximized(self.metric) else -self.means

    def rank_sums(self) -> pd.Series[float]:
        """Sums of the ranks of the five published strategies among themselves; 1 is the best."""
        means = self.means[list(STRATEGIES)]
        return rank_means(means, maximize=is_maximized(self.metric)).sum(axis=0).astype(float)

    def by_dataset(self, values: pd.DataFrame) -> pd.DataFrame:
        """Mean of each column over the problems of a data set; the values are by problem."""
        datasets = {comparison.problem: comparison.dataset for comparison in self.problems}
        return values.groupby([datasets[str(name)] for name in values.index], sort=False).mean()

    def in_metric(self, metric: str) -> ScoreMatrix:
        """The same problems scored in this metric; several claims look at the same matrix."""
        if metric not in self._in_other_metrics:
            self._in_other_metrics[metric] = replace(self, metric=metric)
        return self._in_other_metrics[metric]

    def by_ratio(self) -> dict[str, ScoreMatrix]:
        """Imbalance ratio in words -> its problems, the mildest first; none of data as it is."""
        imbalanced = [c for c in self.problems if not math.isnan(c.imbalance)]
        imbalanced.sort(key=lambda c: -c.imbalance)
        groups = grouped(imbalanced, lambda c: c.imbalance_name)
        return {name: replace(self, problems=tuple(group)) for name, group in groups.items()}


@dataclass(frozen=True, eq=False)
class Evidence:
    """What all claims are checked on; matrices are of binary and of multi-class problems."""

    tabular: tuple[ScoreMatrix, ScoreMatrix]
    images: tuple[ScoreMatrix, ScoreMatrix]
    grids: tuple[AlphaGrid, ...]


def evidence_of(comparisons: Sequence[Comparison]) -> Evidence:
    """Select from the problems of a report: matrices in g-mean, and grids of enough alphas."""
    planned = [c for c in comparisons if c.is_grid]
    tables = [c for c in planned if not is_image(c)]
    images = [c for c in planned if is_image(c)]
    binary, multi = KINDS
    return Evidence(
        (_matrix(tables, binary), _matrix(tables, multi)),
        (_matrix(images, binary, " image"), _matrix(images, multi, " image")),
        alpha_grids(comparisons),
    )


def in_metric(matrices: Sequence[ScoreMatrix], *metrics: str) -> list[ScoreMatrix]:
    """The same problems scored in each of these metrics."""
    return [matrix.in_metric(metric) for matrix in matrices for metric in metrics]


def named(matrices: Sequence[ScoreMatrix], *metrics: str) -> dict[str, tuple[ScoreMatrix]]:
    """Name -> matrix, for rules on one matrix."""
    return {matrix.name: (matrix,) for matrix in in_metric(matrices, *metrics)}


def order(top: Sequence[str], strategies: Sequence[str]) -> list[tuple[str, str]]:
    """(better, worse): each of the top before the next, its last before all other strategies."""
    below = [strategy for strategy in strategies if strategy not in top]
    return [*pairwise(top), *((top[-1], strategy) for strategy in below)]


def _matrix(comparisons: Sequence[Comparison], kind: str, noun: str = "") -> ScoreMatrix:
    """The matrix of a kind, from the study with most problems that have all published strategies.

    Of equals the study with more problems is read, then the first.
    """
    by_study = grouped((c for c in comparisons if c.kind == kind), lambda c: c.study)

    def completeness(problems: Sequence[Comparison]) -> tuple[int, int]:
        return sum(set(STRATEGIES) <= set(_methods(c)) for c in problems), len(problems)

    problems = max(by_study.values(), key=completeness, default=[])
    methods = {c.problem: _methods(c) for c in problems}
    return ScoreMatrix(f"{kind}{noun}", tuple(problems), methods)


def _methods(comparison: Comparison) -> dict[str, Method]:
    """One method a strategy: at the published alpha, on images at the nearest one."""
    return nearest_alphas(
        (method.strategy, method)
        for method in comparison.methods
        if method.strategy
        and not method.settings
        and method.alpha != 0
        and (is_image(comparison) or alpha_distance(method.alpha) <= 1e-9)
    )


def is_image(comparison: Comparison) -> bool:
    """Whether the problem is made from the paper's image data set."""
    return comparison.dataset.startswith(IMAGES)


def is_reduced(comparison: Comparison) -> bool:
    """Whether a problem on images has fewer of them or fewer folds than the paper's."""
    is_whole = comparison.dataset == IMAGE_SET and comparison.planned_folds >= IMAGE_FOLDS
    return is_image(comparison) and not is_whole


def limits_of(problems: Sequence[Comparison]) -> str:
    """Data sets and folds of problems on fewer images than the paper's, in words, or ""."""
    return SENTENCES.phrase("claims.limits", [c for c in problems if is_reduced(c)])


def basis_of(problems: Sequence[Comparison]) -> str:
    """Number of problems and of data sets, in words."""
    return SENTENCES.phrase("claims.basis", problems)
