"""Trends of ReMix over a grid of alphas.

Slopes, rank correlations and regrets of a grid are taken in each fold and averaged, so their
intervals are those of scores. The regret of a fixed alpha is against the alpha that each fold's
own validation part would have chosen: no row of a test part takes part in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import PUBLISHED_METRICS, better_or_worse, better_sign
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Relation
from remix_study.results.intervals import Interval

LEAST_ALPHAS = 4  # Alphas above zero that a grid has at least
FIXED_ALPHAS = (PUBLISHED_ALPHA, 0.3)  # Alphas whose regret is computed


@dataclass(frozen=True, eq=False)
class AlphaGrid:
    """ReMix at several alphas above zero on one problem: alpha -> label of its method, ascending.

    Only methods without a failed fold have one.
    """

    comparison: Comparison
    labels: Mapping[float, str]

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
        """
        sign = better_sign(metric)
        validation = sign * self.scores(metric, alphas, "validation").to_numpy(dtype=np.float64)
        test = self.scores(metric, alphas)
        values = test.to_numpy(dtype=np.float64)
        return pd.Series(values[np.arange(len(test)), validation.argmax(axis=1)], test.index)


def alpha_grids(comparisons: Sequence[Comparison]) -> tuple[AlphaGrid, ...]:
    """Make the grid of each problem with `LEAST_ALPHAS` alphas or more.

    A problem that several studies have is taken from the one with most alphas.
    """
    grids = [AlphaGrid(c, _complete_labels(c)) for c in comparisons if c.is_grid]
    large_grids = [grid for grid in grids if len(grid.labels) >= LEAST_ALPHAS]
    by_problem = grouped(large_grids, lambda g: (g.comparison.kind, g.comparison.problem))
    return tuple(max(group, key=lambda g: len(g.labels)) for group in by_problem.values())


def _complete_labels(comparison: Comparison) -> dict[float, str]:
    """Alpha -> label of the ReMix methods that have every score, ascending."""
    labels = {
        method.alpha: method.label
        for method in comparison.methods
        if method.strategy == "remix"
        and method.alpha
        and not method.settings
        and all(comparison.has_all_scores(method.label, metric) for metric in PUBLISHED_METRICS)
    }
    return dict(sorted(labels.items()))


def grids_by_dataset(grids: Sequence[AlphaGrid]) -> dict[str, list[AlphaGrid]]:
    """Data set -> its grids, in the order given."""
    return grouped(grids, lambda grid: grid.comparison.dataset)


def grid_alpha(grid: AlphaGrid, alpha: float) -> float | None:
    """The grid's own value of an alpha that is equal but for rounding; None if it has none."""
    return next((grid_value for grid_value in grid.labels if np.isclose(grid_value, alpha)), None)


def regret(grid: AlphaGrid, metric: str, alpha: float) -> pd.Series[float]:
    """Test score that a fixed alpha loses against the one chosen on validation, fold by fold.

    Above zero where the fixed alpha is worse; empty where the grid does not have it.
    """
    fixed = grid_alpha(grid, alpha)
    if fixed is None:
        return pd.Series(dtype=float)
    sign = better_sign(metric)
    chosen = grid.chosen_scores(metric, list(grid.labels))
    return sign * (chosen - grid.scores(metric, [fixed])[fixed])


def slope(grid: AlphaGrid, metric: str, span: tuple[float, float]) -> float:
    """Change of the mean test score per unit of alpha: a least-squares line within a span."""
    means = grid.scores(metric, grid.alphas_within(*span)).mean()
    return float(np.polyfit(means.index.to_numpy(dtype=float), means.to_numpy(dtype=float), 1)[0])


def slopes_by_fold(
    grid: AlphaGrid, metric: str, span: tuple[float, float] = (0, math.inf)
) -> pd.Series[float]:
    """The slope of the line through each fold's own scores; see `slope`, which is their mean."""
    scores = grid.scores(metric, grid.alphas_within(*span)).dropna()
    alphas = scores.columns.to_numpy(dtype=float)
    return pd.Series(np.polyfit(alphas, scores.to_numpy(dtype=float).T, 1)[0], scores.index)


