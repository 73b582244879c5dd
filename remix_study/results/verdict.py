"""The findings on one problem: ReMix against its rivals, validation's choice, probabilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.metrics import CORE_METRICS
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison, Untrained
from remix_study.results.corrections import DIVIDED, THRESHOLD
from remix_study.results.effects import Difference, Relation
from remix_study.results.methods import Method, alpha_distance
from remix_study.results.probability_quality import ProbabilityQuality, assess_probabilities
from remix_study.results.selection import Selection, select_by_validation

RIVALS = ("baseline", "balance", "cost", "logit-adjusted")
"""Strategies without mixing that ReMix is compared with."""

PROBABILITY_METRIC = "log_loss"
"""A method is chosen by this metric too, for uses of its probabilities."""

FEW_FOLDS = 10
FEW_ROWS = 10
"""Below these numbers of folds, and of test rows of a rare class, a page warns."""


@dataclass(frozen=True)
class Rival:
    """A method that ReMix is compared with.

    Attributes:
        name: the method's strategy, or the label of a corrected method.
        strategy: its strategy; of a corrected one "baseline", whose probabilities it has.
        differences: metric -> ReMix minus this method; objectives and core metrics.
    """

    name: str
    strategy: str
    differences: Mapping[str, Difference]
    objectives: tuple[str, ...]

    def relation(self, metric: str) -> Relation | None:
        """How ReMix compares with this method; None where there is nothing to compare."""
        difference = self.differences.get(metric)
        return difference.relation if difference else None

    @property
    def by_relation(self) -> dict[Relation, list[Difference]]:
        """Differences in the objectives, by what they are."""
        differences = [self.differences[m] for m in self.objectives if m in self.differences]
        relations: dict[Relation, list[Difference]] = {"better": [], "worse": [], "unclear": []}
        return relations | grouped(differences, lambda difference: difference.relation)


@dataclass(frozen=True, eq=False)
class Verdict:
    """All findings on one problem.

    Attributes:
        remix: the ReMix method; None without one, and for a search.
        probability_quality: of ReMix; None without a baseline.
        selections: what validation chooses by each objective and by `PROBABILITY_METRIC`.
    """

    comparison: Comparison
    remix: Method | None
    rivals: tuple[Rival, ...]
    probability_quality: ProbabilityQuality | None
    selections: tuple[Selection, ...]

    def rival(self, name: str) -> Rival | None:
        """The rival of this name; None if it was not run."""
        return next((rival for rival in self.rivals if rival.name == name), None)

    @property
    def others(self) -> tuple[Rival, ...]:
        """Rivals but the baseline and balancing."""
        return tuple(rival for rival in self.rivals if rival.name not in RIVALS[:2])

    @property
    def missing_rivals(self) -> tuple[str, ...]:
        """Strategies of `RIVALS` that were not run."""
        return tuple(name for name in RIVALS if self.remix and not self.rival(name))

    @property
    def remix_name(self) -> str:
        """ReMix with its alpha, as in "ReMix (0.1)"."""
        return f"ReMix ({self.remix.alpha:g})" if self.remix else "ReMix"

    def others_by_relation(self, metric: str) -> dict[Relation | None, list[Rival]]:
        """What ReMix is in a metric -> those of `others` that it is compared with in it."""
        compared = [rival for rival in self.others if metric in rival.differences]
        return grouped(compared, lambda rival: rival.relation(metric))

    @property
    def choices(self) -> dict[str, list[str]]:
        """Label of a chosen method -> metrics by which validation chooses it."""
        groups = grouped(self.selections, lambda selection: selection.overall.label)
        return {
            label: [selection.metric for selection in group] for label, group in groups.items()
        }

    @property
    def untrained(self) -> dict[str, Untrained]:
        """Methods that did not train, by label."""
        states = {m.label: self.comparison.untrained(m.label) for m in self.comparison.methods}
        return {label: state for label, state in states.items() if state}

    def is_untrained(self, rival: Rival) -> bool:
        """Whether a rival did not train: a difference over it is no gain."""
        return any(self.comparison.untrained(d.against) for d in rival.differences.values())

    @property
    def least_test_rows(self) -> int:
        """Smallest number of test rows of a rare class in a fold."""
        folds = self.comparison.folds
        return int(folds["minority_test"].min()) if len(folds) else 0


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
    """Compute all findings on a problem, with its corrected methods if it has some."""
    if not comparison.is_grid:
        # What a search chooses depends on its constraints and is in `SearchSummary`.
        return Verdict(comparison, None, (), None, ())
    remix = remix_method(comparison)
    selections = [
        select_by_validation(comparison, metric, remix)
        for metric in dict.fromkeys((*comparison.objectives, PROBABILITY_METRIC))
    ]
    return Verdict(
        comparison=comparison,
        remix=remix,
        rivals=_rivals(comparison, remix) if remix else (),
        probability_quality=assess_probabilities(comparison, remix) if remix else None,
        selections=tuple(selection for selection in selections if selection),
    )


def _rivals(comparison: Comparison, remix: Method) -> tuple[Rival, ...]:
    stored = ((name, comparison.first_method(name, remix.settings)) for name in RIVALS)
    labels = [(name, name, method.label) for name, method in stored if method]
    labels += [(name, "baseline", name) for name in (DIVIDED, THRESHOLD)]
    metrics = dict.fromkeys((*comparison.objectives, *CORE_METRICS))
    rivals = (
        Rival(name, strategy, differences, comparison.objectives)
        for name, strategy, label in labels
        if (differences := comparison.effects.differences(remix.label, label, metrics))
    )
    return tuple(rivals)


def tally(verdicts: Sequence[Verdict]) -> dict[str, dict[str, Counter[Relation]]]:
    """Count how ReMix compares over problems: objective -> rival -> relation -> problems.

    Rivals are the baseline and balancing without mixing; objectives without either are left out.
    """
    counts: dict[str, dict[str, Counter[Relation]]] = {}
    for metric in dict.fromkeys(m for v in verdicts for m in v.comparison.objectives):
        for name in RIVALS[:2]:
            rivals = [rival for verdict in verdicts if (rival := verdict.rival(name))]
            relations = [relation for rival in rivals if (relation := rival.relation(metric))]
            if relations:
                counts.setdefault(metric, {})[name] = Counter(relations)
    return counts


def table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Table of differences, ReMix minus rival: one line a problem, rival and metric."""
    return frame_of(
        (
            Record(problem=verdict.comparison, rival=rival, difference=difference)
            for verdict in verdicts
            for rival in verdict.rivals
            for difference in rival.differences.values()
        ),
        """study=problem.study problem=problem.problem remix=difference.method rival=rival.name
        metric=difference.metric difference=difference.mean low=difference.interval.low
        high=difference.interval.high folds=difference.interval.folds
        relation=difference.relation""",
    )


def choice_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Table of validation's choices with their test scores: one line a problem and metric."""
    return frame_of(
        (
            Record(problem=verdict.comparison, choice=selection)
            for verdict in verdicts
            for selection in verdict.selections
        ),
        """study=problem.study problem=problem.problem metric=choice.metric
        chosen_overall=choice.overall.label chosen_overall_test=choice.overall_test.mean
        chosen_most_often=choice.most_often times=choice.times folds=choice.folds
        fold_by_fold_test=choice.by_fold_test.mean
        fold_by_fold_low=choice.by_fold_test.interval.low
        fold_by_fold_high=choice.by_fold_test.interval.high
        best_in_hindsight=choice.hindsight.method best_in_hindsight_test=choice.hindsight.mean
        within_error_of_it simpler_and_not_worse""",
        within_error_of_it=lambda record: "; ".join(record.choice.within_error),
        simpler_and_not_worse=lambda record: "; ".join(record.choice.simpler),
    )
