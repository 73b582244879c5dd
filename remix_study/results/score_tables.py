"""Every score of every row: mean, spread and corrected error, problem by problem."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.results.comparison import Comparison
from remix_study.results.intervals import Interval, score_interval
from remix_study.results.methods import Method


@dataclass(frozen=True)
class ScoreSummary:
    """One row's score in one metric on one problem."""

    method: Method
    metric: str
    interval: Interval
    standard_deviation: float
    folds_at_zero: int


def score_summaries(comparison: Comparison) -> tuple[ScoreSummary, ...]:
    """Mean, standard deviation and corrected interval of each row and metric."""
    found = []
    for row in comparison.methods:
        for metric in comparison.metrics():
            scores = comparison.score(row.label, metric)
            if scores.empty:
                continue
            found.append(
                ScoreSummary(
                    row,
                    metric,
                    score_interval(metric, scores, comparison.ratio),
                    float(scores.std(ddof=1)) if len(scores) > 1 else math.nan,
                    int((scores == 0).sum()),
                )
            )
    return tuple(found)


def table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One line a problem, row and metric; per-class metrics name their class."""
    return pd.DataFrame(
        [
            {
                "study": result.method.study,
                "problem": comparison.problem,
                "row": result.method.label,
                "metric": result.metric,
                "class": _class_of(comparison, result.metric),
                "mean": result.interval.mean,
                "sd": result.standard_deviation,
                "corrected_se": result.interval.standard_error,
                "low": result.interval.low,
                "high": result.interval.high,
                "folds": result.interval.folds,
                "folds_at_zero": result.folds_at_zero,
                "test_train_ratio": comparison.ratio,
            }
            for comparison in comparisons
            for result in score_summaries(comparison)
        ]
    )


def table_of_training(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One line a problem and row: epochs, failed folds, minority rows, seconds."""
    lines = []
    for comparison in comparisons:
        for row in comparison.methods:
            folds = comparison.folds[comparison.folds["run"] == row.run]
            trained = folds[folds["failed"] == ""]
            lines.append(
                {
                    "study": row.study,
                    "problem": comparison.problem,
                    "row": row.label,
                    "folds": len(folds),
                    "failed_folds": int((folds["failed"] != "").sum()),
                    "epochs_median": float(trained["epochs"].median()),
                    "epochs_least": float(trained["epochs"].min()),
                    "epochs_most": float(trained["epochs"].max()),
                    "minority_train_least": int(folds["minority_train"].min()),
                    "minority_validation_least": int(folds["minority_validation"].min()),
                    "minority_test_least": int(folds["minority_test"].min()),
                    "seconds": row.seconds,
                }
            )
    return pd.DataFrame(lines)


def _class_of(comparison: Comparison, metric: str) -> str:
    name, _, code = metric.rpartition("_")
    if name in ("recall", "brier") and code.isdigit():
        return str(comparison.info["classes"][int(code)])
    return ""