@dataclass(frozen=True, eq=False)
class AlphaTrend:
    """One metric over the alphas above zero of one problem.

    Attributes:
        slope: change of the score per unit of alpha, of a least-squares line a fold.
        correlation: Spearman's, of alpha and score; folds whose scores are all equal count as 0.
        correlation_of_means: Spearman's, of alpha and mean score; NaN if all means are equal.
        regrets: fixed alpha -> what it loses; only alphas that were run.
    """

    grid: AlphaGrid
    metric: str
    slope: Interval
    correlation: Interval
    correlation_of_means: float
    regrets: dict[float, Interval]

    @property
    def relation(self) -> Relation:
        """Whether scores get better or worse with alpha, by the correlation's interval."""
        if not self.correlation.excludes_zero:
            return "unclear"
        return better_or_worse(self.metric, self.correlation.mean)


def alpha_trends(grids: Sequence[AlphaGrid], metrics: Sequence[str]) -> tuple[AlphaTrend, ...]:
    """Compute the trend of every metric over every grid."""
    return tuple(_trend(grid, metric) for grid in grids for metric in metrics)


def trend_table(trends: Sequence[AlphaTrend]) -> pd.DataFrame:
    """Table of trends: one line a problem and metric."""
    lines = []
    for trend in trends:
        problem, intervals = trend.grid.comparison, {"slope": trend.slope}
        line: dict[str, object] = {"study": problem.study, "problem": problem.problem}
        line |= {"metric": trend.metric, "alphas": len(trend.grid.labels)}
        line |= {"folds": trend.slope.folds, "correlation_of_means": trend.correlation_of_means}
        intervals["correlation"] = trend.correlation
        intervals |= {f"regret_{alpha:g}": lost for alpha, lost in trend.regrets.items()}
        for name, i in intervals.items():
            line |= {name: i.mean, f"{name}_low": i.low, f"{name}_high": i.high}
        lines.append(line)
    return pd.DataFrame(lines)


def _trend(grid: AlphaGrid, metric: str) -> AlphaTrend:
    alphas, labels = list(grid.labels), list(grid.labels.values())
    effects = grid.comparison.effects
    scores = grid.scores(metric, alphas)
    correlations = [_spearman(alphas, by_fold) for by_fold in scores.to_numpy(dtype=np.float64)]
    return AlphaTrend(
        grid=grid,
        metric=metric,
        slope=effects.interval(
            slopes_by_fold(grid, metric), labels, metric, partial(_slopes, alphas)
        ),
        correlation=effects.interval(
            pd.Series(np.nan_to_num(correlations), scores.index),
            labels,
            metric,
            partial(_rank_correlations, alphas),
        ),
        correlation_of_means=_spearman(alphas, scores.mean().to_numpy(dtype=np.float64)),
        regrets={
            alpha: effects.interval(
                regret(grid, metric, alpha), labels, metric, partial(_regrets, grid, metric, alpha)
            )
            for alpha in FIXED_ALPHAS
            if grid_alpha(grid, alpha) is not None
        },
    )


def _slopes(alphas: Sequence[float], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares slopes of scores (..., alphas)."""
    centred = np.array(alphas) - np.mean(alphas)
    return np.asarray(scores @ (centred / (centred @ centred)))


def _rank_correlations(
    alphas: Sequence[float], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spearman's correlation of alpha and scores (..., alphas); 0 where all are equal."""
    ranks = stats.rankdata(scores, axis=-1)
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    of_alphas = stats.rankdata(alphas) - (len(alphas) + 1) / 2
    norms = np.sqrt((centred**2).sum(axis=-1) * (of_alphas @ of_alphas))
    correlations: NDArray[np.float64] = np.zeros(norms.shape)
    np.divide(centred @ of_alphas, norms, out=correlations, where=norms > 0)
    return correlations


def _regrets(
    grid: AlphaGrid, metric: str, alpha: float, scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a fixed alpha loses against those validation chose, of scores (draws, J, alphas)."""
    sign, alphas = better_sign(metric), list(grid.labels)
    validation = sign * grid.scores(metric, alphas, "validation").to_numpy(dtype=np.float64)
    chosen = validation.argmax(axis=1)
    fixed = next(place for place, value in enumerate(alphas) if np.isclose(value, alpha))
    lost = scores[:, np.arange(len(chosen)), chosen] - scores[..., fixed]
    return np.asarray(sign * lost)


def _spearman(alphas: Sequence[float], scores: np.ndarray) -> float:
    """Spearman's rank correlation; NaN where all scores are equal."""
    if np.ptp(scores) == 0:
        return float("nan")
    return float(stats.spearmanr(alphas, scores).statistic)
