"""Which method validation parts choose, and what that choice scores on test parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from remix_study.metrics import better_sign
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import DIVIDED, THRESHOLD
from remix_study.results.effects import Difference, Effects, Score
from remix_study.results.methods import SIMPLEST_FIRST, Method

SIMPLICITY = (THRESHOLD, DIVIDED, *SIMPLEST_FIRST)
"""Strategies and corrections of the baseline, the simplest first."""

BY_FOLD = "chosen fold by fold"  # Stands for a method in the score of what each fold chooses


@dataclass(frozen=True, eq=False)
class Selection:
    """The choice by one metric on one problem.

    Attributes:
        metric: what was chosen by and is scored.
        overall: the method with the best mean validation score over all folds.
        overall_test: its mean test score.
        most_often: label of the method that most folds choose by their own validation part.
        times: number of folds that choose it.
        by_fold: (J,) test score of what each fold chooses.
        by_fold_test: mean of these; no row of a fold's test part takes part in its choice.
        by_fold_gain: that mean minus the test score of a fixed method.
        hindsight: the best mean test score, an optimistic number: its method cannot be known
            beforehand.
        within_error: labels of methods whose difference to that one may be zero, the best first.
        candidates: number of methods to choose from.
        simpler: labels of methods that are simpler than `overall` and not worse on test parts:
            they are better, or the difference may be zero.
    """

    metric: str
    overall: Method
    overall_test: Score
    most_often: str
    times: int
    by_fold: pd.Series[float]
    by_fold_test: Score
    by_fold_gain: Difference | None
    hindsight: Score
    within_error: tuple[str, ...]
    candidates: int
    simpler: tuple[str, ...]

    @property
    def folds(self) -> int:
        return len(self.by_fold)


def select_by_validation(
    comparison: Comparison, metric: str, fixed: Method | None = None
) -> Selection | None:
    """Choose among all methods without a failed fold by their validation scores.

    None with fewer than two such methods. `fixed` is what choosing in every fold is compared with.
    """
    methods = {
        method.label: method
        for method in comparison.methods
        if comparison.has_all_scores(method.label, metric)
    }
    if len(methods) < 2:
        return None
    labels, effects = list(methods), comparison.effects
    sign = better_sign(metric)
    validation = sign * comparison.scores["validation", metric][labels]
    all_test = comparison.scores["test", metric]
    test = all_test[labels]
    # Ties go to the first method, which is the simpler one.
    overall = str(validation.mean().idxmax())
    choices = validation.to_numpy(dtype=np.float64).argmax(axis=1)
    chosen_scores = test.to_numpy(dtype=np.float64)[np.arange(len(choices)), choices]
    by_fold = pd.Series(chosen_scores, index=test.index)
    (most_often, times), *_ = Counter(labels[choice] for choice in choices).most_common(1)
    bootstrap = comparison.bootstrap
    if bootstrap is not None:
        by_place = {place: labels[at] for place, at in zip(test.index, choices, strict=True)}
        bootstrap = replace(bootstrap, choices={BY_FOLD: by_place})
    with_choices = Effects(
        {("test", metric): all_test.assign(**{BY_FOLD: by_fold})},
        comparison.ratio,
        bootstrap=bootstrap,
    )
    means = (sign * test.mean()).sort_values(ascending=False, kind="stable")
    best, *others = map(str, means.index)
    differences = (effects.difference(label, best, metric) for label in others)
    # Methods of which no fold failed have scores.
    return Selection(
        metric=metric,
        overall=methods[overall],
        overall_test=cast("Score", effects.score(overall, metric)),
        most_often=most_often,
        times=times,
        by_fold=by_fold,
        by_fold_test=cast("Score", with_choices.score(BY_FOLD, metric)),
        by_fold_gain=with_choices.difference(BY_FOLD, fixed.label, metric) if fixed else None,
        hindsight=cast("Score", effects.score(best, metric)),
        within_error=tuple(d.method for d in differences if d and not d.interval.excludes_zero),
        candidates=len(methods),
        simpler=_simpler_methods(comparison, methods[overall], metric),
    )


def _simpler_methods(comparison: Comparison, chosen: Method, metric: str) -> tuple[str, ...]:
    if chosen.strategy not in SIMPLICITY:
        return ()
    labels: list[str] = []
    for name in SIMPLICITY[: SIMPLICITY.index(chosen.strategy)]:
        labels += [method.label for method in comparison.corrected if method.label == name]
        labels += [
            method.label
            for method in comparison.methods
            if method.strategy == name and method.settings == chosen.settings
        ]
    differences = (comparison.effects.difference(chosen.label, label, metric) for label in labels)
    return tuple(
        difference.against
        for difference in differences
        if difference
        and difference.interval.folds == comparison.planned_folds
        and difference.relation != "better"
    )
