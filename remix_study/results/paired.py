"""Paired corrected resampled t tests of the methods of a problem against two of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from remix_study.metrics import CORE_METRICS
from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference
from remix_study.results.methods import Method


def paired_tests(comparison: Comparison, remix: Method | None) -> tuple[Difference, ...]:
    """Test every method of a planned problem against the baseline and against ReMix.

    Args:
        comparison: the problem.
        remix: the ReMix method that the report speaks of; None tests against the baseline alone.

    Returns:
        Differences in each core metric, with Holm's p-values; empty for a search.
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


def table(problems: Sequence[tuple[Comparison, Sequence[Difference]]]) -> pd.DataFrame:
    """Table of tests: one line a problem, metric, reference and method."""
    return frame_of(
        (Record(problem=problem, test=test) for problem, tests in problems for test in tests),
        {
            "study": "problem.study",
            "problem": "problem.problem",
            "metric": "test.metric",
            "reference": "test.against",
            "row": "test.method",
            "difference": "test.mean",
            "corrected_se": "test.interval.standard_error",
            "low": "test.interval.low",
            "high": "test.interval.high",
            "folds": "test.interval.folds",
            "test_train_ratio": "problem.ratio",
            "t": "test.t",
            "degrees_of_freedom": "test.degrees_of_freedom",
            "p": "test.p",
            "holm_p": "test.holm_p",
        },
    )
