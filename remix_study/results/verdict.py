"""What follows from the numbers of one problem: computed here, put into words elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.metrics import CORE_METRICS
from remix_study.results.alphas import alpha_distance
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import DIVIDED, THRESHOLD, CorrectedMethod
from remix_study.results.intervals import Interval, paired_interval
from remix_study.results.methods import Method
from remix_study.results.probability_quality import (
    ProbabilityQuality,
    Relation,
    assess_probabilities,
    relation,
    score_differences,
)
from remix_study.results.selection import Selection, select_by_validation

RIVALS = ("baseline", "balance", "cost", "logit-adjusted")
# From what is cheapest to run and explain to what is dearest.
SIMPLICITY = (
    THRESHOLD,
    DIVIDED,
    "baseline",
    "cost",
    "logit-adjusted",
    "balance",
    "smote",
    "mixup",
    "remix",
)
PROBABILITY_METRIC = "log_loss"
FEW_FOLDS = 10
FEW_ROWS = 10


@dataclass(frozen=True)
class Rival:
    """A row that ReMix is compared with.

    Attributes:
        name: the row's strategy, or the name of a corrected row.
        strategy: its strategy; of a corrected one "baseline", whose probabilities it has.
        means: metric -> its mean test score.
        differences: metric -> ReMix minus this row.
    """

    name: str
    strategy: str
    means: Mapping[str, float]
    differences: Mapping[str, Interval]

    def relation(self, metric: str) -> Relation | None:
        """How ReMix stands to this row; None where there is nothing to compare."""
        interval = self.differences.get(metric)
        return None if interval is None else relation(metric, interval)


@dataclass(frozen=True, eq=False)
class Verdict:
    """All findings on one problem."""

    comparison: Comparison
    remix: Method | None
    rivals: tuple[Rival, ...]
    missing_rivals: tuple[str, ...]
    probability_quality: ProbabilityQuality | None
    selections: tuple[Selection, ...]
    corrected: tuple[CorrectedMethod, ...]
    least_test_rows: int

    def rival(self, name: str) -> Rival | None:
        return next((rival for rival in self.rivals if rival.name == name), None)


def remix_method(comparison: Comparison) -> Method | None:
    """The ReMix row that the verdict speaks of: alpha 0.1, or else the alpha nearest to it."""
    rows = [
        row
        for row in comparison.methods
        if row.alpha
        and not row.is_augmented
        and (row.strategy == "remix" or row.parts == ("balanced", "beta", "cross-entropy"))
    ]
    return min(
        rows,
        key=lambda row: alpha_distance(row.alpha),
        default=None,
    )


def problem_verdict(comparison: Comparison, corrected: Sequence[CorrectedMethod]) -> Verdict:
    """Every finding on a problem, from its scores and its corrected rows."""
    remix = remix_method(comparison) if comparison.is_grid else None
    rivals = _rivals(comparison, remix, corrected) if remix else ()
    names = {rival.name for rival in rivals}
    metrics = dict.fromkeys((*comparison.objectives, PROBABILITY_METRIC))
    # What a search chose heeds its constraints; it has a section of its own.
    selections = [
        select_by_validation(comparison, metric) for metric in metrics if comparison.is_grid
    ]
    least = comparison.folds["minority_test"].min() if len(comparison.folds) else 0
    return Verdict(
        comparison=comparison,
        remix=remix,
        rivals=rivals,
        missing_rivals=tuple(name for name in RIVALS if name not in names) if remix else (),
        probability_quality=assess_probabilities(comparison, remix, corrected) if remix else None,
        selections=tuple(made for made in selections if made is not None),
        corrected=tuple(corrected),
        least_test_rows=int(least),
    )


def simpler_methods(verdict: Verdict, selection: Selection) -> tuple[str, ...]:
    """What needs less than the chosen row and cannot be told from it, or is better, on test."""
    comparison, chosen, metric = verdict.comparison, selection.overall, selection.metric
    if chosen.strategy not in SIMPLICITY:
        return ()
    own = comparison.score(chosen.label, metric)
    found = []
    for name in SIMPLICITY[: SIMPLICITY.index(chosen.strategy)]:
        made = next((made for made in verdict.corrected if made.name == name), None)
        options = [(name, made.score(metric))] if made else []
        options += [
            (row.label, comparison.score(row.label, metric))
            for row in comparison.methods
            if row.strategy == name and row.settings == chosen.settings
        ]
        found += [
            label
            for label, scores in options
            if len(scores) == len(own)
            and relation(metric, paired_interval(own, scores, comparison.ratio)) != "better"
        ]
    return tuple(found)


def _rivals(
    comparison: Comparison, remix: Method, corrected: Sequence[CorrectedMethod]
) -> tuple[Rival, ...]:
    rivals = []
    metrics = tuple(dict.fromkeys((*comparison.objectives, *CORE_METRICS)))
    for name in RIVALS:
        row = next(
            (r for r in comparison.methods if r.strategy == name and r.settings == remix.settings),
            None,
        )
        if row is not None:
            scores = {metric: comparison.score(row.label, metric) for metric in metrics}
            rivals.append(_rival(comparison, remix, name, name, scores))
    for name in (DIVIDED, THRESHOLD):
        made = next((r for r in corrected if r.name == name), None)
        if made is not None:
            scores = {metric: made.score(metric) for metric in metrics}
            rivals.append(_rival(comparison, remix, name, "baseline", scores))
    return tuple(rival for rival in rivals if rival.differences)


def _rival(
    comparison: Comparison,
    remix: Method,
    name: str,
    strategy: str,
    scores: Mapping[str, pd.Series[float]],
) -> Rival:
    means = {metric: float(values.mean()) for metric, values in scores.items() if len(values)}
    return Rival(name, strategy, means, score_differences(comparison, remix.label, scores))
