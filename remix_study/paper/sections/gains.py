"""The gains section: gains over the baseline by imbalance ratio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper import SENTENCES
from remix_study.paper.gains import ALL, Gains, gains, table, table_by_problem
from remix_study.report.figures import INK, Picture, figure, legend, picture_of, strategy_color
from remix_study.report.formatting import counted, digits, kind_title, listing, signed
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.report.page_tables import Column, line_table, method_cell
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.problem_choice import rankable
from remix_study.results.rank_sums import strategy_ranks


def sections(comparisons: Sequence[Comparison]) -> tuple[Section, ...]:
    """The section of the page, one block a kind of problem.

    None without a baseline; of a single problem, whose decision says it, the files alone.
    """
    usable, _ = rankable(comparisons)
    all_gains = gains(strategy_ranks(usable), usable)
    if not all_gains:
        return ()
    by_kind = grouped(all_gains, lambda gains: gains.kind)
    is_shown = len(usable) > 1
    blocks = tuple(_block(*kind_gains) for kind_gains in by_kind.items() if is_shown)
    files = {"gains": table(all_gains), "gains-by-problem": table_by_problem(all_gains)}
    lead = SENTENCES.text("gains.lead")
    title = "Gains over the baseline"
    return (Section("gains", title, lead, blocks, files, is_folded=True),)


def _block(kind: str, kind_gains: Sequence[Gains]) -> Block:
    by_metric = grouped(kind_gains, lambda gains: gains.metric)
    pictured = [by_metric[metric] for metric in PUBLISHED_METRICS if metric in by_metric]
    return Block(
        title=kind_title(kind),
        text=SENTENCES.paragraphs("gains.block", [_facts(gains) for gains in pictured], ALL),
        pictures=tuple(
            _picture(kind, networks) for gains in pictured if (networks := _networks(gains))
        ),
        tables=tuple(_page_table(metric_gains) for metric_gains in by_metric.values()),
        folded="The gains in numbers",
    )


def _networks(metric_gains: Sequence[Gains]) -> list[Gains]:
    """Those that a figure shows: it has no room for the names of reference estimators."""
    return [gains for gains in metric_gains if not gains.method.is_estimator]


def _facts(metric_gains: Sequence[Gains]) -> dict[str, Any]:
    """Methods in one metric by mean gain, the best by median, and those described further."""
    order = sorted(metric_gains, key=lambda g: -g.mean())
    remix = [g for g in metric_gains if g.method.strategy == "remix"]
    return {
        "metric": order[0].metric,
        "order": order,
        "by_median": max(metric_gains, key=lambda g: g.median()),
        "described": list(dict.fromkeys([order[0], *remix])),
    }


def _picture(kind: str, metric_gains: Sequence[Gains]) -> Picture:
    metric = metric_gains[0].metric
    groups = _shown_groups(metric_gains[0])
    width = 5.2
    with figure(width, 3.3) as fig:
        axes = fig.add_subplot()
        axes.axhline(0, color="#888888", lw=0.8, zorder=1)
        step = 0.82 / len(metric_gains)
        for place, method_gains in enumerate(metric_gains):
            _draw(axes, method_gains, groups, (place - (len(metric_gains) - 1) / 2) * step, step)
        for border in range(1, len(groups)):
            axes.axvline(border - 0.5, color="#e3e3e3", lw=0.8, zorder=0)
        sizes = [counted(len(metric_gains[0].groups[group]), "problem") for group in groups]
        names = [f"{group}\n{size}" for group, size in zip(groups, sizes, strict=True)]
        axes.set_xticks(range(len(groups)), names)
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel(f"{short_name(metric)}: gain (positive is better)")
        legend(axes, fewest=1, inches=width)
    rows = listing([method_gains.method.label for method_gains in metric_gains])
    alt = f"Gain in {short_name(metric)} over the baseline on {kind} problems: {rows}."
    return picture_of(fig, f"gains-{kind}-{metric}", alt)


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
        label = None if position else method_gains.method.label
        axes.plot(x, method_gains.mean(group), ls="", marker="D", markersize=5.5, color=color,
                  markeredgecolor="white", markeredgewidth=0.6, zorder=3, label=label)  # fmt: skip


def _shown_groups(method_gains: Gains) -> list[str]:
    """Every imbalance ratio and all problems together; all alone if there is one ratio."""
    return list(method_gains.groups) if len(method_gains.groups) > 2 else [ALL]


def _page_table(metric_gains: Sequence[Gains]) -> Table:
    first = metric_gains[0]
    n, groups = digits(first.metric), _shown_groups(first)

    def group_column(group: str) -> Column[Gains]:
        best = max(g.mean(group) for g in metric_gains)
        return Column(
            Head(group, counted(len(first.groups[group]), "problem")),
            lambda g: Cell(
                signed(g.mean(group), n),
                f"median {signed(g.median(group), n)}",
                "best" if g.mean(group) == best else "number",
            ),
        )

    return line_table(
        f"Gain in {short_name(first.metric)} over the baseline, mean and below it median",
        metric_gains,
        (
            Column("method", lambda g: method_cell(g.method)),
            *map(group_column, groups),
            Column("better on", lambda g: f"{g.n_better} of {len(g.gains)}"),
        ),
    )
