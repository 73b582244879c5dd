"""ReMix over a grid of alphas: curves, slopes and what a fixed alpha loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, is_maximized
from remix_study.results.comparison import Comparison

LEAST_ALPHAS = 4
"""A sensitivity study has at least this many alphas above zero; fewer draw no curve."""


@dataclass(frozen=True, eq=False)
class AlphaGrid:
    """ReMix at several alphas above zero on one problem.

    Attributes:
        comparison: the problem.
        labels: alpha -> its row, ascending; only rows without a failed fold.
    """

    comparison: Comparison
    labels: Mapping[float, str]

    @property
    def dataset(self) -> str:
        return str(self.comparison.info["dataset"])

    @property
    def name(self) -> str:
        return f"{self.dataset}, {self.comparison.imbalance_name}"

    def alphas_within(self, low: float, high: float) -> list[float]:
        return [alpha for alpha in self.labels if low <= alpha <= high]

    def scores(self, metric: str, alphas: Sequence[float], part: str = "test") -> pd.DataFrame:
        """(folds, alphas) scores."""
        return pd.DataFrame(
            {a: self.comparison.score(self.labels[a], metric, part) for a in alphas}
        )

    def chosen_scores(self, metric: str, alphas: Sequence[float]) -> pd.Series[float]:
        """By fold, the test score of the alpha that its own validation part finds best.

        Ties go to the smallest alpha.
        """
        sign = 1.0 if is_maximized(metric) else -1.0
        validation = sign * self.scores(metric, alphas, "validation").to_numpy(dtype=np.float64)
        test = self.scores(metric, alphas)
        places = validation.argmax(axis=1)
        values = test.to_numpy(dtype=np.float64)[np.arange(len(test)), places]
        return pd.Series(values, index=test.index)


def alpha_grids(comparisons: Sequence[Comparison]) -> tuple[AlphaGrid, ...]:
    """Every problem with enough alphas, once: in the study that has most of them."""
    found: dict[tuple[str, str], AlphaGrid] = {}
    for comparison in comparisons:
        rows = [
            row
            for row in comparison.methods
            if row.strategy == "remix"
            and row.alpha
            and not row.settings
            and not any(
                comparison.missing_folds(row.label, metric)
                or len(comparison.score(row.label, metric, "validation"))
                < comparison.planned_folds
                for metric in PUBLISHED_METRICS
            )
        ]
        labels = {row.alpha: row.label for row in rows if row.alpha}
        key = (comparison.kind, comparison.problem)
        before = found.get(key)
        if not comparison.is_grid or len(labels) < LEAST_ALPHAS:
            continue
        if before is None or len(labels) > len(before.labels):
            found[key] = AlphaGrid(comparison, dict(sorted(labels.items())))
    return tuple(found.values())


def grids_by_dataset(found: Sequence[AlphaGrid]) -> dict[str, list[AlphaGrid]]:
    """The problems of each data set."""
    by_dataset: dict[str, list[AlphaGrid]] = {}
    for grid in found:
        by_dataset.setdefault(grid.dataset, []).append(grid)
    return by_dataset


def regret(grid: AlphaGrid, metric: str, alpha: float) -> pd.Series[float]:
    """By fold, what an alpha loses against the one its validation part would have chosen.

    Above zero where the fixed alpha is worse. The choice is among all alphas above zero.
    """
    own = grid_alpha(grid, alpha)
    if own is None:
        return pd.Series(dtype=float)
    sign = 1.0 if is_maximized(metric) else -1.0
    return sign * (grid.chosen_scores(metric, list(grid.labels)) - grid.scores(metric, [own])[own])


def slope(grid: AlphaGrid, metric: str, span: tuple[float, float]) -> float:
    """Change of the mean test score with alpha by one, from a least-squares line."""
    means = grid.scores(metric, grid.alphas_within(*span)).mean()
    return float(np.polyfit(means.index.to_numpy(dtype=float), means.to_numpy(dtype=float), 1)[0])


def slopes_by_fold(grid: AlphaGrid, metric: str, span: tuple[float, float]) -> pd.Series[float]:
    """The same line through each fold's scores; their mean is the slope of the means."""
    scores = grid.scores(metric, grid.alphas_within(*span)).dropna()
    alphas = scores.columns.to_numpy(dtype=float)
    values = np.polyfit(alphas, scores.to_numpy(dtype=float).T, 1)[0]
    return pd.Series(values, index=scores.index)


def grid_alpha(grid: AlphaGrid, alpha: float) -> float | None:
    """The alpha as the grid has it; None if it has none."""
    return next((own for own in grid.labels if np.isclose(own, alpha)), None)
