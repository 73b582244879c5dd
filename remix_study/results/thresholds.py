"""Choosing decision rules on validation rows: a threshold for two classes, a tilt for more.

The threshold of a method is chosen on the validation rows of all its folds together: those of one
fold often hold a few rare rows only. A fold's test rows may be validation rows of another fold, so
the threshold that its test part is scored with is chosen without them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.losses import RowWeights
from remix_study.metrics.class_scores import RARE
from remix_study.results.aims import Aim
from remix_study.results.probabilities import SMALLEST, TILTS, Part

MOST_THRESHOLDS = 2000
"""Thresholds to choose from; of more rare rows those at even ranks."""

_STEP = 8  # Tilts from one to the next that all rows are decided at


class PooledRows:
    """Validation rows of all folds of a method on a problem of two classes.

    A threshold lies halfway between the probability of a rare row and the next lower one of any
    row: a lower one adds false alarms and no hit. The last threshold is above all rows.

    Args:
        parts: Validation parts of the folds.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.ids = np.concatenate([part[0] for part in parts])
        self.y = np.concatenate([part[1] for part in parts])
        self.p = np.concatenate([part[2][:, RARE] for part in parts])
        self.weights = np.concatenate(
            [np.ones(len(y)) if weights is None else weights for _, y, _, weights in parts]
        )
        values = np.unique(self.p)
        places = np.searchsorted(values, np.unique(self.p[self.y == RARE]))
        if len(places) > MOST_THRESHOLDS:
            places = places[np.linspace(0, len(places) - 1, MOST_THRESHOLDS).astype(int)]
        lower = np.append(0.0, values)[places]
        last = (values[-1] + 1) / 2 if values[-1] < 1 else np.nextafter(1, 2)
        self.thresholds = np.append((values[places] + lower) / 2, last)
        self._reached = np.searchsorted(self.thresholds, self.p, side="right")

    def choose(self, aim: Aim, rows: NDArray[np.bool_] | None = None) -> float:
        """The threshold with the best value on some of the rows; all when None.

        Among equals it is the nearest to the one that right probabilities ask for.
        """
        return self.best(self.confusions(rows), aim)

    def best(self, matrices: NDArray[np.float64], aim: Aim) -> float:
        """The threshold whose confusion matrix, as `confusions` gives them, is the best."""
        values = aim.values(matrices)
        best = self.thresholds[values >= values.max() - 1e-12]
        return float(best[np.abs(best - aim.usual_threshold).argmin()])

    def confusions(self, rows: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Confusion matrices (m, 2, 2) of the m thresholds on some of the rows."""
        weights = self.weights if rows is None else self.weights * rows
        n_bins = len(self.thresholds) + 1
        counts = np.bincount(self.y * n_bins + self._reached, weights, 2 * n_bins)
        # A row is predicted rare by the thresholds that it reaches.
        reached = counts.reshape(2, n_bins)[:, ::-1].cumsum(axis=1)[:, ::-1]
        as_rare = reached[:, 1:]
        return np.stack([reached[:, :1] - as_rare, as_rare], axis=-1).transpose(1, 0, 2)


def best_tilt(
    y: NDArray[np.int32],
    p: NDArray[np.float64],
    shares: NDArray[np.float64],
    aim: Aim,
    weights: RowWeights = None,
) -> float:
    """The tilt of probabilities (n, K) with the best value; among equals the nearest to 1."""
    if not len(y):
        return 1.0
    n_classes = len(shares)
    log_p, shift = np.log(np.maximum(p, SMALLEST)), np.log(shares)
    predicted = _tilted_classes(log_p, shift)
    cells = (np.arange(len(TILTS))[:, None] * n_classes + y) * n_classes + predicted
    of_cells = np.tile(np.ones(len(y)) if weights is None else weights, len(TILTS))
    counts = np.bincount(cells.ravel(), of_cells, minlength=len(TILTS) * n_classes**2)
    values = aim.values(counts.reshape(-1, n_classes, n_classes).astype(np.float64))
    best = TILTS[values >= values.max() - 1e-12]
    return float(best[np.abs(best - 1).argmin()])


def _tilted_classes(log_p: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray[np.intp]:
    """The class (n,) of the largest log_p - tilt * shift at each of `TILTS`, (tilts, n).

    The tilts at which a class leads are neighbours, as each class's value is a line over tilts: a
    row with the same class at both ends of a step has it between them as well.
    """

    def classes(rows: NDArray[np.float64], amounts: NDArray[np.float64]) -> NDArray[np.intp]:
        return np.stack([(rows - amount * shift).argmax(axis=1) for amount in amounts])

    predicted = classes(log_p, TILTS[::_STEP]).repeat(_STEP, axis=0)[: len(TILTS)]
    for start in range(0, len(TILTS) - 1, _STEP):
        between = slice(start + 1, start + _STEP)
        changes = predicted[start] != predicted[start + _STEP]
        predicted[between, changes] = classes(log_p[changes], TILTS[between])
    return predicted
