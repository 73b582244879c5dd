"""The tilt of probabilities with the best value of a metric of predicted classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from remix_study.metrics import better_sign
from remix_study.metrics.class_scores import Confusion, class_scores
from remix_study.results.probabilities import SMALLEST, TILTS

OF_RECALLS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "g_mean": lambda recalls: recalls.prod(axis=-1) ** (1 / recalls.shape[-1]),
    "balanced_accuracy": lambda recalls: recalls.mean(axis=-1),
    "min_recall": lambda recalls: recalls.min(axis=-1),
}
"""Metrics made of the recalls of the classes that have rows, (..., K)."""


def best_tilt(
    y: NDArray[np.int32],
    p: NDArray[np.float64],
    shares: NDArray[np.float64],
    criterion: str,
    weights: NDArray[np.float64],
) -> float:
    """The tilt with the best value of a metric; among equals the nearest to 1."""
    if not len(y):
        return 1.0
    n_classes = len(shares)
    log_p, shift = np.log(np.maximum(p, SMALLEST)), np.log(shares)
    if n_classes == 2:
        odds = (log_p[:, 1] - log_p[:, 0])[None, :]
        predicted = (odds > (TILTS * (shift[1] - shift[0]))[:, None]).astype(np.intp)
    else:
        predicted = np.stack([(log_p - amount * shift).argmax(axis=1) for amount in TILTS])
    cells = (np.arange(len(TILTS))[:, None] * n_classes + y) * n_classes + predicted
    of_cells = np.tile(weights, len(TILTS))
    counts = np.bincount(cells.ravel(), of_cells, minlength=len(TILTS) * n_classes**2)
    matrices = counts.reshape(-1, n_classes, n_classes).astype(np.float64)
    values = better_sign(criterion) * _criterion(matrices, criterion)
    best = TILTS[values >= values.max() - 1e-12]
    return float(best[np.abs(best - 1).argmin()])


def _criterion(matrices: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """A metric of each of several confusion matrices, (m, K, K)."""
    confusion = Confusion(matrices)
    if metric not in OF_RECALLS:
        return class_scores(confusion)[metric]
    return OF_RECALLS[metric](confusion.recall()[:, confusion.actual[0] > 0])
