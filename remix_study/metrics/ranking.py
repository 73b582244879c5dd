"""Scores of the order of probabilities, and of their calibration, from one sort."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Number of bins of the calibration errors."""

_ROUNDING = 1e-9


class Ranking(NamedTuple):
    """Scores of each column, (K,); the first two are undefined for one that is all true or false.

    Attributes:
        auc: Area under the ROC curve.
        average_precision: Mean precision at the places of the column's own rows.
        calibration_error: Expected calibration error.
    """

    auc: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    calibration_error: NDArray[np.float64]


def rank_columns(
    truth: NDArray[np.bool_], p: NDArray[np.float64], weights: NDArray[np.float64]
) -> Ranking:
    """Score each column of probabilities against all others.

    Args:
        truth: (n, K) whether the row is of the column's class.
        p: (n, K) its probability.
        weights: (n,) weights of the rows, above 0.
    """
    n, n_columns = p.shape
    column = np.arange(n_columns)
    # Places in the flat arrays: to take from these is faster than to index two axes.
    order = np.argsort(-p, axis=0, kind="stable") * n_columns + column
    ranked, hit = p.ravel().take(order), truth.ravel().take(order)
    weight = weights.take(order // n_columns)
    hit_weight, miss_weight = np.where(hit, weight, 0.0), np.where(hit, 0.0, weight)
    hits, misses = np.cumsum(hit_weight, axis=0), np.cumsum(miss_weight, axis=0)
    hits_at_tail, misses_at_tail, misses_at_head = hits, misses, misses - miss_weight

    # Rows of equal probability form a run; head and tail are the run's first and last place.
    edge = np.ones((n + 1, n_columns), bool)
    edge[1:-1] = ranked[1:] != ranked[:-1]
    if not edge.all():
        place = np.arange(n * n_columns).reshape(n, n_columns)
        head = np.maximum.accumulate(np.where(edge[:-1], place, 0), axis=0)
        tail = np.minimum.accumulate(np.where(edge[1:], place, place[-1])[::-1], axis=0)[::-1]
        hits_at_tail, misses_at_tail = hits.ravel().take(tail), misses.ravel().take(tail)
        misses_at_head = misses_at_head.ravel().take(head)
    positives, negatives = _or_one(hits[-1]), _or_one(misses[-1])
    # Mann-Whitney: a positive wins against the negatives after its run and half of those in it.
    wins = (hit_weight * (misses[-1] - (misses_at_tail + misses_at_head) / 2)).sum(axis=0)
    at_tail = hits_at_tail + misses_at_tail
    precision = hits_at_tail / at_tail

    # Sums of weights that differ by rounding alone must not change a bin.
    total = hits[-1] + misses[-1]
    bin_number = np.floor((total - at_tail) * BINS / total + _ROUNDING)
    bin_of = np.minimum(bin_number, BINS - 1).astype(np.intp) + column * BINS
    gaps = (hit - ranked) * weight
    gap = np.bincount(bin_of.ravel(), gaps.ravel(), BINS * n_columns)
    return Ranking(
        wins / (positives * negatives),
        (hit_weight * precision).sum(axis=0) / positives,
        np.abs(gap.reshape(n_columns, BINS)).sum(axis=1) / total,
    )


def _or_one(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Totals to divide by: 1 in place of 0."""
    return np.where(totals > 0, totals, 1.0)
