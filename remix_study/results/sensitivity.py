"""How scores depend on alpha: curves of any mixing strategy.

No mixing is a strategy of its own: ReMix at alpha 0 is `balance`, MixUp at alpha 0 is `baseline`.
The point at alpha 0 of a curve is that strategy's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference, Relation, Score
from remix_study.results.intervals import corrected_interval
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

    The family is the strategy's name, or the parts of a composed one. Settings are what else the
    study varies; the label has them, too, and the name has the imbalance in words and them. The
    first point is alpha 0 if that was run.
    """

    comparison: Comparison
    family: str
    settings: str
    label: str
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
            label, name = (
                ", ".join(filter(None, (text, settings)))
                for text in (family, comparison.imbalance_name)
            )
            curves += [
                SensitivityCurve(
                    comparison, family, settings, label, name, m, _points(comparison, methods, m)
                )
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
