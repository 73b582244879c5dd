"""All scores of one set of predictions."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.metrics.catalogue import SMALLEST, STANDARD_METRICS
from remix_study.metrics.class_scores import RARE, class_scores, confusion_of
from remix_study.metrics.costs import mean_cost
from remix_study.metrics.ranking import rank_columns


def score(
    y: ArrayLike,
    probabilities: ArrayLike,
    n_classes: int,
    extra: Collection[str] = (),
    *,
    sample_weight: ArrayLike | None = None,
    costs: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """Score one member's predictions.

    Args:
        y: (n,) class codes in [0, n_classes).
        probabilities: (n, n_classes), rows that sum to 1.
        n_classes: Number of classes K of the problem.
        extra: Metrics to compute besides the standard ones, extra ones included.
        sample_weight: (n,) weights of the rows, not negative; all rows alike where it is None.
        costs: (K, K) cost of a row of a class (rows) that is decided for another (columns), which
            the metric ``cost`` needs.

    Returns:
        Every metric of ``STANDARD_METRICS``, then ``recall_<c>`` and ``brier_<c>`` of each class
        code, then the extra ones. ``g_mean`` is the geometric mean of the recalls of the classes
        present. ``bbs`` is the mean over these classes of ``brier_<c>``, the stratified Brier
        score of Wallace and Dahabreh (2012). ``roc_auc``, ``average_precision``, ``mcc`` and
        ``kappa`` are NaN if only one class is present, and scores of the rare class if it is
        not. ``brier_repo`` of two classes compares the rows of both with the minority, code 1:
        0.5 is perfect, 0 means that the minority is always predicted with certainty, 1 that it
        never is. Of more classes it is ``bbs``, which differs from the authors' code by a
        constant factor.

    Raises:
        ValueError: No rows, shapes or codes that do not fit, probabilities that are not finite,
            negative or do not sum to 1, or weights that are not finite, negative or all 0.
    """
    codes, p, weights = _check_arguments(y, probabilities, n_classes, sample_weight)
    truth = codes[:, None] == np.arange(n_classes)
    predicted = p.argmax(axis=1)
    confusion = confusion_of(codes, predicted, n_classes, weights)
    total, weight_of_class = weights.sum(), confusion.actual
    present = weight_of_class > 0

    def class_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over the rows of each class, NaN for a class without rows."""
        means = np.full(n_classes, np.nan)
        sums = np.bincount(codes, values * weights, n_classes)
        np.divide(sums, weight_of_class, out=means, where=present)
        return means

    recall = confusion.recall()
    half_squared = ((p - truth) ** 2).sum(axis=1) / 2
    brier = class_means(half_squared)
    present_recall = recall[present]
    rows = np.arange(len(codes))
    p_true = np.clip(p[rows, codes], SMALLEST, 1 - SMALLEST)

    auc, average_precision, class_error = rank_columns(truth, p, weights)
    is_correct, top = (predicted == codes)[:, None], p[rows, predicted, None]
    has_both = present & (np.count_nonzero(present) > 1)

    def mean_over_classes(values: NDArray[np.float64]) -> float:
        return float(values[has_both].mean()) if has_both.any() else float("nan")

    scores = {
        "g_mean": float(present_recall.prod() ** (1 / len(present_recall))),
        "bbs": float(brier[present].mean()),
        "brier": float((half_squared * weights).sum() / total),
        "log_loss": float((-np.log(p_true) * weights).sum() / total),
        "balanced_accuracy": float(present_recall.mean()),
        "min_recall": float(present_recall.min()),
        "roc_auc": mean_over_classes(auc),
        "average_precision": (
            float(average_precision[RARE] if has_both[RARE] else np.nan)
            if n_classes == 2
            else mean_over_classes(average_precision)
        ),
        "average_precision_macro": mean_over_classes(average_precision),
        "ece": float(rank_columns(is_correct, top, weights).calibration_error[0]),
        "cwece": float(class_error[present].mean()),
    } | {name: float(value) for name, value in class_scores(confusion).items()}
    if costs is not None:
        scores["cost"] = mean_cost(codes, p, weights, costs)
    if "brier_repo" in extra:
        minority_error = class_means((1 - p[:, 1]) ** 2)[present].mean()
        scores["brier_repo"] = float(minority_error) if n_classes == 2 else scores["bbs"]
    return (
        {name: scores[name] for name in STANDARD_METRICS}
        | {f"recall_{code}": float(value) for code, value in enumerate(recall)}
        | {f"brier_{code}": float(value) for code, value in enumerate(brier)}
        | {name: scores[name] for name in extra}
    )


def _check_arguments(
    y: ArrayLike, probabilities: ArrayLike, n_classes: int, sample_weight: ArrayLike | None
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """The codes, probabilities and weights of the rows whose weight is not 0, as arrays.

    Raises:
        ValueError: They cannot be scored.
    """
    codes = np.asarray(y)
    p = np.asarray(probabilities, dtype=np.float64)
    if codes.ndim != 1 or len(codes) == 0 or p.shape != (len(codes), n_classes):
        raise ValueError(
            f"y must be (n,) with n > 0 and probabilities (n, {n_classes}), "
            f"got {codes.shape} and {p.shape}"
        )
    if codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= n_classes:
        raise ValueError(f"y must hold integer codes from 0 to {n_classes - 1}")
    if not np.isfinite(p).all():
        raise ValueError("probabilities must be finite")
    if p.min() < -1e-6 or np.abs(p @ np.ones(n_classes) - 1).max() > 1e-2:
        raise ValueError("probabilities must not be negative and must sum to 1 in every row")
    codes = codes.astype(np.intp)
    if sample_weight is None:
        return codes, p, np.ones(len(codes))
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != codes.shape:
        raise ValueError(f"sample_weight must be (n,) as y is, got {weights.shape}")
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise ValueError("sample_weight must be finite, not negative, and above 0 in some row")
    is_there = weights > 0
    return codes[is_there], p[is_there], weights[is_there]
