"""Every score of every method, problem by problem, and how its networks trained."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison


def table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Table of scores: one line a problem, method and metric; per-class metrics name a class."""
    return frame_of(
        (
            Record(problem=c, method=method, score=score, class_name=_class_of(c, metric))
            for c in comparisons
            for method in c.methods
            for metric in c.metrics()
            if (score := c.effects.score(method.label, metric)) is not None
        ),
        {
            "study": "method.study",
            "problem": "problem.problem",
            "row": "method.label",
            "metric": "score.metric",
            "class": "class_name",
            "mean": "score.mean",
            "sd": "score.standard_deviation",
            "corrected_se": "score.interval.standard_error",
            "low": "score.interval.low",
            "high": "score.interval.high",
            "folds": "score.interval.folds",
            "folds_at_zero": "score.folds_at_zero",
            "test_train_ratio": "problem.ratio",
        },
    )


def table_of_training(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Table of training: one line a problem and method, with epochs, rare rows and seconds."""
    lines = []
    for comparison in comparisons:
        for method in comparison.methods:
            folds = comparison.folds[comparison.folds["run"] == method.run]
            trained = comparison.trained_folds(method)
            lines.append(
                {
                    "study": method.study,
                    "problem": comparison.problem,
                    "row": method.label,
                    "folds": len(folds),
                    "failed_folds": int((folds["failed"] != "").sum()),
                    "epochs_median": float(trained["epochs"].median()),
                    "epochs_least": float(trained["epochs"].min()),
                    "epochs_most": float(trained["epochs"].max()),
                    "minority_train_least": int(folds["minority_train"].min()),
                    "minority_validation_least": int(folds["minority_validation"].min()),
                    "minority_test_least": int(folds["minority_test"].min()),
                    "seconds": method.seconds,
                }
            )
    return pd.DataFrame(lines)


def _class_of(comparison: Comparison, metric: str) -> str:
    """Name of the class of a per-class metric such as `recall_0`; "" for other metrics."""
    name, _, code = metric.rpartition("_")
    if name in ("recall", "brier") and code.isdigit():
        return str(comparison.info["classes"][int(code)])
    return ""
