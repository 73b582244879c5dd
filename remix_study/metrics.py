"""Scores of predicted probabilities on imbalanced data.

Conventions, the same for every metric:

- A class without scored rows is left out of means over classes; its ``recall_<c>`` and
  ``brier_<c>`` are NaN.
- The predicted class is the most probable one, the lowest code among equals.
- Brier scores are on half scale for every number of classes, so they lie in [0, 1] and are the
  usual Brier score when there are two.
- Calibration errors use 15 equal-mass bins. Rows of equal confidence share a bin: a row's bin
  depends on the number of rows below it, so that the order of the rows does not matter, and
  bins differ in size only where confidences are equal.

To add a metric, compute it in ``score`` and describe it in ``METRICS``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15
"""Number of bins of the calibration errors."""

SMALLEST = float(np.finfo(np.float32).eps)
"""Log-loss clips probabilities to [SMALLEST, 1 - SMALLEST], as scikit-learn does for float32."""

WORST_LOG_LOSS = float(-np.log(SMALLEST))
"""Log-loss of a row whose class has probability 0, after clipping."""


@dataclass(frozen=True)
class Metric:
    """Name, direction and worst value of a score.

    Attributes:
        name: Key in ``METRICS`` and in a study file.
        label: Full name, for an axis or a caption.
        direction: Optuna's word for the better direction.
        worst: Worst possible value, finite: what a diverged network may be scored with.
        short: Name for a narrow column.
        bounds: Lowest and highest possible value; no interval of a mean leaves them.
    """

    name: str
    label: str
    direction: Literal["maximize", "minimize"]
    worst: float
    short: str
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def is_maximized(self) -> bool:
        """Whether a higher score is better."""
        return self.direction == "maximize"


def better_sign(metric: str) -> float:
    """1 where a higher score is better, -1 where a lower one is."""
    return 1.0 if is_maximized(metric) else -1.0


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("g_mean", "geometric mean of the recalls", "maximize", 0.0, "g-mean"),
        Metric("bbs", "balanced Brier score", "minimize", 1.0, "BBS"),
        Metric("brier", "Brier score (half scale)", "minimize", 1.0, "Brier"),
        Metric(
            "log_loss", "log-loss", "minimize", WORST_LOG_LOSS, "log-loss", (0.0, WORST_LOG_LOSS)
        ),
        Metric("balanced_accuracy", "balanced accuracy", "maximize", 0.0, "bal. acc."),
        Metric("min_recall", "lowest recall of a class", "maximize", 0.0, "min. recall"),
        Metric("roc_auc", "ROC-AUC (one-vs-rest, macro)", "maximize", 0.0, "AUC"),
        Metric(
            "average_precision", "average precision (one-vs-rest, macro)", "maximize", 0.0, "AP"
        ),
        Metric("ece", "expected calibration error of the top class", "minimize", 1.0, "ECE"),
        Metric("cwece", "class-wise expected calibration error", "minimize", 1.0, "cw-ECE"),
    )
}

EXTRA_METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "brier_repo",
            "balanced Brier score as the authors' repository computes it",
            "minimize",
            1.0,
            "repo BBS",
        ),
    )
}
"""Scores that are computed and stored if a study file asks for them; never objectives."""

PUBLISHED_METRICS = ("g_mean", "bbs")
"""The two scores of the paper's Table 2, which give all classes the same weight."""

NATURAL_METRICS = ("brier", "log_loss", "cwece")
"""Quality of probabilities at the natural class shares. The balanced Brier score rewards any shift
of the prior towards equal shares; these punish it, so reports show them beside it."""

CORE_METRICS = (*PUBLISHED_METRICS, *NATURAL_METRICS)
"""Scores that every report shows, beside a study's objectives."""


def find_metric(name: str) -> Metric:
    """The metric of this name, extra ones included.

    Raises:
        KeyError: There is none.
    """
    return METRICS[name] if name in METRICS else EXTRA_METRICS[name]


def is_maximized(name: str) -> bool:
    """Whether a higher score of the metric is better.

    Raises:
        KeyError: There is no metric of this name.
    """
    return find_metric(name).is_maximized


def better_or_worse(name: str, difference: float) -> Literal["better", "worse"]:
    """Whether the first of two scores is better, by the sign of first minus second."""
    return "better" if (difference > 0) == is_maximized(name) else "worse"


def short_name(name: str) -> str:
    """Name a metric as pages and tables do; a per-class one such as ``recall_0`` stays as it is.

    Databases and the dashboard have ``Metric.short``, which is "BBS" for the balanced Brier score.
    """
    if name == "bbs":
        return "balanced Brier"
    return find_metric(name).short if name in METRICS or name in EXTRA_METRICS else name


