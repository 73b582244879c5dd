"""Which method validation parts choose, and what that choice scores on test parts."""

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
        metric: what was chosen by and is scored.
        overall: the method with the best mean validation score over all folds.
        overall_test: its mean test score.
        most_often: label of the method that most folds choose by their own validation part.
        times: number of folds that choose it.
        folds: number J of folds.
        by_fold: (J,) test score of what each fold chooses.
        by_fold_test: mean of these; no row of a fold's test part takes part in its choice.
        hindsight: the method with the best mean test score, which cannot be known beforehand.
        hindsight_test: its mean test score, an optimistic number.
        within_error: labels of methods whose paired difference to `hindsight` on test parts may
            be zero, the best first.
        candidates: number of methods to choose from.
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
    """Choose among all methods without a failed fold by their validation scores.

    Args:
        comparison: the problem.
        metric: what is chosen by.

    Returns:
        The choice; None with fewer than two such methods.
    """
    methods = [
        method
        for method in comparison.methods
        if not comparison.missing_folds(method.label, metric)
        and len(comparison.score(method.label, metric, "validation")) == comparison.planned_folds
    ]
    if len(methods) < 2:
        return None
    labels = [method.label for method in methods]
    sign = 1.0 if is_maximized(metric) else -1.0
    validation = sign * comparison.scores["validation", metric][labels]
    test = comparison.scores["test", metric][labels]
    # Ties go to the first method, which is the simpler one.
    overall = methods[labels.index(str(validation.mean().idxmax()))]
    hindsight = methods[labels.index(str((sign * test.mean()).idxmax()))]
    choices = validation.to_numpy(dtype=np.float64).argmax(axis=1)
    chosen_scores = test.to_numpy(dtype=np.float64)[np.arange(len(choices)), choices]
    by_fold = pd.Series(chosen_scores, index=test.index)
    (most_often, times), *_ = Counter(labels[choice] for choice in choices).most_common(1)
    best_first = (sign * test.mean()).sort_values(ascending=False, kind="stable").index
    within_error = tuple(
        str(label)
        for label in best_first
        if label != hindsight.label
        and not paired_interval(test[label], test[hindsight.label], comparison.ratio).excludes_zero
    )
    return Selection(
        metric=metric,
        overall=overall,
        overall_test=score_interval(metric, test[overall.label], comparison.ratio),
        most_often=most_often,
        times=times,
        folds=len(choices),
        by_fold=by_fold,
        by_fold_test=score_interval(metric, by_fold, comparison.ratio),
        hindsight=hindsight,
        hindsight_test=score_interval(metric, test[hindsight.label], comparison.ratio),
        within_error=within_error,
        candidates=len(methods),
    )
