"""Mean test scores of strategies on the problems of one kind, for the claims on methods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pandas as pd

from remix_study.metrics import CORE_METRICS, is_maximized
from remix_study.paper.claims.rules import IMAGES
from remix_study.paper.published import STRATEGIES
from remix_study.report.formatting import counted, first_names, listing
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method, alpha_distance, nearest_alphas
from remix_study.results.rank_sums import KINDS, rank_means

# A reason names this many problems.
MOST_NAMES = 3

Domain = Literal["tabular", "images"]


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """The problems of one kind in one study, each strategy with one method.

    Attributes:
        name: in words, such as "binary" or "binary images".
        study: the only study that is read, since the same problems in another one were run
            otherwise.
        problems: in the order of the page.
        methods: strategy -> problem -> its method; without problems that it was not run on.
    """

    name: str
    study: str
    problems: tuple[Comparison, ...]
    methods: Mapping[str, Mapping[str, Method]]

    @property
    def datasets(self) -> dict[str, str]:
        """Problem -> its data set."""
        return {c.problem: str(c.info["dataset"]) for c in self.problems}

    @property
    def basis(self) -> str:
        """The number of problems and of data sets, in words."""
        n_datasets = len(set(self.datasets.values()))
        return f"{counted(len(self.problems), 'problem')} of {counted(n_datasets, 'data set')}"

    def missing(self, strategies: Sequence[str], metrics: Sequence[str] = CORE_METRICS) -> str:
        """What keeps these strategies from being compared, in words; "" if nothing does."""
        if not self.problems:
            return f"no {self.name} problem"
        reasons = []
        for strategy in strategies:
            absent, partial = [], []
            for comparison in self.problems:
                method = self.methods.get(strategy, {}).get(comparison.problem)
                if method is None:
                    absent.append(comparison.problem)
                elif any(
                    self._folds.get((comparison.problem, method.label, metric), 0)
                    < comparison.planned_folds
                    for metric in metrics
                ):
                    partial.append(comparison.problem)
            if len(absent) == len(self.problems):
                reasons.append(f"{strategy} was not run")
            elif absent:
                reasons.append(
                    f"{strategy} was not run on {listing(first_names(absent, MOST_NAMES))}"
                )
            if partial:
                reasons.append(
                    f"{strategy} lacks folds of {listing(first_names(partial, MOST_NAMES))}"
                )
        return "; ".join(reasons)

    def means(self, metric: str, strategies: Sequence[str]) -> pd.DataFrame:
        """Mean test scores (problems, strategies) of strategies that lack no fold."""
        return pd.DataFrame(
            {
                strategy: [
                    self._means[c.problem, self.methods[strategy][c.problem].label, metric]
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

    def lead(self, metric: str, strategy: str, rival: str) -> pd.Series[float]:
        """Lead of a strategy over a rival by problem, above zero where the strategy is better."""
        means = self.means(metric, (strategy, rival))
        sign = 1.0 if is_maximized(metric) else -1.0
        return sign * (means[strategy] - means[rival])

    def rank_sums(self, metric: str, strategies: Sequence[str]) -> pd.Series[float]:
        """Sums over problems of the ranks of these strategies among themselves; 1 is the best."""
        ranks = rank_means(self.means(metric, strategies), maximize=is_maximized(metric))
        return ranks.sum(axis=0).astype(float)

    def by_ratio(self) -> dict[float, list[str]]:
        """Imbalance ratio -> its problems, the mildest first; without problems as they are."""
        ratios = sorted({c.imbalance for c in self.problems if not math.isnan(c.imbalance)})
        return {
            ratio: [c.problem for c in self.problems if c.imbalance == ratio]
            for ratio in reversed(ratios)
        }


def score_matrix(comparisons: Sequence[Comparison], kind: str, domain: Domain) -> ScoreMatrix:
    """The matrix of a kind, from the study with most problems that have all published strategies.

    Of equals the study with more problems is read, then the first.
    """
    candidates = [
        c
        for c in comparisons
        if c.is_grid and c.kind == kind and is_image(c) == (domain == "images")
    ]
    by_study: dict[str, list[Comparison]] = {}
    for comparison in candidates:
        by_study.setdefault(comparison.study, []).append(comparison)

    def completeness(study: str) -> tuple[int, int]:
        problems_ = by_study[study]
        n_full = sum(set(STRATEGIES) <= set(strategy_methods(c, domain)) for c in problems_)
        return n_full, len(problems_)

    study = max(by_study, key=completeness, default="")
    problems = tuple(by_study.get(study, ()))
    methods: dict[str, dict[str, Method]] = {}
    for comparison in problems:
        for strategy, method in strategy_methods(comparison, domain).items():
            methods.setdefault(strategy, {})[comparison.problem] = method
    name = kind if domain == "tabular" else f"{kind} image"
    return ScoreMatrix(name, study, problems, methods)


def score_matrices(
    comparisons: Sequence[Comparison], domain: Domain
) -> tuple[ScoreMatrix, ScoreMatrix]:
    """The matrices of binary and of multi-class problems."""
    binary, multi = (score_matrix(comparisons, kind, domain) for kind in KINDS)
    return binary, multi


def strategy_methods(comparison: Comparison, domain: Domain) -> dict[str, Method]:
    """Select one method a strategy: at the published alpha, on images at the nearest one."""
    return nearest_alphas(
        (method.strategy, method)
        for method in comparison.methods
        if method.strategy
        and not method.settings
        and method.alpha != 0
        and (domain != "tabular" or alpha_distance(method.alpha) <= 1e-9)
    )


def is_image(comparison: Comparison) -> bool:
    """Whether the problem is made from the paper's image data set."""
    return str(comparison.info["dataset"]).startswith(IMAGES)
