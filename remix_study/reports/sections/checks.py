"""The checks section: one problem trained otherwise, and whether that changes the conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remix_study.reports.checks import Checked, Line, compare, table
from remix_study.reports.document import Block, Cell, Head, Picture, Section, Table
from remix_study.reports.figures import FAINT, INK, figure, render, strategy_color
from remix_study.reports.friedman import LEVEL
from remix_study.reports.roles import Check
from remix_study.reports.words import (
    better_or_worse,
    counted,
    difference,
    digits,
    label,
    listing,
    number,
    plain,
    sentence,
    signed,
    span,
)

TITLE = "Checks"
LEAD = (
    "One problem each of the main studies, trained otherwise on the same folds. The conclusion "
    "counts as another one where another row has the best mean, or where ReMix stands otherwise "
    "to the baseline: better, worse, or not told apart."
)
_RELATIONS = {
    "better": "better than the baseline",
    "worse": "worse than the baseline",
    "unclear": "not told apart from the baseline",
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
    title = f"{check.other.study}: {check.main.title}, {check.main.imbalance_name}"
    text = [sentence(f"Changed: {_changes(check.changes)}")]
    if made.left_out:
        text.append(sentence(f"Not complete on both sides: {listing(made.left_out)}"))
    if not made.lines:
        text.append("There is no row to compare yet.")
        return Block(title=title, text=tuple(text))
    text += _epochs(check)
    for metric in made.outcomes:
        text += [_conclusion(made, metric), _moved(made, metric)]
    return Block(
        title=title,
        text=tuple(text),
        pictures=(_picture(made),),
        tables=tuple(
            _table(made, metric, [line for line in made.lines if line.metric == metric])
            for metric in made.outcomes
        ),
    )


def _changes(changes: Mapping[str, tuple[Any, Any]]) -> str:
    def said(value: Any) -> str:
        if value is None:
            return "as the problem's size gives it"
        return str(value).strip("[]")

    return "; ".join(
        f"{name} from {said(before)} to {said(after)}" for name, (before, after) in changes.items()
    )


def _epochs(check: Check) -> list[str]:
    medians = []
    for comparison in (check.main, check.other):
        folds = comparison.folds
        epochs = folds.loc[folds["failed"] == "", "epochs"]
        medians.append(f"{epochs.median():g} (range {epochs.min():g} to {epochs.max():g})")
    return [
        f"Networks ended after {medians[0]} epochs in {check.main.study} and after {medians[1]} "
        "here, median over all rows and folds."
    ]


def _conclusion(made: Checked, metric: str) -> str:
    main, other = made.outcomes[metric]
    changed = made.changed(metric)
    text = f"{label(metric)}: the conclusion {'changes' if changed else 'stays the same'}; "
    if main.first == other.first:
        text += f"{listing(main.first)} is first in both"
    else:
        text += f"{listing(other.first)} is first instead of {listing(main.first)}"
    if main.relation and other.relation and main.gap and other.gap:
        n = digits(metric)
        text += (
            f", and ReMix is {_RELATIONS[other.relation]}, {difference(other.gap, n)}, "
            f"{'as' if main.relation == other.relation else 'not as'} in {made.check.main.study}: "
        )
        if main.relation != other.relation:
            text += f"{_RELATIONS[main.relation]}, "
        text += difference(main.gap, n)
    return sentence(text)


def _moved(made: Checked, metric: str) -> str:
    own = [line for line in made.lines if line.metric == metric]
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
    text = f"{label(metric)}: told from itself in the main study after Holm: "
    text += listing(sure) if sure else f"none of the {counted(len(own), 'row')}"
    text += f". Ranks that change: {listing(moved) or 'none'}"
    return sentence(text)


def _table(made: Checked, metric: str, own: Sequence[Line]) -> Table:
    study, other = made.check.main.study, made.check.other.study
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
    )
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
                Cell(f"{line.holm_p:.2g}" if line.holm_p >= 1e-4 else "< 0.0001"),
            )
        )
    caption = (
        f"{label(metric)}: {other} against {study}, paired corrected resampled t test, "
        f"n_test/n_train {plain(round(first.ratio, 2))}, "
        f"{counted(first.folds - 1, 'degree')} of freedom"
    )
    return Table(caption, (head,), tuple(rows))


def _picture(made: Checked) -> Picture:
    """A panel a metric: each row in the main study and in the check, with intervals."""
    metrics = list(made.outcomes)
    labels = list(dict.fromkeys(line.row.label for line in made.lines))
    study, other = made.check.main.study, made.check.other.study
    with figure(9.4, 1.1 + 0.34 * len(labels)) as drawn:
        grid = drawn.subplots(1, len(metrics), sharey=True, squeeze=False)
        for axes, metric in zip(grid[0], metrics, strict=True):
            for line in (line for line in made.lines if line.metric == metric):
                height = labels.index(line.row.label)
                axes.axhline(height, color=FAINT, lw=0.4, zorder=0)
                color = strategy_color(line.row.strategy)
                for shift, point, fill in ((-0.14, line.main, "white"), (0.14, line.other, color)):
                    at = height + shift
                    axes.plot([point.low, point.high], [at, at], color=color, lw=1.4, alpha=0.55)
                    axes.plot(point.mean, at, marker="o", markersize=5, color=color,
                              markerfacecolor=fill, zorder=3)  # fmt: skip
            axes.set_xlabel(label(metric))
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
