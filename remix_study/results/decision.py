"""The decision: which method to use on a problem, in which form, and what else would do.

Validation parts choose, test parts report. A score counts in units of its metric's region of
practical equivalence, so that several objectives add up: the utility of a form on a fold is the
sum over the objectives of score / region, errors negative. Each method competes in the form with
the best mean utility. Among the methods within one corrected standard error of the best one, the
simplest is chosen: reference estimators before networks, networks in the order of
`SIMPLEST_FIRST`, probabilities as trained before corrected ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, better_sign
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Effects, Score
from remix_study.results.equivalence import FEWEST_FOLDS, Word, compare, rope_of, word_of
from remix_study.results.form_draws import bootstrap_of_forms
from remix_study.results.form_summary import form_of
from remix_study.results.forms import Form, forms_of
from remix_study.results.intervals import (
    Interval,
    corrected_interval,
    influence_ratio,
    paired_interval,
)
from remix_study.results.methods import SIMPLEST_FIRST, Method
from remix_study.results.probabilities import ProbabilityReader

RARE_METRICS = ("precision", "recall", "average_precision")
"""Scores of the rare class that a decision shows beside its objectives."""

_SIMPLEST_ESTIMATORS = ("logistic-regression", "hist-gradient-boosting", "random-forest")
_SHOWN_TRAINING = ("batch_size", "learning_rate", "epochs", "stop")
_FORMS = ("as trained", "equal shares", "natural shares", "threshold")


@dataclass(frozen=True, eq=False)
class Decision:
    """What to use on one problem.

    Attributes:
        comparison: The problem.
        entries: Every method with scores on all folds in its best form, the best one first, by
            validation utility.
        chosen: The simplest one within one standard error of the best.
    """

    comparison: Comparison
    entries: tuple[Form, ...]
    chosen: Form

    @cached_property
    def words(self) -> Mapping[str, Mapping[str, Word]]:
        """Label of each other entry -> objective -> how it compares with the chosen one (test)."""
        return {
            form.label: {m: self.word(form, self.chosen, m) for m in self.objectives}
            for form in self._trained
            if form is not self.chosen
        }

    @property
    def objectives(self) -> tuple[str, ...]:
        return tuple(m for m in self.comparison.objectives if m in self.chosen.scores["test"])

    @property
    def practically_equal(self) -> tuple[str, ...]:
        """Labels of entries that are practically equal to the chosen one on every objective."""
        return self._labels(lambda words: words == {"practically equal"})

    @property
    def better(self) -> tuple[str, ...]:
        """Labels of entries that test parts show to be better, and worse on no objective."""
        return self._labels(lambda words: "better" in words and "worse" not in words)

    @property
    def cannot_tell(self) -> tuple[str, ...]:
        """Labels of entries that are worse on no objective, and not surely better or equal."""
        return self._labels(
            lambda words: "cannot tell" in words and not words & {"better", "worse"}
        )

    def _labels(self, holds: Any) -> tuple[str, ...]:
        return tuple(label for label, words in self.words.items() if holds(set(words.values())))

    @property
    def did_not_train(self) -> tuple[str, ...]:
        """Labels of methods whose networks learned nothing on a quarter of the folds or more."""
        labels = (method.label for method in self.comparison.methods)
        return tuple(label for label in labels if self.comparison.untrained(label))

    @cached_property
    def _trained(self) -> tuple[Form, ...]:
        """The entries but those that did not train, which nobody is compared with in words."""
        untrained = self.did_not_train
        return tuple(form for form in self.entries if form.method.label not in untrained)

    @property
    def best_reference(self) -> Form | None:
        """The best reference estimator, by validation."""
        return next((form for form in self._trained if form.method.is_estimator), None)

    @property
    def best_network(self) -> Form | None:
        """The best network, by validation."""
        return next((form for form in self._trained if not form.method.is_estimator), None)

    @property
    def best_mixed(self) -> Form | None:
        """The best method that mixes rows, by validation."""
        return next((form for form in self._trained if form.method.mixing != "none"), None)

    @property
    def best_unmixed(self) -> Form | None:
        """The best network that is not trained on mixed rows, by validation."""
        networks = (form for form in self._trained if not form.method.is_estimator)
        return next((form for form in networks if form.method.mixing == "none"), None)

    @cached_property
    def network(self) -> str | None:
        """The chosen network in words; None of a reference estimator."""
        if self.chosen.method.is_estimator:
            return None
        settings = self.comparison.info.get("settings") or self.comparison.definition or {}
        varied = self.chosen.method.parameters
        model = dict(settings.get("model", {}))
        model |= {k.removeprefix("model."): v for k, v in varied.items() if k.startswith("model.")}
        training = {**settings.get("training", {}), **varied}
        parts = [str(model.pop("name", "")), *(f"{key} {value}" for key, value in model.items())]
        parts += [f"{key} {training[key]}" for key in _SHOWN_TRAINING if key in training]
        parts += [f"{k} {v}" for k, v in varied.items() if k.startswith("features.")]
        return ", ".join(parts)

    @property
    def threshold(self) -> float | None:
        """Probability from which on the rare class is predicted; None with more classes.

        It is of the probabilities that the chosen form gives: half where they decide as they are,
        else the median of the folds' thresholds.
        """
        if len(self.comparison.info["classes"]) != 2:
            return None
        if self.chosen.name == "threshold":
            return float(np.median(self.chosen.thresholds))
        return 0.5

    def mean(self, form: Form, metric: str) -> Score | None:
        """Mean test score of an entry with its interval; None where it has none."""
        score = self._effects.score(form.label, metric)
        return replace(score, interval=_if_enough(score.interval)) if score else None

    def difference(self, form: Form, against: Form, metric: str) -> Interval:
        """Test scores of one entry minus those of another, paired by fold."""
        difference = self._effects.difference(form.label, against.label, metric)
        return _if_enough(difference.interval) if difference else corrected_interval((), math.nan)

    @cached_property
    def _effects(self) -> Effects:
        """Effects of the entries' test scores, by their labels."""
        by_label = {form.label: form.scores["test"] for form in self.entries}
        metrics = dict.fromkeys(str(metric) for frame in by_label.values() for metric in frame)
        scores = {
            ("test", m): pd.DataFrame({k: f[m] for k, f in by_label.items() if m in f})
            for m in metrics
        }
        draws = bootstrap_of_forms(self.comparison.bootstrap, self.entries)
        return Effects(scores, self.comparison.ratio, bootstrap=draws)

    def word(self, form: Form, against: Form, metric: str) -> Word:
        """How one entry compares with another on test parts."""
        first, second = form.scores["test"][metric], against.scores["test"][metric]
        difference = self.difference(form, against, metric)
        return word_of(compare(first, second, metric, self.comparison.ratio, difference))

    def shown_metrics(self) -> tuple[str, ...]:
        """Metrics of the decision's table: objectives, core metrics, those of the rare class."""
        names = dict.fromkeys((*self.comparison.objectives, *PUBLISHED_METRICS, *RARE_METRICS))
        return tuple(name for name in names if name in self.chosen.scores["test"])


