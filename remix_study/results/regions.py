"""Regions of practical equivalence on a problem, and what constant answers cost there."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from remix_study.metrics import better_sign, find_metric, rope_of
from remix_study.results.aims import COST, report_keys, study_costs
from remix_study.results.comparison import Comparison


def region_of(comparison: Comparison, metric: str) -> float:
    """Half the width of a metric's region of practical equivalence on a problem.

    It is what the study file says; else for ``cost`` a hundredth of the cost of always giving the
    cheaper answer, for a metric without bounds a hundredth of what the best method is above its
    worst value on validation parts, and for others what `remix_study.metrics.ROPES` has.
    """
    stated = report_keys(comparison.info, "rope")
    if metric in stated:
        return float(stated[metric])
    costs = study_costs(comparison.info)
    if metric == COST and costs is not None:
        constant = constant_costs(comparison, costs)
        return float(constant.min() or constant.max()) / 100
    if math.isfinite(rope_of(metric)):
        return rope_of(metric)
    sign, worst = better_sign(metric), find_metric(metric).worst
    scores = [comparison.score(m.label, metric, "validation") for m in comparison.methods]
    gains = [sign * (float(by_fold.mean()) - worst) for by_fold in scores if len(by_fold)]
    return max([gain for gain in gains if gain > 0], default=1.0) / 100


def constant_costs(comparison: Comparison, costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) cost of a row where each is decided for one class, at the class shares of the data."""
    shares = np.stack([np.asarray(prior) for prior in comparison.folds["natural_prior"]])
    return np.asarray(shares.mean(axis=0) @ costs, dtype=np.float64)
