"""Choosing among the forms of methods by their validation scores."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import pandas as pd

from remix_study.metrics import better_sign
from remix_study.results.comparison import Comparison
from remix_study.results.forms import Form
from remix_study.results.intervals import influence_ratio, paired_interval
from remix_study.results.methods import SIMPLEST_FIRST
from remix_study.results.regions import region_of

# Boosting after forests: it ends by the validation rows that score it, which flatters it.
_SIMPLEST_ESTIMATORS = ("logistic-regression", "random-forest", "hist-gradient-boosting")
_FORMS = ("as trained", "equal shares", "natural shares", "threshold")


def choose(
    comparison: Comparison, forms: Sequence[Sequence[Form]], metrics: Collection[str]
) -> tuple[tuple[Form, ...], Form]:
    """The best form of each method, the best one first, and the chosen one among these.

    That is the simplest within one standard error of the best. Methods that did not train, or
    whose threshold misses the floor, are not chosen where another one is left.

    Args:
        comparison: The problem.
        forms: Of each method; those without scores in the metrics do not compete.
        metrics: What they are compared in.
    """
    regions = {metric: region_of(comparison, metric) for metric in metrics}

    @cache
    def utility(form: Form) -> pd.Series[float]:
        """Validation utility by fold, in regions of practical equivalence by metric."""
        scores = form.scores["validation"]
        total: Any = sum(better_sign(m) * scores[m] / region for m, region in regions.items())
        return total  # type: ignore[no-any-return]

    def mean_utility(form: Form) -> float:
        return float(utility(form).mean())

    best_forms = [
        max((form for form in of_method if has_scores(form, metrics)), key=mean_utility)
        for of_method in forms
    ]
    entries = sorted(best_forms, key=mean_utility, reverse=True)
    trained = [form for form in entries if not comparison.untrained(form.method.label)] or entries
    reaching = [form for form in trained if form.has_floor] or trained
    # The error is the corrected one of the difference; with fewer than two folds there is none.
    folds = comparison.trained_folds(reaching[0].method)
    ratio = influence_ratio(
        folds["n_train"], folds["n_validation"], folds["n_validation"], early_stopping=False
    )
    gaps = {form: paired_interval(utility(reaching[0]), utility(form), ratio) for form in reaching}
    near = [f for f, gap in gaps.items() if f is reaching[0] or gap.mean <= gap.standard_error]
    return tuple(entries), min(near, key=_simplicity)


def has_scores(form: Form, metrics: Collection[str]) -> bool:
    """Whether a form has scores in some metrics, on both parts."""
    return all({*metrics} <= {*scores} for scores in form.scores.values())


def _simplicity(form: Form) -> tuple[int, int, int]:
    """Sort key, the simplest first; `min` takes the better one of equals."""
    method = form.method
    names = _SIMPLEST_ESTIMATORS if method.is_estimator else SIMPLEST_FIRST
    name = method.strategy.removesuffix("-weighted")
    place = names.index(name) if name in names else len(names)
    return int(not method.is_estimator), place, _FORMS.index(form.name)
