"""The capacity section: scores against the number of trainable parameters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes

from remix_study.metrics import short_name
from remix_study.report import figures
from remix_study.report.figures import Picture
from remix_study.report.formatting import (
    digits,
    heading,
    label_with_direction,
    number,
    thousands,
)
from remix_study.report.page_model import Block, Cell, Head, Section, Table, fold
from remix_study.report.page_tables import ABSENT, Column, line_table
from remix_study.report.sentences import SENTENCES
from remix_study.results.capacity import CapacityLine, best_lines, capacity_lines, table
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison

# Problems whose figures are open; those of further ones are folded.
SHOWN_OPEN = 2
# Of lines of one strategy, which share its colour.
_DASHES = ("-", "--", ":", "-.")


def sections(comparisons: Sequence[Comparison]) -> list[Section]:
    """The section of the page; none where no method has networks of several capacities."""
    by_problem = [(c, lines) for c in comparisons if (lines := capacity_lines(c))]
    if not by_problem:
        return []
    blocks = [
        _block(place, comparison, lines)
        for place, (comparison, lines) in enumerate(by_problem, start=1)
    ]
    blocks[SHOWN_OPEN:] = map(fold, blocks[SHOWN_OPEN:])
    all_lines = [line for _, lines in by_problem for line in lines]
    lead = SENTENCES.text("capacity.lead")
    files = {"capacity": table(all_lines)}
    return [Section("capacity", "Size of the network", lead, tuple(blocks), files)]


def _block(place: int, comparison: Comparison, lines: Sequence[CapacityLine]) -> Block:
    by_metric = grouped(lines, lambda line: line.metric)
    best = {metric: best_lines(of_metric) for metric, of_metric in by_metric.items()}
    return Block(
        title=comparison.full_title,
        text=SENTENCES.paragraphs("capacity.order", best),
        pictures=tuple(
            _picture(f"capacity-{place}-{metric}", of_metric)
            for metric, of_metric in by_metric.items()
        ),
        tables=tuple(_table(of_metric) for of_metric in by_metric.values()),
        folded="The numbers behind these panels",
    )


def _picture(name: str, lines: Sequence[CapacityLine]) -> Picture:
    metric, title = lines[0].metric, lines[0].comparison.name
    width, height = figures.PANEL_SIZE
    columns = figures.legend_columns([line.name for line in lines])
    with figures.figure(width, height + 0.2 * math.ceil(len(lines) / columns)) as fig:
        axes = fig.add_subplot()
        n_of_strategy: Counter[str] = Counter()
        for place, line in enumerate(lines):
            _draw(axes, line, place, _DASHES[n_of_strategy[line.strategy] % len(_DASHES)])
            n_of_strategy[line.strategy] += 1
        axes.set_xscale("log")
        ticks = _ticks([point.capacity for line in lines for point in line.points])
        # Written out: the scale's own labels are formulas, which figures do not parse.
        axes.set_xticks(ticks, [thousands(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("trainable parameters")
        axes.set_ylabel(label_with_direction(metric))
        figures.legend_below(fig, axes, columns)
    alt = f"{short_name(metric)} against the number of parameters on {title}."
    return figures.picture_of(fig, name, alt)


def _ticks(capacities: Sequence[int]) -> list[int]:
    """The smallest and the largest one, and those between that leave room for their numbers."""
    ordered = sorted(set(capacities))
    least_gap = 0.2 * math.log(ordered[-1] / ordered[0])
    ticks = [ordered[0]]
    for capacity in ordered[1:-1]:
        if min(math.log(capacity / ticks[-1]), math.log(ordered[-1] / capacity)) >= least_gap:
            ticks.append(capacity)
    return [*ticks, ordered[-1]]


def _draw(axes: Axes, line: CapacityLine, place: int, dashes: str) -> None:
    # Lines of equal networks would hide each other's intervals.
    shift = 1 + 0.02 * place
    x = [point.capacity * shift for point in line.points]
    means = [point.score.mean for point in line.points]
    color = figures.strategy_color(line.strategy)
    axes.plot(x, means, color=color, ls=dashes, marker="o", markersize=4, lw=1.4, label=line.name)
    for at, point in zip(x, line.points, strict=True):
        interval = point.score.interval
        axes.plot([at, at], [interval.low, interval.high], color=color, lw=1.0, alpha=0.5)


def _table(lines: Sequence[CapacityLine]) -> Table:
    metric = lines[0].metric
    best = best_lines(lines)

    def column(network: str) -> Column[CapacityLine]:
        def cell(line: CapacityLine) -> Cell:
            point = line.at(network)
            if point is None:
                return ABSENT
            kind = "best" if best[network] is line else "number"
            return Cell(number(point.score.mean, digits(metric)), kind=kind)

        capacity = next(p.capacity for line in lines if (p := line.at(network)))
        return Column(Head(network, f"{thousands(capacity)} parameters"), cell)

    def name(line: CapacityLine) -> Cell:
        return Cell(line.name, "", "name", figures.strategy_color(line.strategy))

    return line_table(
        f"{heading(metric)}: mean over the test parts",
        lines,
        (Column("method", name), *map(column, best)),
    )
