"""Paired corrected resampled t tests of methods on one problem, adjusted within it.

Nadeau and Bengio's correction for repeated cross-validation, as `intervals` has it: the
difference of two methods fold by fold, its variance times 1/J + n_test/n_train, J - 1 degrees of
freedom. Holm's adjustment is over all methods that are compared with one reference on one problem
in one metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.metrics import CORE_METRICS
from remix_study.results.comparison import Comparison
from remix_study.results.friedman import holm
from remix_study.results.intervals import Interval, paired_interval
from remix_study.results.methods import Method


@dataclass(frozen=True)
class PairedTest:
    """One method against a reference method in one metric.

    Attributes:
        metric: what was scored.
        reference: label of the reference.
        method: label of the method.
        difference: method minus reference with its corrected interval.
        t: the statistic; infinite where every fold has the same difference.
        degrees_of_freedom: of the t distribution.
        p: two-sided p-value.
        holm_p: the same, adjusted within the problem.
    """

    metric: str
    reference: str
    method: str
    difference: Interval
    t: float
    degrees_of_freedom: int
    p: float
    holm_p: float


def paired_tests(comparison: Comparison, remix: Method | None) -> tuple[PairedTest, ...]:
    """Test every method of a planned problem against the baseline and against ReMix.

    Args:
        comparison: the problem.
        remix: the ReMix method that the report speaks of; None tests against the baseline alone.

    Returns:
        Tests in each core metric; empty for a search.
    """
    if not comparison.is_grid:
        return ()
    return tuple(
        test
        for reference in (comparison.first_method("baseline"), remix)
        if reference is not None
        for metric in CORE_METRICS
        for test in _tests_against(comparison, reference, metric)
    )


def table(problems: Sequence[tuple[Comparison, Sequence[PairedTest]]]) -> pd.DataFrame:
    """Table of tests: one line a problem, metric, reference and method."""
    return pd.DataFrame(
        [
            {
                "study": comparison.study,
                "problem": comparison.problem,
                "metric": test.metric,
                "reference": test.reference,
                "row": test.method,
                "difference": test.difference.mean,
                "corrected_se": test.difference.standard_error,
                "low": test.difference.low,
                "high": test.difference.high,
                "folds": test.difference.folds,
                "test_train_ratio": comparison.ratio,
                "t": test.t,
                "degrees_of_freedom": test.degrees_of_freedom,
                "p": test.p,
                "holm_p": test.holm_p,
            }
            for comparison, tests in problems
            for test in tests
        ]
    )


def t_test(difference: Interval) -> tuple[float, float]:
    """Statistic and two-sided p-value of a corrected difference, J - 1 degrees of freedom."""
    if difference.standard_error == 0:
        if difference.mean == 0:
            return 0.0, 1.0
        return float(np.copysign(np.inf, difference.mean)), 0.0
    t = difference.mean / difference.standard_error
    return t, float(2 * stats.t.sf(abs(t), difference.folds - 1))


def _tests_against(comparison: Comparison, reference: Method, metric: str) -> list[PairedTest]:
    reference_scores = comparison.score(reference.label, metric)
    differences: dict[str, Interval] = {}
    for method in comparison.methods:
        scores = comparison.score(method.label, metric)
        if method.label == reference.label or scores.empty or reference_scores.empty:
            continue
        difference = paired_interval(scores, reference_scores, comparison.ratio)
        if difference.folds >= 2:
            differences[method.label] = difference
    statistics = [t_test(difference) for difference in differences.values()]
    adjusted = holm([p for _, p in statistics]) if statistics else np.empty(0)
    return [
        PairedTest(
            metric=metric,
            reference=reference.label,
            method=label,
            difference=difference,
            t=t,
            degrees_of_freedom=difference.folds - 1,
            p=p,
            holm_p=float(holm_p),
        )
        for (label, difference), (t, p), holm_p in zip(
            differences.items(), statistics, adjusted, strict=True
        )
    ]
