"""The gains section: gains over the baseline, and problems that carry the mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.report.figures import INK, figure, legend, render, strategy_color
from remix_study.report.formatting import counted, digits, kind_title, listing, sentence, signed
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
# A problem is named if the mean gain changes by this share or more without it.
CARRYING_SHARE = 0.3


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page, one block a kind of problem."""
    usable, _ = rankable(comparisons)
    ranked = strategy_ranks(usable)
    all_gains = gains(ranked, usable)
    if not all_gains:
        text = "No row stands beside a complete baseline, so there is no gain to show."
        return Section("gains", TITLE, LEAD, (Block(text=(text,)),))
    blocks = tuple(
        _block(kind, [method_gains for method_gains in all_gains if method_gains.kind == kind])
        for kind in dict.fromkeys(method_gains.kind for method_gains in all_gains)
    )
    files = {"gains": table(all_gains), "gains-by-problem": table_by_problem(all_gains)}
    return Section("gains", TITLE, LEAD, blocks, files)


def _block(kind: str, kind_gains: Sequence[Gains]) -> Block:
    metrics = list(dict.fromkeys(method_gains.metric for method_gains in kind_gains))
    text: list[str] = []
    for metric in metrics:
        if metric in PICTURED:
            text += _gain_lines(
                [method_gains for method_gains in kind_gains if method_gains.metric == metric]
            )
    return Block(
        title=kind_title(kind),
        text=tuple(text),
        pictures=tuple(
            _picture(
                kind,
                [method_gains for method_gains in kind_gains if method_gains.metric == metric],
            )
            for metric in metrics
            if metric in PICTURED
        ),
        tables=tuple(
            _page_table([method_gains for method_gains in kind_gains if method_gains.metric == m])
            for m in metrics
        ),
        folded="The gains in numbers",
    )


def _gain_lines(metric_gains: Sequence[Gains]) -> list[str]:
    n, name = digits(metric_gains[0].metric), short_name(metric_gains[0].metric)
    order = sorted(metric_gains, key=lambda method_gains: -method_gains.mean())
    leader = order[0]
    n_problems = len(leader.gains)
    means = [
        f"{method_gains.method.label} {signed(method_gains.mean(), n)}" for method_gains in order
    ]
    text = f"{name}, mean gain over {counted(n_problems, 'problem')}: {listing(means)}"
    if n_problems > 1:
        by_median = max(metric_gains, key=lambda method_gains: method_gains.median())
        if by_median is leader:
            text += f"; the median also puts {leader.method.label} first"
        else:
            text += f"; by the median {by_median.method.label} is first"
        text += f" ({signed(by_median.median(), n)})"
    lines = [sentence(text)]
    for method_gains in dict.fromkeys(
        [
            leader,
            *(
                method_gains
                for method_gains in metric_gains
                if method_gains.method.strategy == "remix"
            ),
        ]
    ):
        lines += [
            line for line in (_ratio_line(method_gains), _carrier_line(method_gains)) if line
        ]
    return lines


def _ratio_line(method_gains: Gains) -> str:
    groups = [group for group in method_gains.groups if group != ALL]
    if len(groups) < 2:
        return ""
    n = digits(method_gains.metric)
    parts = [
        f"{signed(method_gains.mean(group), n)} at {group} "
        f"(baseline {float(method_gains.baseline[method_gains.groups[group]].mean()):.{n}f})"
        for group in groups
    ]
    sizes = {len(method_gains.groups[group]) for group in groups}
    note = "; the ratios do not have the same data sets" if len(sizes) > 1 else ""
    return sentence(
        f"{short_name(method_gains.metric)}, {method_gains.method.label} by imbalance ratio: "
        f"{listing(parts)}{note}"
    )


