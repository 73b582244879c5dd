"""Scores of one set of predictions on drawn rows, all draws at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.losses import RowWeights
from remix_study.metrics import SMALLEST, score
from remix_study.metrics.class_scores import RARE, Confusion, class_scores
from remix_study.metrics.ranking import BINS
from remix_study.results.aims import scores_of

DRAWS = 1000
"""Draws of test rows, the same ones for every method and metric of a problem."""

_OF_ORDER = ("roc_auc", "average_precision", "average_precision_macro", "ece", "cwece")
# Rows times draws whose numbers are held at a time.
_MOST_CELLS = 1 << 21


def draw_counts(
    codes: NDArray[np.int32], rng: np.random.Generator, draws: int = DRAWS
) -> NDArray[np.float32]:
    """Draw rows of each class with replacement, as many as the class has.

    Returns:
        How often each row is drawn: whole numbers, float32 (draws, n).
    """
    counts = np.zeros((draws, len(codes)), np.float32)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        counts[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), draws)
    return counts


class ResampledScores:
    """Metric -> scores (draws,) of one set of predictions on drawn rows.

    Values are those of :func:`remix_study.metrics.score` of the drawn rows, all draws at once.

    Args:
        codes: (n,) class codes.
        p: (n, K) probabilities.
        counts: (draws, n) how often each row is drawn.
        costs: (K, K) costs of errors, which the metric ``cost`` needs.
        weights: (n,) weights of the rows; with them all metrics are computed draw by draw.
        decided: (n,) predicted classes, where they are not those of the largest probability; only
            metrics of predicted classes are then asked for.
    """

    def __init__(
        self,
        codes: NDArray[np.int32],
        p: NDArray[np.float64],
        counts: NDArray[np.float32],
        costs: NDArray[np.float64] | None = None,
        weights: RowWeights = None,
        decided: NDArray[np.intp] | None = None,
    ) -> None:
        self._costs, self._decided = costs, decided
        self._codes, self._p = codes.astype(np.intp), p
        self._counts = counts if weights is None else counts * weights.astype(np.float32)
        self._scores: dict[str, NDArray[np.float64]] = {}
        self._computations: tuple[Callable[[str], dict[str, NDArray[np.float64]]], ...]
        self._computations = self._of_rows, self._of_order, self._of_classes, self._of_others
        if decided is not None:
            self._computations = (self._of_classes,)
        elif weights is not None:
            self._computations = (self._of_others,)

    def __getitem__(self, metric: str) -> NDArray[np.float64]:
        """The scores in a metric; KeyError where there is no such metric."""
        for compute in self._computations:
            if metric not in self._scores:
                self._scores |= compute(metric)
        return self._scores[metric]

    def _of_rows(self, _: str) -> dict[str, NDArray[np.float64]]:
        """Metrics of recalls, and means over rows."""
        codes, p, counts = self._codes, self._p, self._counts
        n_classes = p.shape[1]
        truth = codes[:, None] == np.arange(n_classes)
        half_squared = ((p - truth) ** 2).sum(axis=1) / 2
        p_true = np.clip(p[np.arange(len(codes)), codes], SMALLEST, 1 - SMALLEST)
        is_hit = p.argmax(axis=1) == codes
        sizes = counts.astype(np.float64) @ truth
        with np.errstate(invalid="ignore"):
            recall = counts @ (truth * is_hit[:, None]) / sizes
            brier = counts @ (truth * half_squared[:, None]) / sizes
        present = recall[:, truth.any(axis=0)]
        total = len(codes)
        scores = {
            "g_mean": present.prod(axis=1) ** (1 / present.shape[1]),
            "bbs": brier[:, truth.any(axis=0)].mean(axis=1),
            "brier": counts @ half_squared / total,
            "log_loss": counts @ -np.log(p_true) / total,
            "balanced_accuracy": present.mean(axis=1),
            "min_recall": present.min(axis=1),
        }
        if self._costs is not None:
            scores["cost"] = counts @ self._costs[codes, (p @ self._costs).argmin(axis=1)] / total
        scores |= {f"recall_{code}": recall[:, code] for code in range(n_classes)}
        return scores | {f"brier_{code}": brier[:, code] for code in range(n_classes)}

    def _of_order(self, metric: str) -> dict[str, NDArray[np.float64]]:
        """Metrics of the order of probabilities and of calibration."""
        if metric not in _OF_ORDER:
            return {}
        codes, p = self._codes, self._p
        of_classes = [
            _ranked(codes == code, p[:, code], self._counts) for code in np.unique(codes)
        ]
        auc, macro, error = np.mean(of_classes, axis=0)
        precision = of_classes[RARE][1] if p.shape[1] == 2 else macro
        _, _, top_error = _ranked(p.argmax(axis=1) == codes, p.max(axis=1), self._counts)
        return dict(zip(_OF_ORDER, (auc, precision, macro, top_error, error), strict=True))

    def _of_classes(self, _: str) -> dict[str, NDArray[np.float64]]:
        """Metrics of predicted classes."""
        n_classes = self._p.shape[1]
        decided = self._p.argmax(axis=1) if self._decided is None else self._decided
        cells = np.zeros((len(self._codes), n_classes**2), np.float32)
        cells[np.arange(len(cells)), self._codes * n_classes + decided] = 1
        matrices = (self._counts @ cells).reshape(-1, n_classes, n_classes).astype(np.float64)
        if self._decided is None:
            return class_scores(Confusion(matrices))
        recalls = Confusion(matrices).recall().T
        by_class = {f"recall_{code}": recall for code, recall in enumerate(recalls)}
        return scores_of(matrices, self._costs) | by_class

    def _of_others(self, metric: str) -> dict[str, NDArray[np.float64]]:
        rows = self._codes, self._p, self._p.shape[1], (metric,)
        options: dict[str, Any] = {"costs": self._costs}
        lines = [score(*rows, sample_weight=counts, **options) for counts in self._counts]
        return {name: np.array([line[name] for line in lines]) for name in lines[0]}


def _ranked(
    is_hit: NDArray[np.bool_], p: NDArray[np.float64], counts: NDArray[np.float32]
) -> NDArray[np.float64]:
    """ROC-AUC, average precision and calibration error of each draw, (3, draws).

    What :func:`remix_study.metrics.ranking.rank_columns` gives for one column, (n,) each.
    """
    n = len(p)
    order = np.argsort(-p, kind="stable")
    ranked, hit = p[order], is_hit[order]
    places = np.flatnonzero(hit)
    # Rows of equal probability form a run, which ends before one of these places.
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, n)
    run = np.searchsorted(ends, places, side="right")
    stop, begin = ends[run], np.append(0, ends)[run]
    hits_before = np.append(0, np.cumsum(hit))
    most = (n * np.arange(BINS, -1, -1)) // BINS  # Rows before the end of a bin
    step = max(1, _MOST_CELLS // n)
    parts = []
    for start in range(0, len(counts), step):
        drawn = counts[start : start + step, order]
        # Sums of whole numbers below 2^24 are exact in float32.
        rows, hits = _sums(drawn), _sums(drawn[:, places])
        hits_at_stop, hits_at_begin = hits[:, hits_before[stop]], hits[:, hits_before[begin]]
        rows_at_stop = rows[:, stop]
        misses = rows_at_stop - hits_at_stop + rows[:, begin] - hits_at_begin
        n_hits = hits[:, -1].astype(np.float64)
        n_misses = rows[:, -1] - n_hits
        lost = (drawn[:, places] * misses).sum(axis=1, dtype=np.float64) / 2
        shares = hits_at_stop / np.maximum(rows_at_stop, 1)
        precision = (drawn[:, places] * shares).sum(axis=1, dtype=np.float64)
        gaps = _sums(drawn * (hit - ranked))[:, np.append(0, ends)]
        borders = np.stack([np.searchsorted(line, most, side="right") for line in rows[:, ends]])
        at_border = np.take_along_axis(gaps, borders, axis=1)
        error = np.abs(np.diff(at_border, axis=1)).sum(axis=1) / (n_hits + n_misses)
        pairs = np.maximum(n_hits * n_misses, 1)
        parts.append(
            np.stack(
                [(n_hits * n_misses - lost) / pairs, precision / np.maximum(n_hits, 1), error]
            )
        )
    return np.concatenate(parts, axis=1)


def _sums(values: NDArray[Any]) -> NDArray[Any]:
    """Sums of the first 0, 1, ..., n values of each line, (lines, n + 1)."""
    sums = np.zeros((len(values), values.shape[1] + 1), values.dtype)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums
