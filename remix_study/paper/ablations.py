"""Ablations of the headline: the same problem and folds with one change of training.

The folds are the same, so a method is compared with itself fold by fold. The conclusion changes
if ReMix compares differently with another method (better, worse, or no clear difference, after
Holm over the other methods); another order of the means alone is not another conclusion. Whether
ReMix in particular gains or loses by the change follows from its lead over each other method,
check against main study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.metrics import better_or_worse, is_maximized
from remix_study.paper.published import REMIX
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Relation, t_test
from remix_study.results.intervals import Interval, paired_interval, score_interval
from remix_study.results.methods import PUBLISHED, Method
from remix_study.results.rank_sums import rank_means
from remix_study.results.significance import LEVEL, holm
from remix_study.results.study_roles import Check


@dataclass(frozen=True)
class MethodChange:
    """One row in one metric, as in the main study and in the check.

    Attributes:
        main: mean test score with its corrected interval.
        other: the same in the check.
        change: check minus main, paired by fold.
        p: two-sided p-value of the paired corrected t test.
        holm_p: the same, adjusted over the methods of this metric.
        rank_in_main: rank among the methods that both have.
        rank_in_check: the same in the check.
        epochs: median epochs of its networks, in the main study and in the check.
    """

    method: Method
    metric: str
    main: Interval
    other: Interval
    change: Interval
    p: float
    holm_p: float
    rank_in_main: float
    rank_in_check: float
    epochs: tuple[float, float]


@dataclass(frozen=True)
class LeadChange:
    """ReMix against one other method in one metric, in the main study and in the check.

    Attributes:
        rival: label of the other method.
        main: ReMix minus the rival in the main study.
        other: the same in the check.
        change: check minus main, paired by fold.
        relations: how ReMix compares with it, (main, check), after Holm over the rivals of each.
        holm_p: of the change, adjusted over the rivals.
    """

    metric: str
    rival: str
    main: Interval
    other: Interval
    change: Interval
    relations: tuple[Relation, Relation]
    holm_p: float


@dataclass(frozen=True)
class Ablation:
    """A check compared with its main study.

    Attributes:
        lines: by metric, then by method; only methods that are complete in both.
        leads: by metric, then by rival; empty without ReMix.
        left_out: methods that are not complete in both.
    """

    check: Check
    lines: tuple[MethodChange, ...]
    leads: tuple[LeadChange, ...]
    left_out: tuple[str, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that were compared."""
        return tuple(dict.fromkeys(change.metric for change in self.lines))

    def lines_of(self, metric: str) -> tuple[MethodChange, ...]:
        """Changes of the methods in one metric."""
        return tuple(
            method_change for method_change in self.lines if method_change.metric == metric
        )

    def leads_of(self, metric: str) -> tuple[LeadChange, ...]:
        """Changes of ReMix's leads in one metric."""
        return tuple(lead_change for lead_change in self.leads if lead_change.metric == metric)

    def has_changed(self, metric: str) -> bool | None:
        """Whether the conclusion is another one; None without ReMix and a rival."""
        lead_changes = self.leads_of(metric)
        return (
            any(
                lead_change.relations[0] != lead_change.relations[1]
                for lead_change in lead_changes
            )
            if lead_changes
            else None
        )


def compare_check(check: Check) -> Ablation:
    """Compare the published methods of a check with those of its main study."""
    published = [
        method for method in check.main.methods if (method.strategy, method.alpha) in PUBLISHED
    ]
    metrics = check.main.objectives
    methods = [
        method
        for method in published
        if all(_is_complete(check, method.label, m) for m in metrics)
    ]
    left_out = tuple(method.label for method in published if method not in methods)
    lines: list[MethodChange] = []
    leads: list[LeadChange] = []
    for metric in metrics if methods else ():
        lines += _method_changes(check, methods, metric)
        leads += _lead_changes(check, [method.label for method in methods], metric)
    return Ablation(check, tuple(lines), tuple(leads), left_out)


def ablation_table(ablations: Sequence[Ablation]) -> pd.DataFrame:
    """Ablations as a table, one line a check, metric and method."""
    return pd.DataFrame(
        [
            {
                "check": ablation.check.varied.study,
                "study": ablation.check.main.study,
                "problem": ablation.check.main.problem,
                "metric": change.metric,
                "row": change.method.label,
                "mean": change.main.mean,
                "low": change.main.low,
                "high": change.main.high,
                "rank": change.rank_in_main,
                "mean_in_check": change.other.mean,
                "low_in_check": change.other.low,
                "high_in_check": change.other.high,
                "rank_in_check": change.rank_in_check,
                "change": change.change.mean,
                "change_low": change.change.low,
                "change_high": change.change.high,
                "folds": change.change.folds,
                "test_train_ratio": change.change.ratio,
                "degrees_of_freedom": change.change.folds - 1,
                "p": change.p,
                "holm_p": change.holm_p,
                "median_epochs": change.epochs[0],
                "median_epochs_in_check": change.epochs[1],
                **_lead_columns(ablation, change),
            }
            for ablation in ablations
            for change in ablation.lines
        ]
    )


