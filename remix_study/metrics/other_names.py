"""What people write for a metric, and the name that it has here."""

from __future__ import annotations

import re
from collections.abc import Iterable

from remix_study.errors import did_you_mean

_OTHER_NAMES = {
    "accuracy": "acc accuracy_score error error_rate",
    "average_precision": "ap aucpr auc_pr auprc average_precision_score pr_auc prauc map",
    "average_precision_macro": "macro_average_precision mean_average_precision",
    "balanced_accuracy": (
        "bacc bal_acc balanced_acc balanced_accuracy_score macro_recall recall_macro uar"
    ),
    "bbs": "balanced_brier balanced_brier_score stratified_brier",
    "brier": "brier_score brier_score_loss brier_loss",
    "cost": "costs misclassification_cost expected_cost",
    "ece": "calibration calibration_error expected_calibration_error",
    "f0.5": "f05 f0_5 f_0.5 f_0_5",
    "f1": "f f_1 f1_score f_score fscore f_measure fmeasure dice fbeta f_beta fbeta_score",
    "f1_macro": "macro_f1 f1_score_macro",
    "f2": "f_2 f2_score",
    "g_mean": "gmean geometric_mean geometric_mean_score g_means",
    "kappa": "cohen_kappa cohens_kappa cohen_kappa_score",
    "log_loss": "logloss loss cross_entropy crossentropy nll logarithmic_loss",
    "mcc": "matthews matthews_corrcoef phi",
    "min_recall": "worst_recall lowest_recall",
    "precision": "ppv precision_score",
    "precision_macro": "macro_precision",
    "recall": "sensitivity tpr true_positive_rate hit_rate recall_score",
    "roc_auc": "auc roc auroc aucroc auc_roc rocauc roc_auc_score roc_auc_ovr gini",
    "specificity": "tnr true_negative_rate selectivity",
}
_NAMES = {other: name for name, others in _OTHER_NAMES.items() for other in others.split()}

_TOP_K = re.compile(r"top_?\w+")


def metric_hint(name: str, known_names: Iterable[str]) -> str:
    """End a message about an unknown metric: say which one to write instead.

    Args:
        name: What the user wrote.
        known_names: The metrics that would have been accepted.

    Returns:
        ``; write "average_precision"``, or what :func:`did_you_mean` returns.
    """
    plain = re.sub(r"[\s-]+", "_", name.strip().lower())
    known_names = list(known_names)
    if plain in known_names or _NAMES.get(plain) in known_names:
        return f'; write "{plain if plain in known_names else _NAMES[plain]}"'
    if _TOP_K.fullmatch(plain) and "accuracy" in known_names:
        return '; only the most probable class counts here: write "accuracy"'
    return did_you_mean(name, known_names)
