"""Every score of every method, how its networks trained, and tests against two of the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.metrics import CORE_METRICS
from remix_study.results.bootstrap import interval_column
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference
from remix_study.results.methods import Method


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
        """study=method.study problem=problem.problem row=method.label metric=score.metric
        class=class_name mean=score.mean sd=score.standard_deviation
        corrected_se=score.interval.standard_error low=score.interval.low
        high=score.interval.high folds=score.interval.folds folds_at_zero=score.folds_at_zero
        test_train_ratio=problem.ratio"""
        + interval_column(comparisons),
    )


def _class_of(comparison: Comparison, metric: str) -> str:
    """Name of the class of a per-class metric such as `recall_0`; "" for other metrics."""
    name, _, code = metric.rpartition("_")
    if name in ("recall", "brier") and code.isdigit():
        return str(comparison.info["classes"][int(code)])
    return ""


def table_of_training(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Table of training: one line a problem and method, with epochs, rare rows and seconds."""
    return frame_of(
        (
            Record(
                problem=c,
                method=method,
                folds=c.folds[c.folds["run"] == method.run],
                epochs=c.trained_folds(method)["epochs"],
            )
            for c in comparisons
            for method in c.methods
        ),
        """study=method.study problem=problem.problem row=method.label folds failed_folds
        epochs_median epochs_least epochs_most minority_train_least minority_validation_least
        minority_test_least seconds=method.seconds""",
        folds=lambda line: len(line.folds),
        failed_folds=lambda line: int((line.folds["failed"] != "").sum()),
        epochs_median=lambda line: float(line.epochs.median()),
        epochs_least=lambda line: float(line.epochs.min()),
        epochs_most=lambda line: float(line.epochs.max()),
        minority_train_least=lambda line: int(line.folds["minority_train"].min()),
        minority_validation_least=lambda line: int(line.folds["minority_validation"].min()),
        minority_test_least=lambda line: int(line.folds["minority_test"].min()),
    )


def paired_tests(comparison: Comparison, remix: Method | None) -> tuple[Difference, ...]:
    """Test every method of a planned problem against the baseline and, where it is, ReMix.

    Returns differences in each core metric, with Holm's p-values; none for a search.
    """
    if not comparison.is_grid:
        return ()
    labels = [method.label for method in comparison.methods]
    return tuple(
        difference
        for reference in (comparison.first_method("baseline"), remix)
        if reference is not None
        for metric in CORE_METRICS
        for difference in comparison.effects.family(labels, reference.label, metric)
    )


@dataclass(frozen=True)
class ClearCount:
    """On how many problems a method is clearly better or worse than the reference."""

    method: str
    metric: str
    better: int
    worse: int
    problems: int


def count_clear(tests: Sequence[Difference]) -> list[ClearCount]:
    """Count, over the tests of several problems against one reference, those that are clear."""
    counts = []
    for (method, metric), group in grouped(tests, lambda t: (t.method, t.metric)).items():
        relations = [test.relation_after_holm for test in group]
        better, worse = relations.count("better"), relations.count("worse")
        counts.append(ClearCount(method, metric, better, worse, len(group)))
    return counts


def table_of_tests(problems: Sequence[tuple[Comparison, Sequence[Difference]]]) -> pd.DataFrame:
    """Table of tests: one line a problem, metric, reference and method."""
    return frame_of(
        (Record(problem=problem, test=test) for problem, tests in problems for test in tests),
        """study=problem.study problem=problem.problem metric=test.metric reference=test.against
        row=test.method difference=test.mean corrected_se=test.interval.standard_error
        low=test.interval.low high=test.interval.high folds=test.interval.folds
        test_train_ratio=problem.ratio t=test.t degrees_of_freedom=test.degrees_of_freedom
        p=test.p holm_p=test.holm_p"""
        + interval_column(problem for problem, _ in problems),
    )
