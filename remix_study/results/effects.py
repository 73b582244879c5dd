"""Effects: mean scores, and differences of two methods, each with its corrected interval.

Whoever shows a score or a difference takes it from here: :class:`Effects` computes each once for
one problem and keeps it. Differences are paired by fold. Holm's adjustment is over all methods
that are compared with one reference on one problem in one metric.

The folds of a repeated cross-validation share training rows, so their scores are not
independent and the usual standard error is too small. Nadeau and Bengio (2003) replace 1/J by
1/J + n_test/n_train; Bouckaert and Frank (2004) use it for repeated k-fold, with J - 1 degrees
of freedom for J folds in all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from remix_study.metrics import EXTRA_METRICS, METRICS, better_or_worse
from remix_study.results.significance import LEVEL, holm

CONFIDENCE = 0.95
_t_quantile = cache(stats.t.ppf)


@dataclass(frozen=True)
class Interval:
    """A mean over J folds, NaN without any, with its corrected interval.

    The corrected standard error is NaN with fewer than two folds, the ratio is n_test / n_train.
    """

    mean: float
    standard_error: float
    low: float
    high: float
    folds: int
    ratio: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval; never with fewer than two folds."""
        return bool(self.low > 0 or self.high < 0)


def influence_ratio(
    n_train: ArrayLike, n_validation: ArrayLike, n_test: ArrayLike, *, early_stopping: bool
) -> float:
    """The n_test / n_train of the correction, from the sizes of each fold's parts.

    Training rows are those that influenced the network: its weights, and with early stopping
    also the epoch at which it ended. Two-fold with 30 % validation gives 1.0 with early stopping
    and 1/0.7 = 1.43 without.
    """
    influenced = float(np.mean(np.asarray(n_train, dtype=np.float64)))
    if early_stopping:
        influenced += float(np.mean(np.asarray(n_validation, dtype=np.float64)))
    return float(np.mean(np.asarray(n_test, dtype=np.float64))) / influenced


def _present(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]


def corrected_standard_error(values: ArrayLike, ratio: float) -> float:
    """Standard error of a mean of (J,) values: sqrt((1/J + ratio) s^2); NaN below two folds."""
    present = _present(values)
    if len(present) < 2:
        return float("nan")
    return float(np.sqrt((1 / len(present) + ratio) * np.var(present, ddof=1)))


def corrected_interval(values: ArrayLike, ratio: float) -> Interval:
    """The mean over folds with its corrected 95 % t interval, J - 1 degrees of freedom.

    Of (J,) values, one score or difference a fold, those that are not finite are left out.
    """
    present = _present(values)
    folds = len(present)
    mean = float(np.mean(present)) if folds else float("nan")
    error = corrected_standard_error(present, ratio)
    reach = error * float(_t_quantile((1 + CONFIDENCE) / 2, folds - 1)) if folds > 1 else np.nan
    return Interval(mean, error, mean - reach, mean + reach, folds, ratio)


def paired_interval(first: pd.Series[Any], second: pd.Series[Any], ratio: float) -> Interval:
    """The corrected interval of first - second over the folds that both have, by their index."""
    if first.index is not second.index:
        first, second = first.align(second, join="inner")
    differences = first.to_numpy(dtype=np.float64) - second.to_numpy(dtype=np.float64)
    return corrected_interval(differences, ratio)


def score_range(metric: str) -> tuple[float, float]:
    """The lowest and the highest value of a metric; per-class ones such as `recall_0` too."""
    definition = METRICS.get(metric) or EXTRA_METRICS.get(metric)
    return definition.bounds if definition else (0.0, 1.0)


def score_interval(metric: str, scores: ArrayLike, ratio: float) -> Interval:
    """The corrected interval of a mean score, clipped to the range of its metric.

    A g-mean of 1.012 does not exist. The standard error stays as it is; differences have no such
    range and are never clipped.
    """
    interval = corrected_interval(scores, ratio)
    low, high = np.clip((interval.low, interval.high), *score_range(metric))
    return replace(interval, low=float(low), high=float(high))


Relation = Literal["better", "worse", "unclear"]
"""How one method compares with another; "unclear" where the interval holds zero."""


@dataclass(frozen=True)
class Score:
    """A method's mean score in one metric on one problem.

    The interval lies within the metric's range; the standard deviation over the folds is NaN with
    one fold.
    """

    method: str
    metric: str
    interval: Interval
    standard_deviation: float
    folds_at_zero: int

    @property
    def mean(self) -> float:
        return self.interval.mean


@dataclass(frozen=True)
class Difference:
    """One method minus another in one metric on one problem, paired by fold.

    Methods are given by their labels; `against` is subtracted. `holm_p` is the p-value adjusted
    within its family, NaN outside of `Effects.family`.
    """

    method: str
    against: str
    metric: str
    interval: Interval
    holm_p: float = math.nan

    @property
    def mean(self) -> float:
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
        self._tables: dict[str, tuple[dict[str, int], NDArray[np.float64]]] = {}
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

    def _column(self, method: str, metric: str) -> NDArray[np.float64] | None:
        """Scores of a method, (folds,) with NaN where there is none; None if it has no score."""
        if metric not in self._tables:
            # As an array: pandas takes many times as long for each of a page's many columns.
            frame = self._frames.get((self._part, metric), _NO_SCORES)
            places = {str(label): place for place, label in enumerate(frame)}
            self._tables[metric] = places, frame.to_numpy(dtype=np.float64)
        places, table = self._tables[metric]
        if method not in places:
            return None
        scores: NDArray[np.float64] = table[:, places[method]]
        return None if np.isnan(scores).all() else scores

    def score(self, method: str, metric: str) -> Score | None:
        """The mean score of a method, by its label; None where it has none in this metric."""
        key = method, metric
        if key not in self._scores:
            column = self._column(method, metric)
            if column is None:
                self._scores[key] = None
            else:
                scores = column[~np.isnan(column)]
                deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan
                interval = score_interval(metric, scores, self._ratio)
                self._scores[key] = Score(*key, interval, deviation, int((scores == 0).sum()))
        return self._scores[key]

    def difference(self, method: str, against: str, metric: str) -> Difference | None:
        """One method minus another, by their labels; None where one has no such score."""
        key = method, against, metric
        if key not in self._differences:
            first, second = self._column(method, metric), self._column(against, metric)
            self._differences[key] = (
                None
                if first is None or second is None
                else Difference(*key, corrected_interval(first - second, self._ratio))
            )
        return self._differences[key]

    def differences(
        self, method: str, against: str, metrics: Iterable[str]
    ) -> dict[str, Difference]:
        """Metric -> one method minus another, in those of the metrics that both have."""
        by_metric = {metric: self.difference(method, against, metric) for metric in metrics}
        return {metric: difference for metric, difference in by_metric.items() if difference}

    def family(self, methods: Sequence[str], against: str, metric: str) -> tuple[Difference, ...]:
        """The differences of all methods to one, by their labels, with Holm's p-values over them.

        The reference itself is left out, and methods with fewer than two folds.
        """
        differences = [
            difference
            for method in methods
            if method != against
            and (difference := self.difference(method, against, metric))
            and difference.interval.folds >= 2
        ]
        return with_holm(differences)
