"""What metrics there are: names, directions, worst values, and which are stored unasked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

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


def _share(name: str, label: str, short: str) -> Metric:
    """A score from 0, the worst, to 1."""
    return Metric(name, label, "maximize", 0.0, short)


def _error(name: str, label: str, short: str) -> Metric:
    """A score from 0, the best, to 1."""
    return Metric(name, label, "minimize", 1.0, short)


def _agreement(name: str, label: str, short: str) -> Metric:
    """A score from -1 to 1; 0 is what guessing has."""
    return Metric(name, label, "maximize", -1.0, short, (-1.0, 1.0))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _share("g_mean", "geometric mean of the recalls", "g-mean"),
        _error("bbs", "balanced Brier score", "BBS"),
        _error("brier", "Brier score (half scale)", "Brier"),
        Metric(
            "log_loss", "log-loss", "minimize", WORST_LOG_LOSS, "log-loss", (0.0, WORST_LOG_LOSS)
        ),
        _share("balanced_accuracy", "balanced accuracy", "bal. acc."),
        _share("min_recall", "lowest recall of a class", "min. recall"),
        _share("roc_auc", "ROC-AUC (one-vs-rest, macro)", "AUC"),
        _share("average_precision", "average precision of the rare class", "AP"),
        _share("average_precision_macro", "average precision (mean over classes)", "macro AP"),
        _error("ece", "expected calibration error of the top class", "ECE"),
        _error("cwece", "class-wise expected calibration error", "cw-ECE"),
        _share("precision", "precision of the rare class", "precision"),
        _share("recall", "recall of the rare class", "recall"),
        _share("f1", "F1 score of the rare class", "F1"),
        _agreement("mcc", "Matthews correlation coefficient", "MCC"),
        _share("f2", "F2 score of the rare class (recall counts more)", "F2"),
        _share("f0.5", "F0.5 score of the rare class (precision counts more)", "F0.5"),
        _share("specificity", "recall of all but the rare class", "specificity"),
        _share("precision_macro", "precision (mean over classes)", "macro precision"),
        _share("f1_macro", "F1 score (mean over classes)", "macro F1"),
        _share("accuracy", "accuracy", "accuracy"),
        _agreement("kappa", "Cohen's kappa", "kappa"),
        # Its worst value is the largest of a study's costs.
        Metric("cost", "cost of a decision", "minimize", 1.0, "cost", (0.0, float("inf"))),
    )
}
"""Metrics that may be objectives and in constraints; those of users' own are added."""

BUILT_IN_METRICS = tuple(METRICS)

ON_REQUEST = (
    "average_precision_macro", "f2", "f0.5", "specificity", "precision_macro", "f1_macro",
    "accuracy", "kappa", "cost",
)  # fmt: skip

STANDARD_METRICS = tuple(name for name in METRICS if name not in ON_REQUEST)
"""Metrics that are stored for every study; the others only where a study file names them."""

EXTRA_METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _error(
            "brier_repo",
            "balanced Brier score as the authors' repository computes it",
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

CLASS_METRICS = frozenset(
    (
        "g_mean", "balanced_accuracy", "min_recall", "precision", "recall", "specificity", "f1",
        "f2", "f0.5", "precision_macro", "f1_macro", "mcc", "accuracy", "kappa",
    )
)  # fmt: skip
"""Metrics of predicted classes alone, and so what another decision rule changes."""


def add_metric(metric: Metric) -> None:
    """Make a metric of a user's own known, in place of an earlier one of its name."""
    METRICS[metric.name] = metric


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


def better_sign(name: str) -> float:
    """1 where a higher score of the metric is better, -1 where a lower one is."""
    return 1.0 if is_maximized(name) else -1.0


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


_ROPES = {
    "bbs": 0.005, "brier": 0.002, "brier_repo": 0.005, "log_loss": 0.01, "ece": 0.005,
    "cwece": 0.005,
}  # fmt: skip

ROPES: Mapping[str, float] = MappingProxyType(
    {name: _ROPES.get(name, 0.01) for name in (*METRICS, *EXTRA_METRICS)}
)
"""Half the width of the region of practical equivalence of each metric, in its own units: a
hundredth for shares and correlations, less for squared errors, which are small numbers."""


def rope_of(metric: str) -> float:
    """Half the width of a metric's region of practical equivalence."""
    if metric in ROPES:
        return ROPES[metric]
    low, high = find_metric(metric).bounds
    return (high - low) / 100
