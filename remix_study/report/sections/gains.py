"""The gains section: what each row gains over the baseline, and who carries the mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.report.figures import INK, figure, legend, render, strategy_color
from remix_study.report.formatting import counted, digits, listing, sentence, signed
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.results.comparison import Comparison
from remix_study.results.gains import ALL, Gains, gains, table, table_by_problem
from remix_study.results.rank_sums import rankable, strategy_ranks

TITLE = "Gains over the baseline"
LEAD = (
    "A gain is the mean test score of a row minus that of the baseline on the same problem, with "
    "the sign that makes positive better. Small dots are problems, diamonds their mean, black "
    "ticks their median: where the two part, a few problems carry the mean. Of each strategy "
    "that mixes, the alpha nearest to 0.1 is shown."
)
PICTURED = PUBLISHED_METRICS
# A problem whose removal takes this share of a mean gain, or more, is named.
CARRIES = 0.3


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page, one block a kind of problem."""
    usable, _ = rankable(comparisons)
    ranked = strategy_ranks(usable)
    found = gains(ranked, usable)
    if not found:
        text = "No row stands beside a complete baseline, so there is no gain to show."
        return Section("gains", TITLE, LEAD, (Block(text=(text,)),))
    blocks = tuple(
        _block(kind, [made for made in found if made.kind == kind])
        for kind in dict.fromkeys(made.kind for made in found)
    )
    files = {"gains": table(found), "gains-by-problem": table_by_problem(found)}
    return Section("gains", TITLE, LEAD, blocks, files)


def _block(kind: str, own: Sequence[Gains]) -> Block:
    metrics = list(dict.fromkeys(made.metric for made in own))
    text: list[str] = []
    for metric in metrics:
        if metric in PICTURED:
            text += _reading([made for made in own if made.metric == metric])
    return Block(
        title=f"{kind[0].upper()}{kind[1:]} problems",
        text=tuple(text),
        pictures=tuple(
            _picture(kind, [made for made in own if made.metric == metric])
            for metric in metrics
            if metric in PICTURED
        ),
        tables=tuple(_page_table([made for made in own if made.metric == m]) for m in metrics),
        folded="The gains in numbers",
    )


def _reading(own: Sequence[Gains]) -> list[str]:
    n, name = digits(own[0].metric), short_name(own[0].metric)
    order = sorted(own, key=lambda made: -made.mean())
    first = order[0]
    size = len(first.gains)
    parts = [f"{made.method.label} {signed(made.mean(), n)}" for made in order]
    text = f"{name}, mean gain over {counted(size, 'problem')}: {listing(parts)}"
    if size > 1:
        by_median = max(own, key=lambda made: made.median())
        if by_median is first:
            text += f"; the median also puts {first.method.label} first"
        else:
            text += f"; by the median {by_median.method.label} is first"
        text += f" ({signed(by_median.median(), n)})"
    found = [sentence(text)]
    for made in dict.fromkeys([first, *(made for made in own if made.method.strategy == "remix")]):
        found += [line for line in (_by_ratio(made), _carried(made)) if line]
    return found


def _by_ratio(made: Gains) -> str:
    groups = [group for group in made.groups if group != ALL]
    if len(groups) < 2:
        return ""
    n = digits(made.metric)
    parts = [
        f"{signed(made.mean(group), n)} at {group} "
        f"(baseline {float(made.baseline[made.groups[group]].mean()):.{n}f})"
        for group in groups
    ]
    sizes = {len(made.groups[group]) for group in groups}
    rest = "; the ratios do not have the same data sets" if len(sizes) > 1 else ""
    return sentence(
        f"{short_name(made.metric)}, {made.method.label} by imbalance ratio: "
        f"{listing(parts)}{rest}"
    )


def _carried(made: Gains) -> str:
    """Name the problem without which the mean gain would be another one."""
    rest, mean = made.mean_without_most_influential, made.mean()
    if math.isnan(rest) or len(made.gains) < 3 or abs(rest - mean) < CARRIES * abs(mean):
        return ""
    n = digits(made.metric)
    gain = float(made.gains[made.most_influential])
    return sentence(
        f"{short_name(made.metric)}: {made.most_influential} ({signed(gain, n)}) carries much "
        f"of the mean gain of {made.method.label}; without it the mean is {signed(rest, n)} "
        f"instead of {signed(mean, n)}"
    )


def _picture(kind: str, own: Sequence[Gains]) -> Picture:
    metric = own[0].metric
    groups = _shown_groups(own[0])
    with figure(5.2, 3.3) as made:
        axes = made.add_subplot()
        axes.axhline(0, color="#888888", lw=0.8, zorder=1)
        step = 0.82 / len(own)
        for place, one in enumerate(own):
            _draw(axes, one, groups, (place - (len(own) - 1) / 2) * step, step)
        for border in range(1, len(groups)):
            axes.axvline(border - 0.5, color="#e3e3e3", lw=0.8, zorder=0)
        names = [f"{group}\n{counted(len(own[0].groups[group]), 'problem')}" for group in groups]
        axes.set_xticks(range(len(groups)), names)
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel(f"{short_name(metric)}: gain (positive is better)")
        legend(axes, max(2, len(own)))
        svg, png = render(made)
    rows = listing([one.method.label for one in own])
    alt = f"Gain in {short_name(metric)} over the baseline on {kind} problems: {rows}."
    return Picture(f"gains-{kind}-{metric}", "", alt, svg, png)


def _draw(axes: Axes, one: Gains, groups: Sequence[str], shift: float, step: float) -> None:
    color = strategy_color(one.method.strategy)
    for at, group in enumerate(groups):
        x, values = at + shift, one.in_group(group)
        if len(values) > 1:
            axes.plot([x] * len(values), values, ls="", marker="o", markersize=3.6, color=color,
                      alpha=0.55, markeredgewidth=0, zorder=2)  # fmt: skip
            half = 0.4 * step
            median = one.median(group)
            axes.plot([x - half, x + half], [median, median], color=INK, lw=1.4, zorder=4)
        axes.plot(
            x,
            one.mean(group),
            marker="D",
            markersize=5.5,
            color=color,
            markeredgecolor="white",
            markeredgewidth=0.6,
            ls="",
            zorder=3,
            label=one.method.label if not at else None,
        )


def _shown_groups(made: Gains) -> list[str]:
    """Every ratio and all together; one ratio alone is all there is."""
    return list(made.groups) if len(made.groups) > 2 else [ALL]


def _page_table(own: Sequence[Gains]) -> Table:
    metric, n = own[0].metric, digits(own[0].metric)
    groups = _shown_groups(own[0])
    head = (
        Head("row"),
        *(Head(group, counted(len(own[0].groups[group]), "problem")) for group in groups),
        Head("better on"),
    )
    best = {group: max(made.mean(group) for made in own) for group in groups}
    rows = []
    for made in own:
        cells = [Cell(made.method.label, kind="name", color=strategy_color(made.method.strategy))]
        for group in groups:
            kind = "best" if made.mean(group) == best[group] else "number"
            median = f"median {signed(made.median(group), n)}"
            cells.append(Cell(signed(made.mean(group), n), median, kind))
        cells.append(Cell(f"{int((made.gains > 0).sum())} of {len(made.gains)}"))
        rows.append(tuple(cells))
    caption = f"Gain in {short_name(metric)} over the baseline, mean and below it median"
    return Table(caption, (head,), tuple(rows))
