"""Means and their intervals under repeated cross-validation, which reuses its rows.

The folds of a repeated cross-validation share training rows, so their scores are not
independent and the usual standard error is too small. Nadeau and Bengio (2003) replace 1/J by
1/J + n_test/n_train; Bouckaert and Frank (2004) use it for repeated k-fold, with J - 1 degrees
of freedom for J folds in all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from remix_study.metrics import EXTRA_METRICS, METRICS

CONFIDENCE = 0.95
_t_quantile = cache(stats.t.ppf)


@dataclass(frozen=True)
class Interval:
    """A mean over folds with its corrected interval.

    Attributes:
        mean: NaN without any fold.
        standard_error: corrected standard error of the mean, NaN with fewer than two folds.
        folds: number J of folds that have a value.
        ratio: n_test / n_train used in the correction.
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

    Args:
        n_train: (J,) rows that trained the weights.
        n_validation: (J,) rows of the validation part.
        n_test: (J,) rows of the test part.
        early_stopping: whether the validation part decided when training ended.
    """
    influenced = float(np.mean(np.asarray(n_train, dtype=np.float64)))
    if early_stopping:
        influenced += float(np.mean(np.asarray(n_validation, dtype=np.float64)))
    return float(np.mean(np.asarray(n_test, dtype=np.float64))) / influenced


def _present(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]


def corrected_standard_error(values: ArrayLike, ratio: float) -> float:
    """Standard error of a mean over folds: sqrt((1/J + n_test/n_train) s^2); NaN below two.

    Args:
        values: (J,) one score or difference a fold; values that are not finite are left out.
        ratio: n_test / n_train, see `influence_ratio`.
    """
    present = _present(values)
    if len(present) < 2:
        return float("nan")
    return float(np.sqrt((1 / len(present) + ratio) * np.var(present, ddof=1)))


def corrected_interval(values: ArrayLike, ratio: float) -> Interval:
    """The mean over folds with its corrected 95 % t interval, J - 1 degrees of freedom.

    Args:
        values: (J,) one score or difference a fold; values that are not finite are left out.
        ratio: n_test / n_train, see `influence_ratio`.
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
    known = METRICS.get(metric) or EXTRA_METRICS.get(metric)
    return known.bounds if known else (0.0, 1.0)


def score_interval(metric: str, scores: ArrayLike, ratio: float) -> Interval:
    """The corrected interval of a mean score, clipped to the range of its metric.

    A g-mean of 1.012 does not exist. The standard error stays as it is; differences have no such
    range and are never clipped.
    """
    interval = corrected_interval(scores, ratio)
    low, high = np.clip((interval.low, interval.high), *score_range(metric))
    return replace(interval, low=float(low), high=float(high))
