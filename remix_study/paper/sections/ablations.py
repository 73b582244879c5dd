"""The checks section: ablations of the headline, and whether the conclusion changes.

A check is the same problem on the same folds with one change of training, so a method is compared
with itself fold by fold. The conclusion changes if ReMix compares differently with another method
(better, worse, or no clear difference, after Holm over the other methods); another order of the
means alone is not another conclusion. Whether ReMix in particular gains or loses by the change
follows from its lead over each other method, check against main study.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

import pandas as pd

from remix_study.metrics import is_maximized, short_name
from remix_study.paper import SENTENCES
from remix_study.paper.table2 import REMIX
from remix_study.report import figures
from remix_study.report.figures import INK, Picture, figure
from remix_study.report.formatting import MISSING, digits, listing, number, p_value, plain, signed
from remix_study.report.formatting import span as interval_span
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.report.page_tables import Column, line_table, method_cell, relation_kind
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference, Relation, Score, with_holm
from remix_study.results.intervals import Interval, paired_interval
from remix_study.results.methods import Method, is_published
from remix_study.results.rank_sums import rank_means
from remix_study.results.study_roles import Check


@dataclass(frozen=True)
class MethodInStudy:
    """A method in one of the two studies: its rank among shared methods, its median epochs."""

    score: Score
    rank: float
    epochs: float


@dataclass(frozen=True)
class LeadChange:
    """ReMix minus another method, each with Holm's p-value over the other methods.

    The change is check minus main study, paired by fold.
    """

    main: Difference
    check: Difference
    change: Difference

    @property
    def has_changed(self) -> bool:
        return self.main.relation_after_holm != self.check.relation_after_holm


@dataclass(frozen=True)
class MethodChange:
    """One method in one metric, and ReMix against it; None for ReMix, and without it.

    The change is check minus main study, paired by fold, with Holm's p-value over the methods.
    """

    method: Method
    main: MethodInStudy
    check: MethodInStudy
    change: Difference
    lead: LeadChange | None


@dataclass(frozen=True)
class MetricChanges:
    """All methods in one metric."""

    metric: str
    methods: tuple[MethodChange, ...]

    @property
    def leads(self) -> list[LeadChange]:
        """ReMix against each other method; none without ReMix."""
        return [change.lead for change in self.methods if change.lead]

    @property
    def has_changed(self) -> bool | None:
        """Whether the conclusion is another one; None without ReMix and a rival."""
        return any(lead.has_changed for lead in self.leads) if self.leads else None

    @property
    def rivals_by_relation(self) -> dict[Relation, list[LeadChange]]:
        """How ReMix compares in the check -> the methods that it so compares with."""
        return grouped(self.leads, lambda lead: lead.check.relation_after_holm)

    def leaders(self, side: Literal["main", "check"]) -> list[str]:
        """Labels of the first by their means in the main study or in the check."""
        ranks = {change.method.label: getattr(change, side).rank for change in self.methods}
        return [label for label, rank in ranks.items() if rank == min(ranks.values())]


@dataclass(frozen=True)
class Ablation:
    """A check compared with its main study, in the methods that are complete in both."""

    check: Check
    metrics: tuple[MetricChanges, ...]
    left_out: tuple[str, ...]


def sections(checks: Sequence[Check]) -> tuple[Section, ...]:
    """The section of the page; none without a check."""
    if not checks:
        return ()
    ablations = [compare_check(check) for check in checks]
    files = {"checks": _table_of(ablations)}
    lead = SENTENCES.text("checks.lead")
    blocks = tuple(map(_block, ablations))
    return (Section("checks", "Checks", lead, blocks, files, is_folded=True),)


def compare_check(check: Check) -> Ablation:
    """Compare the published methods of a check with those of its main study."""
    metrics = check.main.objectives
    published = [method for method in check.main.methods if is_published(method)]
    methods = [
        method
        for method in published
        if not any(
            comparison.missing_folds(method.label, metric)
            for comparison in (check.main, check.varied)
            for metric in metrics
        )
    ]
    return Ablation(
        check,
        tuple(_metric_changes(check, methods, metric) for metric in metrics if methods),
        tuple(method.label for method in published if method not in methods),
    )


def _metric_changes(check: Check, methods: Sequence[Method], metric: str) -> MetricChanges:
    labels = [method.label for method in methods]
    main, varied = (_in_study(c, labels, metric) for c in (check.main, check.varied))
    changes = with_holm([_change(check, label, label, metric) for label in labels])
    rivals = [label for label in labels if label != REMIX] if REMIX in labels else []
    sides = (
        with_holm([d for rival in rivals if (d := c.effects.difference(REMIX, rival, metric))])
        for c in (check.main, check.varied)
    )
    lead_changes = with_holm([_change(check, REMIX, rival, metric) for rival in rivals])
    leads = {lead.main.against: lead for lead in map(LeadChange, *sides, lead_changes)}
    lines = zip(methods, main, varied, changes, map(leads.get, labels), strict=True)
    return MetricChanges(metric, tuple(MethodChange(*line) for line in lines))


def _in_study(comparison: Comparison, labels: Sequence[str], metric: str) -> list[MethodInStudy]:
    scores = [score for label in labels if (score := comparison.effects.score(label, metric))]
    means = pd.DataFrame([[score.mean for score in scores]])
    ranks = rank_means(means, maximize=is_maximized(metric)).iloc[0]
    runs = {method.label: method.run for method in comparison.methods}
    epochs = comparison.folds.groupby("run")["epochs"].median()
    return [
        MethodInStudy(score, float(rank), float(epochs[runs[score.method]]))
        for score, rank in zip(scores, ranks, strict=True)
    ]


def _change(check: Check, label: str, against: str, metric: str) -> Difference:
    """The change of a method's lead over another one, or of its own scores if they are one."""

    def by_fold(comparison: Comparison) -> pd.Series[float]:
        scores = comparison.score(label, metric)
        return scores if against == label else scores - comparison.score(against, metric)

    # If one side stops by validation rows, the larger ratio is the conservative one.
    ratio = max(check.main.ratio, check.varied.ratio)
    interval = paired_interval(by_fold(check.varied), by_fold(check.main), ratio)
    return Difference(label, against, metric, interval)


