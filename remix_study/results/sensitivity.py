"""How scores depend on alpha: curves of any mixing strategy, and trends of ReMix over a grid.

No mixing is a strategy of its own: ReMix at alpha 0 is `balance`, MixUp at alpha 0 is `baseline`.
The point at alpha 0 of a curve is that strategy's.

Slopes, rank correlations and regrets of a grid are taken in each fold and averaged, so their
intervals are the corrected ones of repeated cross-validation. The regret of a fixed alpha is
against the alpha that each fold's own validation part would have chosen: no row of a test part
takes part in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import PUBLISHED_METRICS, better_or_worse, better_sign
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference, Interval, Relation, Score, corrected_interval
from remix_study.results.methods import Method

_NOT_RUN = corrected_interval((), math.nan)


@dataclass(frozen=True)
class CurvePoint:
    """One alpha of a curve; `difference` to alpha 0 is None at 0 and where 0 was not run."""

    alpha: float
    score: Score
    difference: Difference | None


@dataclass(frozen=True, eq=False)
class SensitivityCurve:
    """One metric against ascending alpha for one mixing strategy on one problem.

    The family is the strategy's name, or the parts of a composed one. The name has the imbalance
    in words, with what else the study varies. The first point is alpha 0 if that was run.
    """

    comparison: Comparison
    family: str
    name: str
    metric: str
    points: tuple[CurvePoint, ...]

    @property
    def alphas(self) -> list[float]:
        """The alphas above zero."""
        return [point.alpha for point in self.points if point.alpha > 0]

    @property
    def has_several_alphas(self) -> bool:
        return len(self.alphas) > 1

    @property
    def largest(self) -> CurvePoint | None:
        """The point with the largest difference to alpha 0; None if alpha 0 was not run."""
        sizes = [(abs(p.difference.mean), p) for p in self.points if p.difference]
        return max(sizes, key=lambda size: size[0])[1] if sizes else None

    def alphas_told_from_zero(self, relation: Relation) -> list[float]:
        """The alphas that are "better" or "worse" than alpha 0, or "unclear"."""
        return [p.alpha for p in self.points if p.difference and p.difference.relation == relation]


def sensitivity_curves(comparisons: Sequence[Comparison]) -> tuple[SensitivityCurve, ...]:
    """Make the curves of each objective, for each mixing strategy of each planned problem."""
    curves = []
    for comparison in comparisons:
        mixed = [m for m in comparison.methods if comparison.is_grid and m.alpha is not None]
        by_family = grouped(mixed, lambda method: (method.family, method.settings))
        for (family, settings), methods in by_family.items():
            name = ", ".join(filter(None, (comparison.imbalance_name, settings)))
            curves += [
                SensitivityCurve(comparison, family, name, m, _points(comparison, methods, m))
                for m in comparison.objectives
            ]
    return tuple(curve for curve in curves if curve.alphas)


def _points(
    comparison: Comparison, methods: Sequence[Method], metric: str
) -> tuple[CurvePoint, ...]:
    labels = {method.alpha: method.label for method in methods if method.alpha is not None}
    if unmixed := comparison.unmixed(methods[0]):
        labels.setdefault(0.0, unmixed.label)
    effects, zero = comparison.effects, labels.get(0.0)
    return tuple(
        CurvePoint(
            alpha, score, effects.difference(label, zero, metric) if alpha and zero else None
        )
        for alpha, label in sorted(labels.items())
        if (score := effects.score(label, metric))
    )


def table(curves: Sequence[SensitivityCurve]) -> pd.DataFrame:
    """Table of curves: one line a problem, strategy, metric and alpha, with both intervals."""
    return frame_of(
        (
            Record(
                curve=curve,
                point=point,
                score=point.score.interval,
                change=point.difference.interval if point.difference else _NOT_RUN,
            )
            for curve in curves
            for point in curve.points
        ),
        """study=curve.comparison.study problem=curve.comparison.problem
        dataset=curve.comparison.dataset imbalance=curve.name strategy=curve.family
        metric=curve.metric alpha=point.alpha row=point.score.method folds=score.folds
        mean=score.mean corrected_se=score.standard_error difference_to_zero=change.mean
        difference_low=change.low difference_high=change.high""",
    )


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
    alphas, ratio = list(grid.labels), grid.comparison.ratio
    scores = grid.scores(metric, alphas)
    correlations = [_spearman(alphas, by_fold) for by_fold in scores.to_numpy(dtype=np.float64)]
    return AlphaTrend(
        grid=grid,
        metric=metric,
        slope=corrected_interval(slopes_by_fold(grid, metric), ratio),
        correlation=corrected_interval(np.nan_to_num(correlations), ratio),
        correlation_of_means=_spearman(alphas, scores.mean().to_numpy(dtype=np.float64)),
        regrets={
            alpha: corrected_interval(regret(grid, metric, alpha), ratio)
            for alpha in FIXED_ALPHAS
            if grid_alpha(grid, alpha) is not None
        },
    )


def _spearman(alphas: Sequence[float], scores: np.ndarray) -> float:
    """Spearman's rank correlation; NaN where all scores are equal."""
    if np.ptp(scores) == 0:
        return float("nan")
    return float(stats.spearmanr(alphas, scores).statistic)
