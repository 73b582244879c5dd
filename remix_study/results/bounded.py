"""Intervals of scores end where the scores end: a g-mean of 1.012 does not exist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from remix_study.metrics import METRICS
from remix_study.results.intervals import Interval, corrected_interval


def score_range(metric: str) -> tuple[float, float]:
    """The lowest and the highest value of a metric; per-class ones such as `recall_0` too."""
    known = METRICS.get(metric)
    return 0.0, max(1.0, known.worst) if known is not None else 1.0


def score_interval(metric: str, scores: ArrayLike, ratio: float) -> Interval:
    """The corrected interval of a mean score, clipped to the range of its metric.

    The standard error stays what it is. Differences have no such range and are never clipped.

    Args:
        metric: what was scored.
        scores: (J,) one a fold.
        ratio: n_test / n_train of the correction.
    """
    found = corrected_interval(scores, ratio)
    low, high = np.clip((found.low, found.high), *score_range(metric))
    return replace(found, low=float(low), high=float(high))