def _table_of(ablations: Sequence[Ablation]) -> pd.DataFrame:
    """One line a check, metric and method."""
    lines = [
        Record(check=ablation.check, metric=changes.metric, change=change)
        for ablation in ablations
        for changes in ablation.metrics
        for change in changes.methods
    ]
    lead_columns = {
        "remix_minus_row": "main.mean",
        "remix_is": "main.relation_after_holm",
        "remix_minus_row_in_check": "check.mean",
        "remix_is_in_check": "check.relation_after_holm",
        "change_of_lead": "change.mean",
        "change_of_lead_low": "change.interval.low",
        "change_of_lead_high": "change.interval.high",
        "change_of_lead_holm_p": "change.holm_p",
    }
    has_leads = any(line.change.lead for line in lines)
    return frame_of(
        lines,
        """check=check.varied.study study=check.main.study problem=check.main.problem metric
        row=change.method.label mean=change.main.score.mean low=change.main.score.interval.low
        high=change.main.score.interval.high rank=change.main.rank
        mean_in_check=change.check.score.mean low_in_check=change.check.score.interval.low
        high_in_check=change.check.score.interval.high rank_in_check=change.check.rank
        change=change.change.mean change_low=change.change.interval.low
        change_high=change.change.interval.high folds=change.change.interval.folds
        test_train_ratio=change.change.interval.ratio
        degrees_of_freedom=change.change.degrees_of_freedom p=change.change.p
        holm_p=change.change.holm_p median_epochs=change.main.epochs
        median_epochs_in_check=change.check.epochs """
        + " ".join(lead_columns if has_leads else ()),
        **{name: _of_lead(path) for name, path in lead_columns.items()},
    )


def _of_lead(path: str) -> Callable[[Record], object]:
    value_of = attrgetter(path)
    return lambda line: value_of(line.change.lead) if line.change.lead else math.nan


def _block(ablation: Ablation) -> Block:
    check = ablation.check
    return Block(
        title=f"{check.varied.study}: {check.main.full_title}",
        text=SENTENCES.paragraphs("checks.block", ablation),
        pictures=(_picture(ablation),) if ablation.metrics else (),
        tables=tuple(_table(changes, check) for changes in ablation.metrics),
    )


def _table(changes: MetricChanges, check: Check) -> Table:
    n = digits(changes.metric)

    def span(interval: Interval) -> str:
        return interval_span(interval.low, interval.high, n)

    def score(side: MethodInStudy) -> Cell:
        return Cell(number(side.score.mean, n), span(side.score.interval))

    def change(d: Difference) -> Cell:
        kind = relation_kind(d.relation_after_holm)
        return Cell(signed(d.mean, n), span(d.interval), kind)

    columns: tuple[Column[MethodChange], ...] = (
        Column("method", lambda line: method_cell(line.method)),
        Column(Head(check.main.study, "95 % interval"), lambda line: score(line.main)),
        Column("rank", lambda line: plain(line.main.rank)),
        Column(Head(check.varied.study, "95 % interval"), lambda line: score(line.check)),
        Column("rank", lambda line: plain(line.check.rank)),
        Column(Head("change", "95 % interval"), lambda line: change(line.change)),
        Column("Holm’s p", lambda line: p_value(line.change.holm_p)),
        Column(
            Head("change of ReMix minus row", "95 % interval"),
            lambda line: change(line.lead.change) if line.lead else MISSING,
        ),
        Column(
            "Holm’s p", lambda line: p_value(line.lead.change.holm_p) if line.lead else MISSING
        ),
    )
    return line_table(SENTENCES.phrase("checks.caption", changes, check), changes.methods, columns)


def _picture(ablation: Ablation) -> Picture:
    """Draw a panel a metric: each method in the main study and in the check."""
    labels = [line.method.label for line in ablation.metrics[0].methods]
    study, check_study = ablation.check.main.study, ablation.check.varied.study
    with figure(9.4, 1.1 + 0.34 * len(labels)) as fig:
        panels = fig.subplots(1, len(ablation.metrics), sharey=True, squeeze=False)[0]
        for axes, changes in zip(panels, ablation.metrics, strict=True):
            figures.rule_lines(axes, len(labels))
            for height, line in enumerate(changes.methods):
                color = figures.strategy_color(line.method.strategy)
                main, varied = line.main.score.interval, line.check.score.interval
                figures.draw_interval(axes, main, height - 0.14, color, "white")
                figures.draw_interval(axes, varied, height + 0.14, color)
            axes.set_xlabel(short_name(changes.metric))
        figures.name_lines(panels[0], labels)
        figures.dot_legend(fig, panels[0], {study: (INK, "white"), check_study: (INK, INK)})
    alt = f"Scores of {listing(labels)} in {study} and in {check_study}, with corrected intervals."
    name = f"checks-{check_study}-{ablation.check.main.problem}"
    return figures.picture_of(fig, name, alt, wide=True)