def score(
    y: ArrayLike, probabilities: ArrayLike, n_classes: int, extra: Collection[str] = ()
) -> dict[str, float]:
    """Score one member's predictions.

    Args:
        y: (n,) class codes in [0, n_classes).
        probabilities: (n, n_classes), rows that sum to 1.
        n_classes: Number of classes K of the problem.
        extra: Keys of ``EXTRA_METRICS`` to compute too.

    Returns:
        Every metric of ``METRICS``, then ``recall_<c>`` and ``brier_<c>`` of each class code,
        then the extra ones. ``g_mean`` is the geometric mean of the recalls of the classes
        present. ``bbs`` is the mean over these classes of ``brier_<c>``, the stratified Brier
        score of Wallace and Dahabreh (2012). ``roc_auc`` and ``average_precision`` are NaN if
        only one class is present. ``brier_repo`` of two classes compares the rows of both with
        the minority, code 1: 0.5 is perfect, 0 means that the minority is always predicted with
        certainty, 1 that it never is. Of more classes it is ``bbs``, which differs from the
        authors' code by a constant factor.

    Raises:
        ValueError: No rows, shapes or codes that do not fit, or probabilities that are not
            finite, negative or do not sum to 1.
    """
    codes, p = _check_arguments(y, probabilities, n_classes)
    n = len(codes)
    truth = codes[:, None] == np.arange(n_classes)
    count = truth.sum(axis=0)
    present = count > 0

    is_correct = p.argmax(axis=1) == codes
    recall = _class_means(codes, is_correct.astype(np.float64), count)
    half_squared = ((p - truth) ** 2).sum(axis=1) / 2
    brier = _class_means(codes, half_squared, count)
    present_recall = recall[present]
    p_true = np.clip(p[np.arange(n), codes], SMALLEST, 1 - SMALLEST)

    auc, precision, class_error = _one_vs_rest(truth, p)
    has_both = present & (count < n)
    _, _, top_class_error = _one_vs_rest(is_correct[:, None], p.max(axis=1, keepdims=True))

    scores = {
        "g_mean": float(present_recall.prod() ** (1 / len(present_recall))),
        "bbs": float(brier[present].mean()),
        "brier": float(half_squared.mean()),
        "log_loss": float(-np.log(p_true).mean()),
        "balanced_accuracy": float(present_recall.mean()),
        "min_recall": float(present_recall.min()),
        "roc_auc": float(auc[has_both].mean()) if has_both.any() else float("nan"),
        "average_precision": float(precision[has_both].mean()) if has_both.any() else float("nan"),
        "ece": float(top_class_error[0]),
        "cwece": float(class_error[present].mean()),
    }
    scores.update({f"recall_{code}": float(value) for code, value in enumerate(recall)})
    scores.update({f"brier_{code}": float(value) for code, value in enumerate(brier)})
    if "brier_repo" in extra:
        minority_error = _class_means(codes, (1 - p[:, 1]) ** 2, count)[present].mean()
        scores["brier_repo"] = float(minority_error) if n_classes == 2 else scores["bbs"]
    return scores


def _check_arguments(
    y: ArrayLike, probabilities: ArrayLike, n_classes: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The codes and probabilities as arrays.

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
    if p.min() < -1e-6 or np.abs(p.sum(axis=1) - 1).max() > 1e-2:
        raise ValueError("probabilities must not be negative and must sum to 1 in every row")
    return codes.astype(np.intp), p


def _class_means(
    codes: NDArray[np.intp], values: NDArray[np.float64], count: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Mean of the values over the rows of each class, NaN for a class without rows."""
    total = np.bincount(codes, values, len(count))
    means = np.full(len(count), np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def _one_vs_rest(
    truth: NDArray[np.bool_], p: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute ROC-AUC, average precision and calibration error of each column from one sort.

    Args:
        truth: (n, K) whether the row is of the column's class.
        p: (n, K) its probability.

    Returns:
        Three (K,) arrays; the first two are undefined for a column that is all true or all false.
    """
    n, n_columns = p.shape
    order = np.argsort(-p, axis=0, kind="stable")
    ranked, hit = np.take_along_axis(p, order, 0), np.take_along_axis(truth, order, 0)

    # Rows of equal probability form a run; head and tail are the run's first and last place.
    place = np.broadcast_to(np.arange(n)[:, None], (n, n_columns))
    edge = np.ones((n + 1, n_columns), bool)
    edge[1:-1] = ranked[1:] != ranked[:-1]
    head = np.maximum.accumulate(np.where(edge[:-1], place, 0), axis=0)
    tail = np.minimum.accumulate(np.where(edge[1:], place, n)[::-1], axis=0)[::-1]

    hits = np.cumsum(hit, axis=0)
    positives = np.maximum(hits[-1], 1)
    negatives = np.maximum(n - hits[-1], 1)
    # Mann-Whitney: a positive wins against the negatives after its run and half of those in it.
    behind = n - 1 - (head + tail) / 2
    wins = np.where(hit, behind, 0).sum(axis=0) - positives * (positives - 1) / 2
    precision = np.take_along_axis(hits, tail, 0) / (tail + 1)

    bin_of = (n - 1 - tail) * BINS // n + np.arange(n_columns) * BINS
    gap = np.bincount(bin_of.ravel(), (hit - ranked).ravel(), BINS * n_columns)
    return (
        wins / (positives * negatives),
        np.where(hit, precision, 0).sum(axis=0) / positives,
        np.abs(gap.reshape(n_columns, BINS)).sum(axis=1) / n,
    )
