"""How scores change with alpha over a grid, and what a fixed alpha loses, with intervals.

Both need ReMix at several alphas. A slope and a rank correlation are computed in each fold and
averaged, so their intervals are the corrected ones of repeated cross-validation. The regret of a
fixed alpha is against the alpha that each fold's own validation part would have chosen: no row of
a test part takes part in that choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.results.alpha_grids import AlphaGrid, grid_alpha, regret
from remix_study.results.intervals import Interval, corrected_interval

FIXED_ALPHAS = (PUBLISHED_ALPHA, 0.3)
"""Alphas whose regret is computed."""


@dataclass(frozen=True, eq=False)
class AlphaTrend:
    """One metric over the alphas above zero of one problem.

    Attributes:
        grid: the alphas and their scores.
        metric: what was scored.
        slope: change of the score per unit of alpha, of a least-squares line a fold.
        correlation: Spearman's, of alpha and score; folds whose scores are all equal count as 0.
        correlation_of_means: Spearman's, of alpha and mean score; NaN if all means are equal.
        regrets: fixed alpha -> what it loses, above zero where it is worse; only alphas that
            were run.
    """

    grid: AlphaGrid
    metric: str
    slope: Interval
    correlation: Interval
    correlation_of_means: float
    regrets: dict[float, Interval]


def alpha_trends(grids: Sequence[AlphaGrid], metrics: Sequence[str]) -> tuple[AlphaTrend, ...]:
    """Compute the trend of every metric over every grid."""
    return tuple(_trend(grid, metric) for grid in grids for metric in metrics)


def table(trends: Sequence[AlphaTrend]) -> pd.DataFrame:
    """Table of trends: one line a problem and metric."""
    lines = []
    for trend in trends:
        line: dict[str, object] = {
            "study": trend.grid.comparison.study,
            "problem": trend.grid.comparison.problem,
            "metric": trend.metric,
            "alphas": len(trend.grid.labels),
            "folds": trend.slope.folds,
            "correlation_of_means": trend.correlation_of_means,
        }
        intervals = {"slope": trend.slope, "correlation": trend.correlation}
        intervals |= {f"regret_{alpha:g}": regret for alpha, regret in trend.regrets.items()}
        for name, interval in intervals.items():
            line |= {
                name: interval.mean,
                f"{name}_low": interval.low,
                f"{name}_high": interval.high,
            }
        lines.append(line)
    return pd.DataFrame(lines)


def _trend(grid: AlphaGrid, metric: str) -> AlphaTrend:
    alphas = list(grid.labels)
    scores = grid.scores(metric, alphas)
    by_fold = scores.to_numpy(dtype=np.float64)
    ratio = grid.comparison.ratio
    slopes = np.polyfit(alphas, by_fold.T, 1)[0]
    correlations = [_spearman(alphas, fold_scores) for fold_scores in by_fold]
    return AlphaTrend(
        grid=grid,
        metric=metric,
        slope=corrected_interval(slopes, ratio),
        correlation=corrected_interval(np.nan_to_num(correlations), ratio),
        correlation_of_means=_spearman(alphas, scores.mean().to_numpy(dtype=np.float64)),
        regrets={
            alpha: corrected_interval(
                regret(grid, metric, alpha).to_numpy(dtype=np.float64), ratio
            )
            for alpha in FIXED_ALPHAS
            if grid_alpha(grid, alpha) is not None
        },
    )


def _spearman(alphas: Sequence[float], scores: np.ndarray) -> float:
    """Spearman's rank correlation; NaN where all scores are equal."""
    if np.ptp(scores) == 0:
        return float("nan")
    return float(stats.spearmanr(alphas, scores).statistic)
