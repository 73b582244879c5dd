"""The checks section: one problem trained otherwise, and whether that changes the conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remix_study.metrics import short_name
from remix_study.paper.ablations import Checked, Lead, compare, table
from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.formatting import (
    MISSING,
    better_or_worse,
    counted,
    difference,
    digits,
    label_with_direction,
    listing,
    number,
    plain,
    sentence,
    signed,
    span,
)
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.results.friedman import LEVEL
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
    """The section of the page; none where no study stands beside a main one as a check."""
    if not checks:
        return ()
    found = [compare(check) for check in checks]
    files = {"checks": table(found)} if any(made.lines for made in found) else {}
    return (Section("checks", TITLE, LEAD, tuple(map(_block, found)), files),)


def _block(made: Checked) -> Block:
    check = made.check
    title = f"{check.varied.study}: {check.main.title}, {check.main.imbalance_name}"
    text = [sentence(f"Changed: {_changes(check.changes)}")]
    if made.left_out:
        text.append(sentence(f"Not complete on both sides: {listing(made.left_out)}"))
    if not made.lines:
        text.append("There is no row to compare yet.")
        return Block(title=title, text=tuple(text))
    text.append(_ended(made))
    for metric in made.metrics:
        text += [_conclusion(made, metric), _led(made, metric), _moved(made, metric)]
    return Block(
        title=title,
        text=tuple(line for line in text if line),
        pictures=(_picture(made),),
        tables=tuple(_table(made, metric) for metric in made.metrics),
    )


def _changes(changes: Mapping[str, tuple[Any, Any]]) -> str:
    def said(value: Any) -> str:
        if value is None:
            return "as the problem's size gives it"
        return str(value).strip("[]")

    return "; ".join(
        f"{name} from {said(before)} to {said(after)}" for name, (before, after) in changes.items()
    )


def _ended(made: Checked) -> str:
    """After how many epochs the networks of each row ended, on both sides."""
    own = made.lines_of(made.metrics[0])
    study, other = made.check.main.study, made.check.varied.study
    ended = [
        f"{line.row.label} {plain(line.epochs[0])} and {plain(line.epochs[1])}" for line in own
    ]
    return (
        f"Median epochs after which networks ended, in {study} and in {other}: {listing(ended)}."
    )


def _conclusion(made: Checked, metric: str) -> str:
    study = made.check.main.study
    changed = made.changed(metric)
    if changed is None:
        return sentence(
            f"{short_name(metric)}: nothing is concluded without ReMix and another row"
        )
    leads, n = made.leads_of(metric), digits(metric)
    if not changed:
        kept = [f"{_RELATIONS[of]} {listing(names)}" for of, names in _grouped(leads).items()]
        text = f"the conclusion stays the same: in both ReMix is {listing(kept)}"
    else:
        turned = [
            f"{_RELATIONS[one.relations[1]]} {one.rival}, {difference(one.other, n)}, where in "
            f"{study} it is {_RELATIONS[one.relations[0]]} it, {difference(one.main, n)}"
            for one in leads
            if one.relations[0] != one.relations[1]
        ]
        text = f"the conclusion changes: ReMix is {listing(turned)}"
    first, second = (_first(made, metric, side) for side in ("main_rank", "other_rank"))
    text += (
        f". By the means {listing(first)} is first in both"
        if first == second
        else f". By the means {listing(second)} is first instead of {listing(first)}"
    )
    return sentence(f"{short_name(metric)}: {text}")


def _grouped(leads: Sequence[Lead]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in leads:
        found.setdefault(one.relations[1], []).append(one.rival)
    return found


def _first(made: Checked, metric: str, rank: str) -> list[str]:
    own = made.lines_of(metric)
    least = min(getattr(line, rank) for line in own)
    return [line.row.label for line in own if getattr(line, rank) == least]


def _led(made: Checked, metric: str) -> str:
    """Whether the change of training is to ReMix's gain or loss, against the others."""
    leads = made.leads_of(metric)
    if not leads:
        return ""
    n = digits(metric)
    moved = [
        f"over {one.rival} by {signed(one.change.mean, n)} "
        f"({span(one.change.low, one.change.high, n)})"
        for one in leads
    ]
    sure = [
        f"{'for' if better_or_worse(metric, one.change.mean) == 'better' else 'against'} ReMix "
        f"over {one.rival}"
        for one in leads
        if one.holm_p <= LEVEL
    ]
    return sentence(
        f"{label_with_direction(metric)}: ReMix’s difference to the others changes "
        f"{listing(moved)}; surely so after Holm: {listing(sure) or 'none'}"
    )


