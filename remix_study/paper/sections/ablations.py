"""The checks section: one problem trained differently, and whether the conclusion changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remix_study.metrics import better_or_worse, short_name
from remix_study.paper.ablations import (
    Ablation,
    LeadChange,
    MethodChange,
    ablation_table,
    compare_check,
)
from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.formatting import (
    MISSING,
    counted,
    difference,
    digits,
    label_with_direction,
    listing,
    number,
    p_value,
    plain,
    sentence,
    signed,
    span,
)
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.results.significance import LEVEL
from remix_study.results.study_roles import Check

TITLE = "Checks"
LEAD = (
    "One problem each of the main studies, trained otherwise on the same folds. The conclusion "
    "counts as another one where ReMix stands otherwise to one of the other rows: better, worse, "
    "or not told apart, by the paired corrected test after Holm over those rows. Another order "
    "of the means alone is none."
)
_RELATIONS = {
    "better": "better than",
    "worse": "worse than",
    "unclear": "not told apart from",
}


def sections(checks: Sequence[Check]) -> tuple[Section, ...]:
    """The section of the page; none without a check."""
    if not checks:
        return ()
    ablations = [compare_check(check) for check in checks]
    files = (
        {"checks": ablation_table(ablations)}
        if any(ablation.lines for ablation in ablations)
        else {}
    )
    return (Section("checks", TITLE, LEAD, tuple(map(_block, ablations)), files),)


def _block(ablation: Ablation) -> Block:
    check = ablation.check
    title = f"{check.varied.study}: {check.main.full_title}"
    text = [sentence(f"Changed: {_changes(check.changes)}")]
    if ablation.left_out:
        text.append(sentence(f"Not complete on both sides: {listing(ablation.left_out)}"))
    if not ablation.lines:
        text.append("There is no row to compare yet.")
        return Block(title=title, text=tuple(text))
    text.append(_epochs_line(ablation))
    for metric in ablation.metrics:
        text += [
            _conclusion_line(ablation, metric),
            _lead_line(ablation, metric),
            _change_line(ablation, metric),
        ]
    return Block(
        title=title,
        text=tuple(line for line in text if line),
        pictures=(_picture(ablation),),
        tables=tuple(_table(ablation, metric) for metric in ablation.metrics),
    )


def _changes(changes: Mapping[str, tuple[Any, Any]]) -> str:
    def show(value: Any) -> str:
        if value is None:
            return "as the problem's size gives it"
        return str(value).strip("[]")

    return "; ".join(
        f"{name} from {show(before)} to {show(after)}" for name, (before, after) in changes.items()
    )


def _epochs_line(ablation: Ablation) -> str:
    """Say after how many epochs the networks of each method ended, on both sides."""
    changes = ablation.lines_of(ablation.metrics[0])
    study, check_study = ablation.check.main.study, ablation.check.varied.study
    epochs = [
        f"{line.method.label} {plain(line.epochs[0])} and {plain(line.epochs[1])}"
        for line in changes
    ]
    studies = f"in {study} and in {check_study}"
    return f"Median epochs after which networks ended, {studies}: {listing(epochs)}."


def _conclusion_line(ablation: Ablation, metric: str) -> str:
    study = ablation.check.main.study
    has_changed = ablation.has_changed(metric)
    if has_changed is None:
        return sentence(
            f"{short_name(metric)}: nothing is concluded without ReMix and another row"
        )
    leads, n = ablation.leads_of(metric), digits(metric)
    if not has_changed:
        relations = [
            f"{_RELATIONS[relation]} {listing(names)}"
            for relation, names in _rivals_by_relation(leads).items()
        ]
        text = f"the conclusion stays the same: in both ReMix is {listing(relations)}"
    else:
        turns = [
            f"{_RELATIONS[lead.relations[1]]} {lead.rival}, {difference(lead.other, n)}, where in "
            f"{study} it is {_RELATIONS[lead.relations[0]]} it, {difference(lead.main, n)}"
            for lead in leads
            if lead.relations[0] != lead.relations[1]
        ]
        text = f"the conclusion changes: ReMix is {listing(turns)}"
    changes = ablation.lines_of(metric)
    main_leaders = _leaders(changes, [change.rank_in_main for change in changes])
    check_leaders = _leaders(changes, [change.rank_in_check for change in changes])
    text += (
        f". By the means {listing(main_leaders)} is first in both"
        if main_leaders == check_leaders
        else f". By the means {listing(check_leaders)} is first instead of {listing(main_leaders)}"
    )
    return sentence(f"{short_name(metric)}: {text}")


def _rivals_by_relation(leads: Sequence[LeadChange]) -> dict[str, list[str]]:
    by_relation: dict[str, list[str]] = {}
    for lead in leads:
        by_relation.setdefault(lead.relations[1], []).append(lead.rival)
    return by_relation


def _leaders(changes: Sequence[MethodChange], ranks: Sequence[float]) -> list[str]:
    return [
        change.method.label
        for change, rank in zip(changes, ranks, strict=True)
        if rank == min(ranks)
    ]


def _lead_line(ablation: Ablation, metric: str) -> str:
    """Say whether ReMix gains or loses by the change, against each other method."""
    leads = ablation.leads_of(metric)
    if not leads:
        return ""
    n = digits(metric)
    moves = [
        f"over {lead.rival} by {signed(lead.change.mean, n)} "
        f"({span(lead.change.low, lead.change.high, n)})"
        for lead in leads
    ]
    clear = [
        f"{'for' if better_or_worse(metric, lead.change.mean) == 'better' else 'against'} ReMix "
        f"over {lead.rival}"
        for lead in leads
        if lead.holm_p <= LEVEL
    ]
    return sentence(
        f"{label_with_direction(metric)}: ReMix’s difference to the others changes "
        f"{listing(moves)}; surely so after Holm: {listing(clear) or 'none'}"
    )


def _change_line(ablation: Ablation, metric: str) -> str:
    changes = ablation.lines_of(metric)
    clear = [
        f"{line.method.label} {better_or_worse(metric, line.change.mean)} by "
        f"{number(abs(line.change.mean), digits(metric))}"
        for line in changes
        if line.holm_p <= LEVEL
    ]
    moves = [
        f"{line.method.label} from {plain(line.rank_in_main)} to {plain(line.rank_in_check)}"
        for line in changes
        if line.rank_in_main != line.rank_in_check
    ]
    text = f"{short_name(metric)}: told from itself in the main study after Holm: "
    text += listing(clear) if clear else f"none of the {counted(len(changes), 'row')}"
    text += f". Ranks that change: {listing(moves) or 'none'}"
    return sentence(text)


def _table(ablation: Ablation, metric: str) -> Table:
    changes = ablation.lines_of(metric)
    study, check_study = ablation.check.main.study, ablation.check.varied.study
    n = digits(metric)
    first_change = changes[0].change
    head = (
        Head("row"),
        Head(study, "95 % interval"),
        Head("rank"),
        Head(check_study, "95 % interval"),
        Head("rank"),
        Head("change", "95 % interval"),
        Head("Holm’s p"),
        Head("change of ReMix minus row", "95 % interval"),
        Head("Holm’s p"),
    )
    leads = {lead.rival: lead for lead in ablation.leads_of(metric)}
    rows = []
    for line in changes:
        kind = "number"
        if line.holm_p <= LEVEL:
            kind = better_or_worse(metric, line.change.mean)
        rows.append(
            (
                Cell(line.method.label, kind="name", color=strategy_color(line.method.strategy)),
                Cell(number(line.main.mean, n), span(line.main.low, line.main.high, n)),
                Cell(plain(line.rank_in_main)),
                Cell(number(line.other.mean, n), span(line.other.low, line.other.high, n)),
                Cell(plain(line.rank_in_check)),
                Cell(
                    signed(line.change.mean, n), span(line.change.low, line.change.high, n), kind
                ),
                Cell(p_value(line.holm_p)),
                *_lead_cells(leads.get(line.method.label), metric),
            )
        )
    caption = (
        f"{short_name(metric)}: {check_study} against {study}, paired corrected resampled t test, "
        f"n_test/n_train {plain(round(first_change.ratio, 2))}, "
        f"{counted(first_change.folds - 1, 'degree')} of freedom"
    )
    return Table(caption, (head,), tuple(rows))


def _lead_cells(lead: LeadChange | None, metric: str) -> tuple[Cell, Cell]:
    if lead is None:
        return Cell(MISSING), Cell(MISSING)
    n, kind = digits(metric), "number"
    if lead.holm_p <= LEVEL:
        kind = better_or_worse(metric, lead.change.mean)
    change = lead.change
    return (
        Cell(signed(change.mean, n), span(change.low, change.high, n), kind),
        Cell(p_value(lead.holm_p)),
    )


def _picture(ablation: Ablation) -> Picture:
    """Draw a panel a metric: each method in the main study and in the check."""
    metrics = ablation.metrics
    labels = list(dict.fromkeys(change.method.label for change in ablation.lines))
    study, check_study = ablation.check.main.study, ablation.check.varied.study
    with figure(9.4, 1.1 + 0.34 * len(labels)) as fig:
        grid = fig.subplots(1, len(metrics), sharey=True, squeeze=False)
        for axes, metric in zip(grid[0], metrics, strict=True):
            for change in ablation.lines_of(metric):
                height = labels.index(change.method.label)
                axes.axhline(height, color=FAINT, lw=0.4, zorder=0)
                color = strategy_color(change.method.strategy)
                for shift, point, fill in (
                    (-0.14, change.main, "white"),
                    (0.14, change.other, color),
                ):
                    at = height + shift
                    axes.plot([point.low, point.high], [at, at], color=color, lw=1.4, alpha=0.55)
                    axes.plot(point.mean, at, marker="o", markersize=5, color=color,
                              markerfacecolor=fill, zorder=3)  # fmt: skip
            axes.set_xlabel(short_name(metric))
        axes = grid[0, 0]
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.plot([], [], ls="", marker="o", color=INK, markerfacecolor="white", label=study)
        axes.plot([], [], ls="", marker="o", color=INK, label=check_study)
        fig.legend(loc="outside upper left", ncols=2)
        svg, png = render(fig)
    alt = f"Scores of {listing(labels)} in {study} and in {check_study}, with corrected intervals."
    return Picture(
        f"checks-{check_study}-{ablation.check.main.problem}", "", alt, svg, png, wide=True
    )
