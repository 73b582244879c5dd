"""Scores of the forms of a method, by part, fold and metric."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.losses import RowWeights
from remix_study.metrics import CLASS_METRICS, METRICS, STANDARD_METRICS, score
from remix_study.metrics import SMALLEST as LEAST_PROBABILITY
from remix_study.metrics.class_scores import confusion_of
from remix_study.results.aims import COST, scores_of
from remix_study.results.bootstrap import Place
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method

Scores = Mapping[str, pd.DataFrame]
"""Part ("validation" or "test") -> (folds, metrics) frame."""

Rows = dict[str, dict[Place, dict[str, float]]]
"""Part -> (repeat, fold) -> metric -> score."""

_RANKING = ("roc_auc", "average_precision", "average_precision_macro")
_CALIBRATION = ("ece", "cwece")


def stored_rows(comparison: Comparison, method: Method) -> Rows:
    """The scores that training stored."""
    rows: Rows = {"validation": {}, "test": {}}
    for (part, metric), frame in comparison.scores.items():
        if metric in METRICS and method.label in frame:
            for place, value in zip(frame.index, frame[method.label].to_numpy(), strict=True):
                rows[part].setdefault(place, {})[metric] = float(value)
    return rows


def moved_scores(
    y: NDArray[np.int32],
    p: NDArray[np.float64],
    weights: RowWeights,
    stored: Mapping[str, float],
    objectives: Collection[str],
) -> dict[str, float]:
    """Scores of probabilities (n, K) that were brought to another prior, decisions left out.

    With two classes that changes no order of rows, so ranking scores are those as trained. Of the
    others only objectives are computed: they take longest.
    """
    n_classes = p.shape[1]
    is_asked = not {*_CALIBRATION}.isdisjoint(objectives)
    if is_asked or n_classes > 2 or weights is not None:
        of_classes = (*CLASS_METRICS, COST)
        on_request = [m for m in objectives if m not in (*STANDARD_METRICS, *of_classes)]
        scores = score(y, p, n_classes, on_request, sample_weight=weights)
        return {name: value for name, value in scores.items() if name not in of_classes}
    half_squared = ((p - (y[:, None] == np.arange(n_classes))) ** 2).sum(axis=1) / 2
    counts = np.bincount(y, minlength=n_classes)
    briers = np.bincount(y, half_squared, n_classes)[counts > 0] / counts[counts > 0]
    p_true = np.clip(p[np.arange(len(y)), y], LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return {
        **{name: stored[name] for name in _RANKING if name in stored},
        "bbs": float(briers.mean()),
        "brier": float(half_squared.mean()),
        "log_loss": float(-np.log(p_true).mean()),
    }


def decision_scores(
    matrices: Sequence[NDArray[np.float64]], costs: NDArray[np.float64] | None
) -> list[dict[str, float]]:
    """Metrics of predicted classes alone, and their cost where there are costs.

    Args:
        matrices: Confusion matrices (K, K), one a fold.
        costs: (K, K); None for no costs.

    Returns:
        Metric to score of each.
    """
    stacked = np.stack(matrices)
    # Means are over the classes that a fold has, of all folds with these at once.
    patterns, group = np.unique(stacked.sum(axis=2) > 0, axis=0, return_inverse=True)
    rows: list[dict[str, float]] = [{} for _ in matrices]
    for number in range(len(patterns)):
        places = np.flatnonzero(group.ravel() == number)
        scores = scores_of(stacked[places], costs)
        for position, place in enumerate(places):
            rows[place] = {name: float(values[position]) for name, values in scores.items()}
    return rows


def decision_matrix(
    y: NDArray[np.int32], decided: NDArray[np.intp], n_classes: int, weights: RowWeights
) -> NDArray[np.float64]:
    """Confusion matrix (K, K) of the predicted classes (n,)."""
    weights = np.ones(len(y)) if weights is None else weights
    return confusion_of(y.astype(np.intp), decided, n_classes, weights).matrix


def frames_of(rows: Rows) -> Scores:
    """Part -> (folds, metrics) frame of scores by (repeat, fold)."""
    frames = {}
    for part, by_fold in rows.items():
        index = _index_of(tuple(by_fold))
        names = [name for name in next(iter(by_fold.values())) if name in METRICS]
        values = [[scores.get(name, np.nan) for name in names] for scores in by_fold.values()]
        frames[part] = pd.DataFrame(values, index, names, dtype=np.float64)
    return frames


@lru_cache(maxsize=64)
def _index_of(places: tuple[Place, ...]) -> pd.MultiIndex:
    """The index of some folds; forms share it, as pandas compares other ones row by row."""
    return pd.MultiIndex.from_tuples(places, names=["repeat", "fold"])


def halves(ids: NDArray[Any], y: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two halves of the rows, each with half of the rows of every class, the same for all methods.

    A class with one row is in the first half alone, and a row that is there several times is in
    one half.
    """
    unique_ids, places, rows = np.unique(ids, return_index=True, return_inverse=True)
    first = np.zeros(len(unique_ids), bool)
    for code in np.unique(y):
        first[np.flatnonzero(y[places] == code)[::2]] = True
    return first[rows], ~first[rows]