def _if_enough(interval: Interval) -> Interval:
    """The interval without its ends where too few folds give it; draws of rows are enough."""
    if interval.folds >= FEWEST_FOLDS or interval.draws:
        return interval
    return replace(interval, low=math.nan, high=math.nan)


def decide(
    comparison: Comparison,
    probabilities: ProbabilityReader | None,
    summaries: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
) -> Decision | None:
    """Choose a method by validation.

    Args:
        comparison: The problem.
        probabilities: None where there are none.
        summaries: Run without probabilities -> what is stored of it, its best form among that.

    None where no method has scores on every fold, and for a search under constraints, whose
    choice is its own.
    """
    if comparison.info.get("constraints"):
        return None
    methods = [
        method
        for method in comparison.methods
        if all(comparison.has_all_scores(method.label, m) for m in comparison.objectives)
    ]
    if not methods:
        return None

    def utility(form: Form) -> float:
        return float(_utility(comparison, form).mean())

    def best_form(method: Method) -> Form:
        forms = forms_of(comparison, method, probabilities)
        stored = summaries.get(method.run, {}).get("form")
        return max([*forms, *([form_of(method, stored)] if stored else [])], key=utility)

    best_forms = [best_form(method) for method in methods]
    entries = sorted(best_forms, key=utility, reverse=True)
    trained = [form for form in entries if not comparison.untrained(form.method.label)] or entries
    near = [form for form in trained if _is_near(comparison, form, trained[0])]
    return Decision(comparison, tuple(entries), min(near, key=_simplicity))


def _utility(comparison: Comparison, form: Form) -> pd.Series[float]:
    """Validation utility by fold, in regions of practical equivalence."""
    scores = form.scores["validation"]
    total: Any = sum(
        better_sign(metric) * scores[metric] / rope_of(metric) for metric in comparison.objectives
    )
    return total  # type: ignore[no-any-return]


def _is_near(comparison: Comparison, form: Form, best: Form) -> bool:
    """Whether a form is within one corrected standard error of the best one on validation parts.

    The error is that of their difference; with fewer than two folds there is none.
    """
    folds = comparison.trained_folds(best.method)
    ratio = influence_ratio(
        folds["n_train"], folds["n_validation"], folds["n_validation"], early_stopping=False
    )
    gap = paired_interval(_utility(comparison, best), _utility(comparison, form), ratio)
    return bool(form is best or gap.mean <= gap.standard_error)


def _simplicity(form: Form) -> tuple[int, int, int]:
    """Sort key, the simplest first; `min` takes the better one of equals."""
    method = form.method
    names = _SIMPLEST_ESTIMATORS if method.is_estimator else SIMPLEST_FIRST
    name = method.strategy.removesuffix("-weighted")
    place = names.index(name) if name in names else len(names)
    return int(not method.is_estimator), place, _FORMS.index(form.name)
