"""Intervals of a mean over folds: the corrected t interval, and the bootstrap's over test rows.

The folds of a repeated cross-validation share training rows, so their scores are not
independent and the usual standard error is too small. Nadeau and Bengio (2003) replace 1/J by
1/J + n_test/n_train; Bouckaert and Frank (2004) use it for repeated k-fold, with J - 1 degrees
of freedom for J folds in all. Test parts that are no repeated draws have the interval of
:mod:`remix_study.results.bootstrap`; :class:`remix_study.results.effects.Effects` decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from remix_study.metrics import EXTRA_METRICS, METRICS

CONFIDENCE = 0.95
_t_quantile = cache(stats.t.ppf)


@dataclass(frozen=True)
class Interval:
    """A mean over J folds, NaN without any, with its interval.

    Attributes:
        mean: of the folds.
        standard_error: corrected, or the standard deviation over draws; NaN with fewer than two
            folds without draws.
        low: its lower end.
        high: its upper end.
        folds: J.
        ratio: n_test / n_train of the correction; NaN for the bootstrap.
        draws: draws of test rows that it was made of; 0 for the corrected t interval.
        drawn_p: two-sided p-value from the draws, of the mean being zero.
    """

    mean: float
    standard_error: float
    low: float
    high: float
    folds: int
    ratio: float
    draws: int = 0
    drawn_p: float = math.nan

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


def bootstrap_interval(values: ArrayLike, draws: ArrayLike) -> Interval:
    """The mean over folds with the 95 % percentile interval of its draws.

    Args:
        values: (J,) one score or difference a fold.
        draws: (B,) the mean over folds of each draw of test rows.
    """
    means = np.asarray(draws, dtype=np.float64)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    # The draw that was made counts as one of them, so that no p-value is 0.
    least = min((means <= 0).sum(), (means >= 0).sum())
    return Interval(
        mean=float(np.mean(np.asarray(values, dtype=np.float64))),
        standard_error=float(means.std(ddof=1)),
        low=float(low),
        high=float(high),
        folds=np.size(values),
        ratio=math.nan,
        draws=len(means),
        drawn_p=min(1.0, 2 * (int(least) + 1) / (len(means) + 1)),
    )


def within_range(metric: str, interval: Interval) -> Interval:
    """The interval of a mean score, clipped to the range of its metric.

    A g-mean of 1.012 does not exist. The standard error stays as it is; differences have no such
    range and are never clipped.
    """
    low, high = np.clip((interval.low, interval.high), *score_range(metric))
    return replace(interval, low=float(low), high=float(high))


def score_interval(metric: str, scores: ArrayLike, ratio: float) -> Interval:
    """The corrected interval of a mean score, clipped to the range of its metric."""
    return within_range(metric, corrected_interval(scores, ratio))


def t_test(difference: Interval) -> tuple[float, float]:
    """Statistic and two-sided p-value of a difference, J - 1 degrees of freedom.

    A bootstrapped one has no statistic (NaN), and the p-value of its draws.
    """
    if difference.draws:
        return math.nan, difference.drawn_p
    if difference.standard_error == 0:
        if difference.mean == 0:
            return 0.0, 1.0
        return float(np.copysign(np.inf, difference.mean)), 0.0
    t = difference.mean / difference.standard_error
    # As scipy.stats computes it, which takes a hundred times as long.
    return t, float(2 * special.stdtr(difference.folds - 1, -abs(t)))
