"""How scores follow alpha over the whole grid, and what a fixed alpha loses.

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


@dataclass(frozen=True, eq=False)
class AlphaTrend:
    """One metric over the alphas above zero of one problem.

    Attributes:
        slope: change of the score with alpha by one, of a least-squares line a fold.
        correlation: Spearman's, of alpha and score; folds whose scores are all equal count as 0.
        of_means: Spearman's correlation of alpha and mean score; NaN if all means are equal.
        regrets: fixed alpha -> what it loses, above zero where it is worse; only alphas that
            were run.
    """

    grid: AlphaGrid
    metric: str
    slope: Interval
    correlation: Interval
    of_means: float
    regrets: dict[float, Interval]


def alpha_trends(grids: Sequence[AlphaGrid], metrics: Sequence[str]) -> tuple[AlphaTrend, ...]:
    """Every metric of every grid."""
    return tuple(_trend(grid, metric) for grid in grids for metric in metrics)


def table(found: Sequence[AlphaTrend]) -> pd.DataFrame:
    """One line a problem and metric."""
    lines = []
    for made in found:
        line: dict[str, object] = {
            "study": made.grid.comparison.study,
            "problem": made.grid.comparison.problem,
            "metric": made.metric,
            "alphas": len(made.grid.labels),
            "folds": made.slope.folds,
            "correlation_of_means": made.of_means,
        }
        named = {"slope": made.slope, "correlation": made.correlation}
        named |= {f"regret_{alpha:g}": made.regrets[alpha] for alpha in made.regrets}
        for name, interval in named.items():
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
    values = scores.to_numpy(dtype=np.float64)
    ratio = grid.comparison.ratio
    slopes = np.polyfit(alphas, values.T, 1)[0]
    correlations = [_spearman(alphas, line) for line in values]
    return AlphaTrend(
        grid,
        metric,
        corrected_interval(slopes, ratio),
        corrected_interval(np.nan_to_num(correlations), ratio),
        _spearman(alphas, scores.mean().to_numpy(dtype=np.float64)),
        {
            alpha: corrected_interval(
                regret(grid, metric, alpha).to_numpy(dtype=np.float64), ratio
            )
            for alpha in FIXED_ALPHAS
            if grid_alpha(grid, alpha) is not None
        },
    )


def _spearman(alphas: Sequence[float], scores: np.ndarray) -> float:
    if np.ptp(scores) == 0:
        return float("nan")
    return float(stats.spearmanr(alphas, scores).statistic)