def _moved(made: Checked, metric: str) -> str:
    own = made.lines_of(metric)
    sure = [
        f"{line.row.label} {better_or_worse(metric, line.change.mean)} by "
        f"{number(abs(line.change.mean), digits(metric))}"
        for line in own
        if line.holm_p <= LEVEL
    ]
    moved = [
        f"{line.row.label} from {plain(line.main_rank)} to {plain(line.other_rank)}"
        for line in own
        if line.main_rank != line.other_rank
    ]
    text = f"{short_name(metric)}: told from itself in the main study after Holm: "
    text += listing(sure) if sure else f"none of the {counted(len(own), 'row')}"
    text += f". Ranks that change: {listing(moved) or 'none'}"
    return sentence(text)


def _table(made: Checked, metric: str) -> Table:
    own = made.lines_of(metric)
    study, other = made.check.main.study, made.check.varied.study
    n = digits(metric)
    first = own[0].change
    head = (
        Head("row"),
        Head(study, "95 % interval"),
        Head("rank"),
        Head(other, "95 % interval"),
        Head("rank"),
        Head("change", "95 % interval"),
        Head("Holm’s p"),
        Head("change of ReMix minus row", "95 % interval"),
        Head("Holm’s p"),
    )
    leads = {one.rival: one for one in made.leads_of(metric)}
    rows = []
    for line in own:
        kind = "number"
        if line.holm_p <= LEVEL:
            kind = better_or_worse(metric, line.change.mean)
        rows.append(
            (
                Cell(line.row.label, kind="name", color=strategy_color(line.row.strategy)),
                Cell(number(line.main.mean, n), span(line.main.low, line.main.high, n)),
                Cell(plain(line.main_rank)),
                Cell(number(line.other.mean, n), span(line.other.low, line.other.high, n)),
                Cell(plain(line.other_rank)),
                Cell(
                    signed(line.change.mean, n), span(line.change.low, line.change.high, n), kind
                ),
                Cell(_p(line.holm_p)),
                *_lead_cells(leads.get(line.row.label), metric),
            )
        )
    caption = (
        f"{short_name(metric)}: {other} against {study}, paired corrected resampled t test, "
        f"n_test/n_train {plain(round(first.ratio, 2))}, "
        f"{counted(first.folds - 1, 'degree')} of freedom"
    )
    return Table(caption, (head,), tuple(rows))


def _lead_cells(lead: Lead | None, metric: str) -> tuple[Cell, Cell]:
    if lead is None:
        return Cell(MISSING), Cell(MISSING)
    n, kind = digits(metric), "number"
    if lead.holm_p <= LEVEL:
        kind = better_or_worse(metric, lead.change.mean)
    change = lead.change
    return (
        Cell(signed(change.mean, n), span(change.low, change.high, n), kind),
        Cell(_p(lead.holm_p)),
    )


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def _picture(made: Checked) -> Picture:
    """A panel a metric: each row in the main study and in the check, with intervals."""
    metrics = made.metrics
    labels = list(dict.fromkeys(line.row.label for line in made.lines))
    study, other = made.check.main.study, made.check.varied.study
    with figure(9.4, 1.1 + 0.34 * len(labels)) as drawn:
        grid = drawn.subplots(1, len(metrics), sharey=True, squeeze=False)
        for axes, metric in zip(grid[0], metrics, strict=True):
            for line in made.lines_of(metric):
                height = labels.index(line.row.label)
                axes.axhline(height, color=FAINT, lw=0.4, zorder=0)
                color = strategy_color(line.row.strategy)
                for shift, point, fill in ((-0.14, line.main, "white"), (0.14, line.other, color)):
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
        axes.plot([], [], ls="", marker="o", color=INK, label=other)
        drawn.legend(loc="outside upper left", ncols=2)
        svg, png = render(drawn)
    alt = f"Scores of {listing(labels)} in {study} and in {other}, with corrected intervals."
    return Picture(f"checks-{other}-{made.check.main.problem}", "", alt, svg, png, wide=True)
