"""Effects: mean scores, and differences of two methods, each with its corrected interval.

Whoever shows a score or a difference takes it from here: :class:`Effects` computes each once for
one problem and keeps it. Differences are paired by fold, with Nadeau and Bengio's correction for
repeated cross-validation (see `intervals`). Holm's adjustment is over all methods that are
compared with one reference on one problem in one metric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.metrics import better_or_worse
from remix_study.results.intervals import Interval, paired_interval, score_interval
from remix_study.results.significance import LEVEL, holm

Relation = Literal["better", "worse", "unclear"]
"""How one method compares with another; "unclear" where the interval holds zero."""


@dataclass(frozen=True)
class Score:
    """A method's mean score in one metric on one problem.

    Attributes:
        interval: mean over the folds with its corrected interval, within the metric's range.
        standard_deviation: over the folds; NaN with one fold.
        folds_at_zero: number of folds with a score of exactly 0.
    """

    method: str
    metric: str
    interval: Interval
    standard_deviation: float
    folds_at_zero: int

    @property
    def mean(self) -> float:
        """Mean over the folds."""
        return self.interval.mean


@dataclass(frozen=True)
class Difference:
    """One method minus another in one metric on one problem, paired by fold.

    Attributes:
        method: label of the method.
        against: label of the method that is subtracted.
        interval: mean difference with its corrected interval.
        holm_p: p-value adjusted within its family; NaN outside of `Effects.family`.
    """

    method: str
    against: str
    metric: str
    interval: Interval
    holm_p: float = math.nan

    @property
    def mean(self) -> float:
        """Mean difference over the folds."""
        return self.interval.mean

    @property
    def relation(self) -> Relation:
        """Whether the method is better or worse; "unclear" where the interval holds zero."""
        return self.direction if self.interval.excludes_zero else "unclear"

    @property
    def direction(self) -> Literal["better", "worse"]:
        """Whether the mean difference is for the better, whatever its interval."""
        return better_or_worse(self.metric, self.mean)

    @property
    def relation_after_holm(self) -> Relation:
        """Whether the method is better or worse by Holm's p-value; "unclear" outside a family."""
        return self.direction if self.holm_p <= LEVEL else "unclear"

    @property
    def degrees_of_freedom(self) -> int:
        """Of the t distribution: folds minus one."""
        return self.interval.folds - 1

    @property
    def t(self) -> float:
        """Corrected resampled t statistic; infinite where every fold has the same difference."""
        return t_test(self.interval)[0]

    @property
    def p(self) -> float:
        """Two-sided p-value of `t`."""
        return t_test(self.interval)[1]


def t_test(difference: Interval) -> tuple[float, float]:
    """Statistic and two-sided p-value of a corrected difference, J - 1 degrees of freedom."""
    if difference.standard_error == 0:
        if difference.mean == 0:
            return 0.0, 1.0
        return float(np.copysign(np.inf, difference.mean)), 0.0
    t = difference.mean / difference.standard_error
    return t, float(2 * stats.t.sf(abs(t), difference.folds - 1))


def with_holm(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The differences with p-values adjusted over them."""
    adjusted = holm([difference.p for difference in differences])
    return tuple(
        replace(difference, holm_p=float(p))
        for difference, p in zip(differences, adjusted, strict=True)
    )


_NO_SCORES = pd.DataFrame()


class Effects:
    """Scores and differences of the methods of one problem, each computed once.

    Args:
        scores: (part, metric) -> (folds, methods) frame; NaN where a fold failed.
        ratio: n_test / n_train of the corrected standard error.
        part: the scored part, whose rows `ratio` counts as n_test.
    """

    def __init__(
        self, scores: Mapping[tuple[str, str], pd.DataFrame], ratio: float, part: str = "test"
    ) -> None:
        self._frames, self._ratio, self._part = scores, ratio, part
        self._by_fold: dict[tuple[str, str], pd.Series[float]] = {}
        self._scores: dict[tuple[str, str], Score | None] = {}
        self._differences: dict[tuple[str, str, str], Difference | None] = {}

    def by_fold(self, method: str, metric: str) -> pd.Series[float]:
        """Scores of a method by (repeat, fold), without folds that have none."""
        key = method, metric
        if key not in self._by_fold:
            frame = self._frames.get((self._part, metric), _NO_SCORES)
            has_scores = method in frame
            self._by_fold[key] = frame[method].dropna() if has_scores else pd.Series(dtype=float)
        return self._by_fold[key]

    def score(self, method: str, metric: str) -> Score | None:
        """The mean score of a method; None where it has none in this metric.

        Args:
            method: label of the method.
            metric: name of the metric.
        """
        key = method, metric
        if key not in self._scores:
            self._scores[key] = self._make_score(*key)
        return self._scores[key]

    def difference(self, method: str, against: str, metric: str) -> Difference | None:
        """One method minus another, by their labels; None where one has no such score."""
        key = method, against, metric
        if key not in self._differences:
            first, second = self.by_fold(method, metric), self.by_fold(against, metric)
            self._differences[key] = (
                Difference(*key, paired_interval(first, second, self._ratio))
                if len(first) and len(second)
                else None
            )
        return self._differences[key]

    def family(self, methods: Sequence[str], against: str, metric: str) -> tuple[Difference, ...]:
        """The differences of all methods to one, with Holm's p-values over them.

        Args:
            methods: labels; `against` itself is left out, and methods with fewer than two folds.
            against: label of the reference.
            metric: name of the metric.
        """
        differences = [
            difference
            for method in methods
            if method != against
            and (difference := self.difference(method, against, metric))
            and difference.interval.folds >= 2
        ]
        return with_holm(differences)

    def _make_score(self, method: str, metric: str) -> Score | None:
        scores = self.by_fold(method, metric)
        if scores.empty:
            return None
        return Score(
            method=method,
            metric=metric,
            interval=score_interval(metric, scores, self._ratio),
            standard_deviation=float(scores.std(ddof=1)) if len(scores) > 1 else math.nan,
            folds_at_zero=int((scores == 0).sum()),
        )
