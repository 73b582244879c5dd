"""Paired corrected resampled t tests on one problem, adjusted within it.

Nadeau and Bengio's correction for repeated cross-validation, as `statistics` has it: the
difference of two rows fold by fold, its variance times 1/J + n_test/n_train, J - 1 degrees of
freedom. Holm's adjustment is over all rows that are compared with one reference on one problem
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

REFERENCES = ("baseline", "remix")


@dataclass(frozen=True)
class PairedTest:
    """One row against a reference in one metric.

    Attributes:
        reference: label of the row that it is held against.
        method: its label.
        difference: row minus reference with its corrected interval.
        t: the statistic; infinite where every fold has the same difference.
        degrees_of_freedom: degrees of freedom.
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
    """Every row of a planned problem against the baseline and against ReMix.

    Args:
        comparison: the problem.
        remix: the ReMix row that the report speaks of.
    """
    if not comparison.is_grid:
        return ()
    baseline = next(
        (row for row in comparison.methods if row.strategy == "baseline" and not row.settings),
        None,
    )
    found: list[PairedTest] = []
    for reference in (baseline, remix):
        if reference is not None:
            for metric in CORE_METRICS:
                found += _against(comparison, reference, metric)
    return tuple(found)


def table(found: Sequence[tuple[Comparison, Sequence[PairedTest]]]) -> pd.DataFrame:
    """One line a problem, metric, reference and row."""
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
            for comparison, tests in found
            for test in tests
        ]
    )


def _against(comparison: Comparison, reference: Method, metric: str) -> list[PairedTest]:
    base = comparison.score(reference.label, metric)
    made: list[tuple[Method, Interval, float, float]] = []
    for row in comparison.methods:
        scores = comparison.score(row.label, metric)
        if row.label == reference.label or scores.empty or base.empty:
            continue
        difference = paired_interval(scores, base, comparison.ratio)
        if difference.folds >= 2:
            t, p = t_test(difference)
            made.append((row, difference, t, p))
    adjusted = holm([p for *_, p in made]) if made else np.empty(0)
    return [
        PairedTest(
            metric, reference.label, row.label, difference, t, difference.folds - 1, p, float(own)
        )
        for (row, difference, t, p), own in zip(made, adjusted, strict=True)
    ]


def t_test(difference: Interval) -> tuple[float, float]:
    """Statistic and two-sided p-value of a corrected difference, J - 1 degrees of freedom."""
    if difference.standard_error == 0:
        return (
            (0.0, 1.0)
            if difference.mean == 0
            else (float(np.copysign(np.inf, difference.mean)), 0.0)
        )
    t = difference.mean / difference.standard_error
    return t, float(2 * stats.t.sf(abs(t), difference.folds - 1))
