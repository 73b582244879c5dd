"""The findings on one problem: ReMix against its rivals, validation's choice, probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.metrics import CORE_METRICS
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import DIVIDED, THRESHOLD
from remix_study.results.intervals import Interval, paired_interval
from remix_study.results.methods import SIMPLEST_FIRST, CorrectedMethod, Method, alpha_distance
from remix_study.results.probability_quality import (
    ProbabilityQuality,
    Relation,
    assess_probabilities,
    relation,
    score_differences,
)
from remix_study.results.selection import Selection, select_by_validation

RIVALS = ("baseline", "balance", "cost", "logit-adjusted")
"""Strategies without mixing that ReMix is compared with."""

SIMPLICITY = (THRESHOLD, DIVIDED, *SIMPLEST_FIRST)
"""Strategies and corrections of the baseline, the simplest first."""

PROBABILITY_METRIC = "log_loss"
"""A method is chosen by this metric too, for uses of its probabilities."""

FEW_FOLDS = 10
FEW_ROWS = 10
"""Below these numbers of folds, and of test rows of a rare class, a page warns."""


@dataclass(frozen=True)
class Rival:
    """A method that ReMix is compared with.

    Attributes:
        name: the method's strategy, or the name of a corrected method.
        strategy: its strategy; of a corrected one "baseline", whose probabilities it has.
        means: metric -> its mean test score.
        differences: metric -> ReMix minus this method.
    """

    name: str
    strategy: str
    means: Mapping[str, float]
    differences: Mapping[str, Interval]

    def relation(self, metric: str) -> Relation | None:
        """How ReMix compares with this method; None where there is nothing to compare."""
        interval = self.differences.get(metric)
        return None if interval is None else relation(metric, interval)


@dataclass(frozen=True, eq=False)
class Verdict:
    """All findings on one problem.

    Attributes:
        comparison: the problem.
        remix: the ReMix method; None without one, and for a search.
        rivals: what it is compared with.
        missing_rivals: strategies of `RIVALS` that were not run.
        probability_quality: of ReMix; None without a baseline.
        selections: what validation chooses by each objective and by `PROBABILITY_METRIC`.
        corrected: corrected methods of the problem.
        least_test_rows: smallest number of test rows of a rare class in a fold.
    """

    comparison: Comparison
    remix: Method | None
    rivals: tuple[Rival, ...]
    missing_rivals: tuple[str, ...]
    probability_quality: ProbabilityQuality | None
    selections: tuple[Selection, ...]
    corrected: tuple[CorrectedMethod, ...]
    least_test_rows: int

    def rival(self, name: str) -> Rival | None:
        """The rival of this name; None if it was not run."""
        return next((rival for rival in self.rivals if rival.name == name), None)


def remix_method(comparison: Comparison) -> Method | None:
    """The ReMix method of a verdict: at the published alpha, or else at the nearest to it."""
    candidates = [
        method
        for method in comparison.methods
        if method.alpha
        and not method.is_augmented
        and (method.strategy == "remix" or method.parts == ("balanced", "beta", "cross-entropy"))
    ]
    return min(candidates, key=lambda method: alpha_distance(method.alpha), default=None)


def problem_verdict(comparison: Comparison) -> Verdict:
    """Compute all findings on a problem."""
    corrected = comparison.corrected
    remix = remix_method(comparison) if comparison.is_grid else None
    rivals = _rivals(comparison, remix, corrected) if remix else ()
    names = {rival.name for rival in rivals}
    metrics = dict.fromkeys((*comparison.objectives, PROBABILITY_METRIC))
    # What a search chooses depends on its constraints and is in `SearchSummary`.
    selections = [
        select_by_validation(comparison, metric) for metric in metrics if comparison.is_grid
    ]
    least_test_rows = comparison.folds["minority_test"].min() if len(comparison.folds) else 0
    return Verdict(
        comparison=comparison,
        remix=remix,
        rivals=rivals,
        missing_rivals=tuple(name for name in RIVALS if name not in names) if remix else (),
        probability_quality=assess_probabilities(comparison, remix, corrected) if remix else None,
        selections=tuple(selection for selection in selections if selection is not None),
        corrected=corrected,
        least_test_rows=int(least_test_rows),
    )


def simpler_methods(verdict: Verdict, selection: Selection) -> tuple[str, ...]:
    """Labels of methods that are simpler than the chosen one and not worse on test parts.

    A method that is better, or whose difference may be zero, is not worse.
    """
    comparison, chosen, metric = verdict.comparison, selection.overall, selection.metric
    if chosen.strategy not in SIMPLICITY:
        return ()
    chosen_scores = comparison.score(chosen.label, metric)
    candidates: list[tuple[str, pd.Series[float]]] = []
    for name in SIMPLICITY[: SIMPLICITY.index(chosen.strategy)]:
        corrected = _corrected_method(verdict.corrected, name)
        if corrected is not None:
            candidates.append((name, comparison.score(corrected.label, metric)))
        candidates += [
            (method.label, comparison.score(method.label, metric))
            for method in comparison.methods
            if method.strategy == name and method.settings == chosen.settings
        ]
    return tuple(
        label
        for label, scores in candidates
        if len(scores) == len(chosen_scores)
        and relation(metric, paired_interval(chosen_scores, scores, comparison.ratio)) != "better"
    )


def _corrected_method(corrected: Sequence[CorrectedMethod], name: str) -> CorrectedMethod | None:
    return next((method for method in corrected if method.label == name), None)


def _rivals(
    comparison: Comparison, remix: Method, corrected: Sequence[CorrectedMethod]
) -> tuple[Rival, ...]:
    rivals = []
    metrics = tuple(dict.fromkeys((*comparison.objectives, *CORE_METRICS)))
    for name in RIVALS:
        method = comparison.first_method(name, remix.settings)
        if method is not None:
            scores = {metric: comparison.score(method.label, metric) for metric in metrics}
            rivals.append(_rival(comparison, remix, name, name, scores))
    for name in (DIVIDED, THRESHOLD):
        corrected_method = _corrected_method(corrected, name)
        if corrected_method is not None:
            scores = {metric: comparison.score(name, metric) for metric in metrics}
            rivals.append(_rival(comparison, remix, name, "baseline", scores))
    return tuple(rival for rival in rivals if rival.differences)


def _rival(
    comparison: Comparison,
    remix: Method,
    name: str,
    strategy: str,
    scores: Mapping[str, pd.Series[float]],
) -> Rival:
    means = {metric: float(by_fold.mean()) for metric, by_fold in scores.items() if len(by_fold)}
    return Rival(name, strategy, means, score_differences(comparison, remix.label, scores))
