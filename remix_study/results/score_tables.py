"""Every score of every method, problem by problem, and how its networks trained."""

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
    """One method's score in one metric on one problem.

    Attributes:
        method: the method.
        metric: what was scored.
        interval: mean test score over the folds with its corrected interval.
        standard_deviation: over the folds; NaN with one fold.
        folds_at_zero: number of folds with a score of exactly 0.
    """

    method: Method
    metric: str
    interval: Interval
    standard_deviation: float
    folds_at_zero: int


def score_summaries(comparison: Comparison) -> tuple[ScoreSummary, ...]:
    """Summarize the test scores of each method in each metric that it has."""
    return tuple(
        ScoreSummary(
            method=method,
            metric=metric,
            interval=score_interval(metric, scores, comparison.ratio),
            standard_deviation=float(scores.std(ddof=1)) if len(scores) > 1 else math.nan,
            folds_at_zero=int((scores == 0).sum()),
        )
        for method in comparison.methods
        for metric in comparison.metrics()
        if not (scores := comparison.score(method.label, metric)).empty
    )


def table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Table of scores: one line a problem, method and metric; per-class metrics name a class."""
    return pd.DataFrame(
        [
            {
                "study": summary.method.study,
                "problem": comparison.problem,
                "row": summary.method.label,
                "metric": summary.metric,
                "class": _class_of(comparison, summary.metric),
                "mean": summary.interval.mean,
                "sd": summary.standard_deviation,
                "corrected_se": summary.interval.standard_error,
                "low": summary.interval.low,
                "high": summary.interval.high,
                "folds": summary.interval.folds,
                "folds_at_zero": summary.folds_at_zero,
                "test_train_ratio": comparison.ratio,
            }
            for comparison in comparisons
            for summary in score_summaries(comparison)
        ]
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
