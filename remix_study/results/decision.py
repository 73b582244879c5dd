"""The decision: which method to use on a problem, in which form, and what else would do.

Validation parts choose, test parts report. A score counts in units of its metric's region of
practical equivalence, so that several objectives add up: the utility of a form on a fold is the
sum over the objectives of score / region, errors negative. Where errors have costs, the expected
cost takes the place of the objectives. Each method competes in its form of the best mean utility.
Among the methods within one corrected standard error of the best one, the simplest is chosen:
reference estimators before networks, networks in the order of `SIMPLEST_FIRST`, probabilities as
trained before corrected ones.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Any

import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS
from remix_study.results.aims import COST, Aim, aim_of
from remix_study.results.comparison import Comparison
from remix_study.results.cost_curves import CostCurve, cost_curves
from remix_study.results.effects import Effects, Score
from remix_study.results.equivalence import Word, compare, if_enough, posterior_of, word_of
from remix_study.results.form_choice import choose, has_scores
from remix_study.results.form_draws import bootstrap_of_forms
from remix_study.results.form_summary import form_of
from remix_study.results.forms import Form, forms_of
from remix_study.results.intervals import Interval, corrected_interval
from remix_study.results.methods import Method
from remix_study.results.probabilities import ProbabilityReader
from remix_study.results.regions import constant_costs, region_of

RARE_METRICS = ("precision", "recall", "average_precision")
"""Scores of the rare class that a decision shows beside its objectives."""

_SHOWN_TRAINING = ("batch_size", "learning_rate", "epochs", "stop")


@dataclass(frozen=True, eq=False)
class Decision:
    """What to use on one problem.

    Attributes:
        comparison: The problem.
        entries: Every method with scores on all folds in its best form, the best one first, by
            validation utility.
        chosen: The simplest one within one standard error of the best.
        aim: What methods are compared in, and what thresholds are for.
        cost_curves: Of the chosen method, the baseline and the best reference estimator, where
            errors of two classes have costs.
    """

    comparison: Comparison
    entries: tuple[Form, ...]
    chosen: Form
    aim: Aim
    cost_curves: tuple[CostCurve, ...] = ()

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
        """Metrics that methods are compared in: the study's objectives, or what errors cost."""
        return tuple(m for m in self.aim.metrics if m in self.chosen.scores["test"])

    @cached_property
    def regions(self) -> Mapping[str, float]:
        """Half the width of the region of practical equivalence of each objective."""
        return {metric: region_of(self.comparison, metric) for metric in self.objectives}

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
    def baseline(self) -> Form | None:
        """The baseline in its best form; the better one of several."""
        return next((form for form in self.entries if form.method.strategy == "baseline"), None)

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
        features = dict(settings.get("features", {}))
        numeric = varied.get("features.numeric", features.get("numeric", "standard"))
        parts = [str(model.pop("name", "")), *(f"{key} {value}" for key, value in model.items())]
        if self.chosen.method.capacity:
            parts.append(f"{self.chosen.method.capacity:,} parameters")
        parts.append(f"{numeric} features")
        parts += [
            f"{key.replace('_', ' ')} {training[key]}"
            for key in _SHOWN_TRAINING
            if key in training
        ]
        return ", ".join(parts)

    def fit_command(self, *, is_only_problem: bool) -> str:
        """The command line that makes a model of it; it names the problem if there are several."""
        words = ["remix-study", "fit", self.comparison.study]
        return shlex.join(
            words if is_only_problem else [*words, "--problem", self.comparison.problem]
        )

    @property
    def threshold(self) -> float | None:
        """Probability from which on the rare class is predicted; None with more classes.

        It is of the probabilities that the chosen form gives: the one that validation rows choose,
        else the one that right probabilities ask for, one half where errors have no costs.
        """
        if len(self.comparison.info["classes"]) != 2:
            return None
        if self.chosen.threshold is not None:
            return self.chosen.threshold
        return self.aim.usual_threshold

    @property
    def expected_cost(self) -> Score | None:
        """Mean cost of a test row under the chosen form; None where errors have no costs."""
        return None if self.aim.costs is None else self.mean(self.chosen, COST)

    @property
    def constant_costs(self) -> Mapping[str, float]:
        """Class -> cost of a row where every row is decided for it; none without costs."""
        if self.aim.costs is None:
            return {}
        costs = constant_costs(self.comparison, self.aim.costs).tolist()
        return dict(zip(self.comparison.info["classes"], costs, strict=True))

    @property
    def lacks_probabilities(self) -> bool:
        """Whether costs or a floor that the study gives could not choose."""
        stated = aim_of(self.comparison.info)
        is_plain = self.aim.costs is None and self.aim.floor is None
        return is_plain and not (stated.costs is None and stated.floor is None)

    @property
    def against_constant(self) -> Word | None:
        """How the chosen form compares with the cheaper constant answer; None without costs."""
        if not self.expected_cost:
            return None
        interval = self.expected_cost.interval
        gap = replace(interval, mean=interval.mean - min(self.constant_costs.values()))
        return word_of(posterior_of(gap, COST, self.regions[COST]))

    def mean(self, form: Form, metric: str) -> Score | None:
        """Mean test score of an entry with its interval; None where it has none."""
        score = self._effects.score(form.label, metric)
        return replace(score, interval=if_enough(score.interval)) if score else None

    def difference(self, form: Form, against: Form, metric: str) -> Interval:
        """Test scores of one entry minus those of another, paired by fold."""
        difference = self._effects.difference(form.label, against.label, metric)
        return if_enough(difference.interval) if difference else corrected_interval((), math.nan)

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
        rope = self.regions.get(metric)
        return word_of(compare(first, second, metric, self.comparison.ratio, difference, rope))

    def shown_metrics(self) -> tuple[str, ...]:
        """Metrics of the decision's table: objectives, core metrics, those of the rare class."""
        chosen_by = self.aim.metrics, self.comparison.objectives, (self.aim.floor or ())[:1]
        names = dict.fromkeys((*chain(*chosen_by), *PUBLISHED_METRICS, *RARE_METRICS))
        return tuple(name for name in names if name in self.chosen.scores["test"])


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

    forms = [_forms_of(comparison, method, probabilities, summaries) for method in methods]
    aim = aim_of(comparison.info)
    if not all(any(_fits(form, aim) for form in of_method) for of_method in forms):
        # Without probabilities neither costs nor a floor can choose.
        aim = Aim(comparison.objectives)
    decision = Decision(comparison, *choose(comparison, forms, aim.metrics), aim)
    baseline = next((f for f in decision.entries if f.method.strategy == "baseline"), None)
    drawn = decision.chosen, baseline, decision.best_reference
    return replace(decision, cost_curves=cost_curves(comparison, aim, drawn, probabilities))


def _forms_of(
    comparison: Comparison,
    method: Method,
    probabilities: ProbabilityReader | None,
    summaries: Mapping[int, Mapping[str, Any]],
) -> list[Form]:
    """The forms of a method; of a summary the best one, which it holds unless it is as trained."""
    stored = summaries.get(method.run, {}).get("form")
    return [form_of(method, stored)] if stored else forms_of(comparison, method, probabilities)


def _fits(form: Form, aim: Aim) -> bool:
    """Whether a form has the scores, and with a floor the threshold, that an aim asks for."""
    return has_scores(form, aim.metrics) and (aim.floor is None or form.name == "threshold")
