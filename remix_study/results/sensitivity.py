"""How each objective depends on alpha, and what alpha changes against no mixing at all.

No mixing is a strategy of its own: ReMix at alpha 0 is `balance`, MixUp at alpha 0 is
`baseline`. Each is one run, so the zero of a curve is taken from that row.
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
    """One alpha of a curve; `difference` to alpha 0 is None at 0 and where 0 was not run."""

    alpha: float
    method: str
    score: Interval
    difference: Interval | None


@dataclass(frozen=True, eq=False)
class SensitivityCurve:
    """One metric against alpha for one mixing strategy on one problem.

    Attributes:
        family: the strategy's name, or the parts of a composed one.
        name: the imbalance in words, with what else the study varies.
        points: by alpha; the first is alpha 0 if that was run.
    """

    comparison: Comparison
    family: str
    name: str
    metric: str
    points: tuple[CurvePoint, ...]

    @property
    def has_zero(self) -> bool:
        return self.points[0].alpha == 0

    @property
    def has_several_alphas(self) -> bool:
        """Whether more than one alpha above zero was run, so that there is a curve to see."""
        return sum(point.alpha > 0 for point in self.points) > 1


def sensitivity_curves(comparisons: Sequence[Comparison]) -> tuple[SensitivityCurve, ...]:
    """Every objective against alpha, for each mixing strategy of each planned problem."""
    found = []
    for comparison in comparisons:
        mixing = [row for row in comparison.methods if row.alpha is not None]
        if not comparison.is_grid:
            continue
        for family, settings in dict.fromkeys((row.family, row.settings) for row in mixing):
            rows = [row for row in mixing if (row.family, row.settings) == (family, settings)]
            name = ", ".join(filter(None, (comparison.imbalance_name, settings)))
            for metric in comparison.objectives:
                points = _points(comparison, rows, metric)
                if any(point.alpha > 0 for point in points):
                    found.append(SensitivityCurve(comparison, family, name, metric, points))
    return tuple(found)


def table(found: Sequence[SensitivityCurve]) -> pd.DataFrame:
    """One line a problem, strategy, metric and alpha, with both intervals."""
    lines = [
        {
            "study": curve.comparison.study,
            "problem": curve.comparison.problem,
            "dataset": str(curve.comparison.info["dataset"]),
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
        for curve in found
        for point in curve.points
    ]
    return pd.DataFrame(lines)


def _points(comparison: Comparison, rows: Sequence[Method], metric: str) -> tuple[CurvePoint, ...]:
    by_alpha = {row.alpha: row for row in rows if row.alpha is not None}
    unmixed = comparison.unmixed(rows[0])
    if unmixed is not None:
        by_alpha.setdefault(0.0, unmixed)
    zero = by_alpha.get(0.0)
    at_zero = comparison.score(zero.label, metric) if zero else None
    points = []
    for alpha, row in sorted(by_alpha.items()):
        scores = comparison.score(row.label, metric)
        if scores.empty:
            continue
        change = None
        if alpha > 0 and at_zero is not None and not at_zero.empty:
            change = paired_interval(scores, at_zero, comparison.ratio)
        score = score_interval(metric, scores, comparison.ratio)
        points.append(CurvePoint(alpha, row.label, score, change))
    return tuple(points)