def _lead_columns(ablation: Ablation, change: MethodChange) -> dict[str, object]:
    """Columns on ReMix's lead over a method; none in ReMix's own line."""
    lead_change = next(
        (
            lead_change
            for lead_change in ablation.leads_of(change.metric)
            if lead_change.rival == change.method.label
        ),
        None,
    )
    if lead_change is None:
        return {}
    return {
        "remix_minus_row": lead_change.main.mean,
        "remix_is": lead_change.relations[0],
        "remix_minus_row_in_check": lead_change.other.mean,
        "remix_is_in_check": lead_change.relations[1],
        "change_of_lead": lead_change.change.mean,
        "change_of_lead_low": lead_change.change.low,
        "change_of_lead_high": lead_change.change.high,
        "change_of_lead_holm_p": lead_change.holm_p,
    }


def _is_complete(check: Check, label: str, metric: str) -> bool:
    return not any(
        comparison.missing_folds(label, metric) for comparison in (check.main, check.varied)
    )


def _method_changes(check: Check, methods: Sequence[Method], metric: str) -> list[MethodChange]:
    ratio = _ratio(check)
    labels = [method.label for method in methods]
    ranks = [_ranks(c, labels, metric) for c in (check.main, check.varied)]
    changes = [
        paired_interval(check.varied.score(name, metric), check.main.score(name, metric), ratio)
        for name in labels
    ]
    tests = [t_test(change)[1] for change in changes]
    adjusted = holm(tests)
    return [
        MethodChange(
            method=method,
            metric=metric,
            main=score_interval(metric, check.main.score(method.label, metric), check.main.ratio),
            other=score_interval(
                metric, check.varied.score(method.label, metric), check.varied.ratio
            ),
            change=change,
            p=p,
            holm_p=float(adjusted_p),
            rank_in_main=ranks[0][method.label],
            rank_in_check=ranks[1][method.label],
            epochs=(_epochs(check.main, method.label), _epochs(check.varied, method.label)),
        )
        for method, change, p, adjusted_p in zip(methods, changes, tests, adjusted, strict=True)
    ]


def _ranks(comparison: Comparison, labels: Sequence[str], metric: str) -> dict[str, float]:
    means = {name: float(comparison.score(name, metric).mean()) for name in labels}
    ranks = rank_means(pd.DataFrame([means]), maximize=is_maximized(metric))
    return {name: float(ranks[name].iloc[0]) for name in labels}


def _ratio(check: Check) -> float:
    # If one side stops by validation rows, the larger ratio is the conservative one.
    return max(check.main.ratio, check.varied.ratio)


def _epochs(comparison: Comparison, label: str) -> float:
    (run,) = (method.run for method in comparison.methods if method.label == label)
    return float(comparison.folds.loc[comparison.folds["run"] == run, "epochs"].median())


def _lead_changes(check: Check, labels: Sequence[str], metric: str) -> list[LeadChange]:
    rivals = [name for name in labels if name != REMIX]
    if REMIX not in labels or not rivals:
        return []
    sides = (check.main, check.varied)
    leads = [[c.score(REMIX, metric) - c.score(name, metric) for name in rivals] for c in sides]
    intervals = [
        [
            paired_interval(c.score(REMIX, metric), c.score(name, metric), c.ratio)
            for name in rivals
        ]
        for c in sides
    ]
    relations = [_relations_after_holm(metric, side) for side in intervals]
    changes = [
        paired_interval(after, before, _ratio(check)) for before, after in zip(*leads, strict=True)
    ]
    adjusted = holm([t_test(change)[1] for change in changes])
    return [
        LeadChange(metric, name, in_main, in_check, change, (relation, check_relation), float(p))
        for name, in_main, in_check, change, relation, check_relation, p in zip(
            rivals, *intervals, changes, *relations, adjusted, strict=True
        )
    ]


def _relations_after_holm(metric: str, intervals: Sequence[Interval]) -> list[Relation]:
    """How ReMix compares with each rival, after Holm over them."""
    adjusted = holm([t_test(interval)[1] for interval in intervals])
    return [
        "unclear" if p > LEVEL else better_or_worse(metric, interval.mean)
        for interval, p in zip(intervals, adjusted, strict=True)
    ]
