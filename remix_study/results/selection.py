"""What the validation parts would have chosen, and what that choice scores on the test parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from remix_study.metrics import is_maximized
from remix_study.results.comparison import Comparison
from remix_study.results.intervals import Interval, paired_interval, score_interval
from remix_study.results.methods import Method


@dataclass(frozen=True, eq=False)
class Selection:
    """The choice by one metric on one problem.

    Attributes:
        metric: by which was chosen and is scored.
        overall: the row with the best mean validation score over all folds.
        overall_test: its test score.
        most_often: the row that most folds chose by their own validation part.
        times: in how many folds.
        folds: in how many folds there was a choice.
        by_fold: (J,) test score of what each fold chose.
        by_fold_test: its interval; no row of a fold's test part took part in its choice.
        hindsight: the row with the best mean test score, which nobody can choose beforehand.
        hindsight_test: its test score, an optimistic number.
        within_error: labels of the rows whose paired difference to `hindsight` in the test parts
            cannot be told from zero, the best first.
        candidates: how many rows there were to choose from.
    """

    metric: str
    overall: Method
    overall_test: Interval
    most_often: str
    times: int
    folds: int
    by_fold: pd.Series[float]
    by_fold_test: Interval
    hindsight: Method
    hindsight_test: Interval
    within_error: tuple[str, ...]
    candidates: int


def select_by_validation(comparison: Comparison, metric: str) -> Selection | None:
    """Choose among all rows without a failed fold; None where there are not two."""
    rows = [
        row
        for row in comparison.methods
        if not comparison.missing_folds(row.label, metric)
        and len(comparison.score(row.label, metric, "validation")) == comparison.planned_folds
    ]
    if len(rows) < 2:
        return None
    labels = [row.label for row in rows]
    sign = 1.0 if is_maximized(metric) else -1.0
    validation = sign * comparison.scores["validation", metric][labels]
    test = comparison.scores["test", metric][labels]
    # Ties go to the row that stands first, the simpler one.
    overall = rows[labels.index(str(validation.mean().idxmax()))]
    hindsight = rows[labels.index(str((sign * test.mean()).idxmax()))]
    chosen = validation.to_numpy(dtype=np.float64).argmax(axis=1)
    values = test.to_numpy(dtype=np.float64)[np.arange(len(chosen)), chosen]
    by_fold = pd.Series(values, index=test.index)
    (most_often, times), *_ = Counter(labels[at] for at in chosen).most_common(1)
    order = (sign * test.mean()).sort_values(ascending=False, kind="stable").index
    within = tuple(
        str(label)
        for label in order
        if label != hindsight.label
        and not paired_interval(test[label], test[hindsight.label], comparison.ratio).excludes_zero
    )
    return Selection(
        metric,
        overall,
        score_interval(metric, test[overall.label], comparison.ratio),
        most_often,
        times,
        len(chosen),
        by_fold,
        score_interval(metric, by_fold, comparison.ratio),
        hindsight,
        score_interval(metric, test[hindsight.label], comparison.ratio),
        within,
        len(rows),
    )
