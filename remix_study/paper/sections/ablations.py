"""The checks section: one problem trained differently, and whether the conclusion changes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from remix_study.metrics import short_name
from remix_study.paper.ablations import (
    Ablation,
    MethodChange,
    MethodInStudy,
    MetricChanges,
    ablation_table,
    compare_check,
)
from remix_study.paper.sentences import SENTENCES
from remix_study.report.figures import FAINT, INK, figure, name_lines, render, strategy_color
from remix_study.report.formatting import (
    MISSING,
    digits,
    listing,
    number,
    p_value,
    plain,
    signed,
    span,
)
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.report.page_tables import Column, line_table, method_cell, relation_kind
from remix_study.results.effects import Difference
from remix_study.results.study_roles import Check

TITLE = "Checks"


def sections(checks: Sequence[Check]) -> tuple[Section, ...]:
    """The section of the page; none without a check."""
    if not checks:
        return ()
    ablations = [compare_check(check) for check in checks]
    table = ablation_table(ablations)
    lead = SENTENCES.text("checks.lead")
    files = {"checks": table} if len(table) else {}
    return (Section("checks", TITLE, lead, tuple(map(_block, ablations)), files),)


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

    def score(side: MethodInStudy) -> Cell:
        interval = side.score.interval
        return Cell(number(interval.mean, n), span(interval.low, interval.high, n))

    def change(difference: Difference) -> Cell:
        interval, kind = difference.interval, relation_kind(difference.relation_after_holm)
        return Cell(signed(interval.mean, n), span(interval.low, interval.high, n), kind)

    columns: tuple[Column[MethodChange], ...] = (
        Column("row", lambda line: method_cell(line.method)),
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
            for height, line in enumerate(changes.methods):
                axes.axhline(height, color=FAINT, lw=0.4, zorder=0)
                color = strategy_color(line.method.strategy)
                _draw(axes, line.main, height - 0.14, color, "white")
                _draw(axes, line.check, height + 0.14, color, color)
            axes.set_xlabel(short_name(changes.metric))
        name_lines(panels[0], labels)
        panels[0].plot([], [], ls="", marker="o", color=INK, markerfacecolor="white", label=study)
        panels[0].plot([], [], ls="", marker="o", color=INK, label=check_study)
        fig.legend(loc="outside upper left", ncols=2)
        svg, png = render(fig)
    alt = f"Scores of {listing(labels)} in {study} and in {check_study}, with corrected intervals."
    name = f"checks-{check_study}-{ablation.check.main.problem}"
    return Picture(name, "", alt, svg, png, wide=True)


def _draw(axes: Axes, side: MethodInStudy, height: float, color: str, fill: str) -> None:
    point = side.score.interval
    axes.plot([point.low, point.high], [height, height], color=color, lw=1.4, alpha=0.55)
    axes.plot(point.mean, height, marker="o", markersize=5, color=color,
              markerfacecolor=fill, zorder=3)  # fmt: skip
