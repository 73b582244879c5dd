"""How each objective depends on alpha, and what mixing changes against none.

No mixing is a strategy of its own: ReMix at alpha 0 is `balance`, MixUp at alpha 0 is `baseline`.
The point at alpha 0 of a curve is that strategy's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.results.comparison import Comparison
from remix_study.results.intervals import Interval, paired_interval, score_interval
from remix_study.results.methods import Method


@dataclass(frozen=True)
class CurvePoint:
    """One alpha of a curve.

    Attributes:
        alpha: 0 without mixing.
        method: label of the method.
        score: mean test score with its corrected interval.
        difference: score minus that at alpha 0; None at 0 and where 0 was not run.
    """

    alpha: float
    method: str
    score: Interval
    difference: Interval | None


@dataclass(frozen=True, eq=False)
class SensitivityCurve:
    """One metric against alpha for one mixing strategy on one problem.

    Attributes:
        comparison: the problem.
        family: the strategy's name, or the parts of a composed one.
        name: the imbalance in words, with what else the study varies.
        metric: what was scored.
        points: by ascending alpha; the first is alpha 0 if that was run.
    """

    comparison: Comparison
    family: str
    name: str
    metric: str
    points: tuple[CurvePoint, ...]

    @property
    def has_zero(self) -> bool:
        """Whether the strategy without mixing was run."""
        return self.points[0].alpha == 0

    @property
    def has_several_alphas(self) -> bool:
        """Whether more than one alpha above zero was run."""
        return sum(point.alpha > 0 for point in self.points) > 1


def sensitivity_curves(comparisons: Sequence[Comparison]) -> tuple[SensitivityCurve, ...]:
    """Make the curves of each objective, for each mixing strategy of each planned problem."""
    curves = []
    for comparison in comparisons:
        if not comparison.is_grid:
            continue
        by_family: dict[tuple[str, str], list[Method]] = {}
        for method in comparison.methods:
            if method.alpha is not None:
                by_family.setdefault((method.family, method.settings), []).append(method)
        for (family, settings), methods in by_family.items():
            name = ", ".join(filter(None, (comparison.imbalance_name, settings)))
            for metric in comparison.objectives:
                points = _points(comparison, methods, metric)
                if any(point.alpha > 0 for point in points):
                    curves.append(SensitivityCurve(comparison, family, name, metric, points))
    return tuple(curves)


def table(curves: Sequence[SensitivityCurve]) -> pd.DataFrame:
    """Table of curves: one line a problem, strategy, metric and alpha, with both intervals."""
    lines = [
        {
            "study": curve.comparison.study,
            "problem": curve.comparison.problem,
            "dataset": curve.comparison.dataset,
            "imbalance": curve.name,
            "strategy": curve.family,
            "metric": curve.metric,
            "alpha": point.alpha,
            "row": point.method,
            "folds": point.score.folds,
            "mean": point.score.mean,
            "corrected_se": point.score.standard_error,
            "difference_to_zero": point.difference.mean if point.difference else math.nan,
            "difference_low": point.difference.low if point.difference else math.nan,
            "difference_high": point.difference.high if point.difference else math.nan,
        }
        for curve in curves
        for point in curve.points
    ]
    return pd.DataFrame(lines)


def _points(
    comparison: Comparison, methods: Sequence[Method], metric: str
) -> tuple[CurvePoint, ...]:
    by_alpha = {method.alpha: method for method in methods if method.alpha is not None}
    unmixed = comparison.unmixed(methods[0])
    if unmixed is not None:
        by_alpha.setdefault(0.0, unmixed)
    scores_at_zero = pd.Series(dtype=float)
    if 0.0 in by_alpha:
        scores_at_zero = comparison.score(by_alpha[0.0].label, metric)
    points = []
    for alpha, method in sorted(by_alpha.items()):
        scores = comparison.score(method.label, metric)
        if scores.empty:
            continue
        difference = None
        if alpha > 0 and not scores_at_zero.empty:
            difference = paired_interval(scores, scores_at_zero, comparison.ratio)
        interval = score_interval(metric, scores, comparison.ratio)
        points.append(CurvePoint(alpha, method.label, interval, difference))
    return tuple(points)
