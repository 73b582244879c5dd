"""ReMix over a grid of alphas on one problem: scores, slopes and the regret of a fixed alpha."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, is_maximized
from remix_study.results.comparison import Comparison

LEAST_ALPHAS = 4
"""Alphas above zero that a sensitivity study has at least."""


@dataclass(frozen=True, eq=False)
class AlphaGrid:
    """ReMix at several alphas above zero on one problem.

    Attributes:
        comparison: the problem.
        labels: alpha -> label of its method, ascending; only methods without a failed fold.
    """

    comparison: Comparison
    labels: Mapping[float, str]

    @property
    def dataset(self) -> str:
        """Name of the data set that the problem was made from."""
        return self.comparison.dataset

    @property
    def name(self) -> str:
        """The problem in words, such as "seizure, IR 0.05"."""
        return f"{self.dataset}, {self.comparison.imbalance_name}"

    def alphas_within(self, low: float, high: float) -> list[float]:
        """The alphas of the grid from `low` to `high`, both included, ascending."""
        return [alpha for alpha in self.labels if low <= alpha <= high]

    def scores(self, metric: str, alphas: Sequence[float], part: str = "test") -> pd.DataFrame:
        """(folds, alphas) frame of scores in a metric on "test" or "validation" parts."""
        return pd.DataFrame(
            {alpha: self.comparison.score(self.labels[alpha], metric, part) for alpha in alphas}
        )

    def chosen_scores(self, metric: str, alphas: Sequence[float]) -> pd.Series[float]:
        """Test score of the alpha that is best on a fold's validation part, fold by fold.

        Of equal alphas the smallest is chosen.

        Args:
            metric: by which is chosen and which is returned.
            alphas: those to choose from.
        """
        sign = 1.0 if is_maximized(metric) else -1.0
        validation = sign * self.scores(metric, alphas, "validation").to_numpy(dtype=np.float64)
        test = self.scores(metric, alphas)
        places = validation.argmax(axis=1)
        values = test.to_numpy(dtype=np.float64)[np.arange(len(test)), places]
        return pd.Series(values, index=test.index)


def alpha_grids(comparisons: Sequence[Comparison]) -> tuple[AlphaGrid, ...]:
    """Make the grid of each problem with `LEAST_ALPHAS` alphas or more.

    A problem that several studies have is taken from the one with most alphas.
    """
    grids: dict[tuple[str, str], AlphaGrid] = {}
    for comparison in comparisons:
        labels = _complete_labels(comparison) if comparison.is_grid else {}
        key = (comparison.kind, comparison.problem)
        if len(labels) < LEAST_ALPHAS:
            continue
        if key not in grids or len(labels) > len(grids[key].labels):
            grids[key] = AlphaGrid(comparison, labels)
    return tuple(grids.values())


def _complete_labels(comparison: Comparison) -> dict[float, str]:
    """Alpha -> label of the ReMix methods that have every score, ascending."""
    labels = {
        method.alpha: method.label
        for method in comparison.methods
        if method.strategy == "remix"
        and method.alpha
        and not method.settings
        and not any(_is_incomplete(comparison, method.label, m) for m in PUBLISHED_METRICS)
    }
    return dict(sorted(labels.items()))


def _is_incomplete(comparison: Comparison, label: str, metric: str) -> bool:
    n_validated = len(comparison.score(label, metric, "validation"))
    return bool(comparison.missing_folds(label, metric)) or (
        n_validated < comparison.planned_folds
    )


def grids_by_dataset(grids: Sequence[AlphaGrid]) -> dict[str, list[AlphaGrid]]:
    """Data set -> its grids, in the order given."""
    by_dataset: dict[str, list[AlphaGrid]] = {}
    for grid in grids:
        by_dataset.setdefault(grid.dataset, []).append(grid)
    return by_dataset


def regret(grid: AlphaGrid, metric: str, alpha: float) -> pd.Series[float]:
    """What a fixed alpha loses against the alpha chosen on the validation part, fold by fold.

    Args:
        grid: the alphas to choose from, all above zero.
        metric: by which is chosen and in which is lost.
        alpha: the fixed one.

    Returns:
        Test score lost in each fold, above zero where the fixed alpha is worse; empty where the
        grid does not have it.
    """
    fixed = grid_alpha(grid, alpha)
    if fixed is None:
        return pd.Series(dtype=float)
    sign = 1.0 if is_maximized(metric) else -1.0
    chosen = grid.chosen_scores(metric, list(grid.labels))
    return sign * (chosen - grid.scores(metric, [fixed])[fixed])


def slope(grid: AlphaGrid, metric: str, span: tuple[float, float]) -> float:
    """Change of the mean test score per unit of alpha, from a least-squares line.

    Args:
        grid: the alphas that were run.
        metric: what was scored.
        span: least and greatest alpha of the line.
    """
    means = grid.scores(metric, grid.alphas_within(*span)).mean()
    return float(np.polyfit(means.index.to_numpy(dtype=float), means.to_numpy(dtype=float), 1)[0])


def slopes_by_fold(grid: AlphaGrid, metric: str, span: tuple[float, float]) -> pd.Series[float]:
    """The slope of the line through each fold's own scores; see `slope`, which is their mean."""
    scores = grid.scores(metric, grid.alphas_within(*span)).dropna()
    alphas = scores.columns.to_numpy(dtype=float)
    values = np.polyfit(alphas, scores.to_numpy(dtype=float).T, 1)[0]
    return pd.Series(values, index=scores.index)


def grid_alpha(grid: AlphaGrid, alpha: float) -> float | None:
    """The grid's own value of an alpha that is equal but for rounding; None if it has none."""
    return next((known for known in grid.labels if np.isclose(known, alpha)), None)