def _carrier_line(method_gains: Gains) -> str:
    """Name the problem that carries the mean gain; "" if none does."""
    mean_without, mean = method_gains.mean_without_most_influential, method_gains.mean()
    if (
        math.isnan(mean_without)
        or len(method_gains.gains) < 3
        or abs(mean_without - mean) < CARRYING_SHARE * abs(mean)
    ):
        return ""
    n = digits(method_gains.metric)
    problem = method_gains.most_influential
    gain = signed(float(method_gains.gains[problem]), n)
    return sentence(
        f"{short_name(method_gains.metric)}: {problem} ({gain}) carries much of the mean gain of "
        f"{method_gains.method.label}; without it the mean is {signed(mean_without, n)} instead "
        f"of {signed(mean, n)}"
    )


def _picture(kind: str, metric_gains: Sequence[Gains]) -> Picture:
    metric = metric_gains[0].metric
    groups = _shown_groups(metric_gains[0])
    with figure(5.2, 3.3) as fig:
        axes = fig.add_subplot()
        axes.axhline(0, color="#888888", lw=0.8, zorder=1)
        step = 0.82 / len(metric_gains)
        for number_, method_gains in enumerate(metric_gains):
            _draw(axes, method_gains, groups, (number_ - (len(metric_gains) - 1) / 2) * step, step)
        for border in range(1, len(groups)):
            axes.axvline(border - 0.5, color="#e3e3e3", lw=0.8, zorder=0)
        names = [
            f"{group}\n{counted(len(metric_gains[0].groups[group]), 'problem')}"
            for group in groups
        ]
        axes.set_xticks(range(len(groups)), names)
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel(f"{short_name(metric)}: gain (positive is better)")
        legend(axes, max(2, len(metric_gains)))
        svg, png = render(fig)
    rows = listing([method_gains.method.label for method_gains in metric_gains])
    alt = f"Gain in {short_name(metric)} over the baseline on {kind} problems: {rows}."
    return Picture(f"gains-{kind}-{metric}", "", alt, svg, png)


def _draw(
    axes: Axes, method_gains: Gains, groups: Sequence[str], shift: float, step: float
) -> None:
    color = strategy_color(method_gains.method.strategy)
    for position, group in enumerate(groups):
        x, values = position + shift, method_gains.in_group(group)
        if len(values) > 1:
            axes.plot([x] * len(values), values, ls="", marker="o", markersize=3.6, color=color,
                      alpha=0.55, markeredgewidth=0, zorder=2)  # fmt: skip
            half = 0.4 * step
            median = method_gains.median(group)
            axes.plot([x - half, x + half], [median, median], color=INK, lw=1.4, zorder=4)
        axes.plot(
            x,
            method_gains.mean(group),
            marker="D",
            markersize=5.5,
            color=color,
            markeredgecolor="white",
            markeredgewidth=0.6,
            ls="",
            zorder=3,
            label=method_gains.method.label if not position else None,
        )


def _shown_groups(method_gains: Gains) -> list[str]:
    """Every imbalance ratio and all problems together; all alone if there is one ratio."""
    return list(method_gains.groups) if len(method_gains.groups) > 2 else [ALL]


def _page_table(metric_gains: Sequence[Gains]) -> Table:
    metric, n = metric_gains[0].metric, digits(metric_gains[0].metric)
    groups = _shown_groups(metric_gains[0])
    head = (
        Head("row"),
        *(Head(group, counted(len(metric_gains[0].groups[group]), "problem")) for group in groups),
        Head("better on"),
    )
    best = {
        group: max(method_gains.mean(group) for method_gains in metric_gains) for group in groups
    }
    rows = []
    for method_gains in metric_gains:
        cells = [
            Cell(
                method_gains.method.label,
                kind="name",
                color=strategy_color(method_gains.method.strategy),
            )
        ]
        for group in groups:
            kind = "best" if method_gains.mean(group) == best[group] else "number"
            median = f"median {signed(method_gains.median(group), n)}"
            cells.append(Cell(signed(method_gains.mean(group), n), median, kind))
        cells.append(Cell(f"{int((method_gains.gains > 0).sum())} of {len(method_gains.gains)}"))
        rows.append(tuple(cells))
    caption = f"Gain in {short_name(metric)} over the baseline, mean and below it median"
    return Table(caption, (head,), tuple(rows))
