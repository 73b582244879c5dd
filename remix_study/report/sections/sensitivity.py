"""The sensitivity section: panels of each mixing strategy against alpha, and trends over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.report import figures
from remix_study.report.figures import Picture
from remix_study.report.formatting import (
    label_with_direction,
    number,
    plain,
    signed,
    strategy_name,
)
from remix_study.report.page_model import Block, Cell, Section, Table, fold
from remix_study.report.page_tables import Column, ends_text, line_table
from remix_study.report.sections.alpha_trends import trends_block
from remix_study.report.sentences import SENTENCES
from remix_study.results import alpha_grids
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference, Score
from remix_study.results.intervals import Interval
from remix_study.results.sensitivity import CurvePoint, SensitivityCurve, sensitivity_curves, table

MOST_WITH_DIFFERENCES = 1
"""With more blocks than this a page has no panels of differences."""

SHOWN_OPEN = 2
"""Blocks that are open; further ones are folded."""

Curves = Sequence[SensitivityCurve]
_LINES = ("-", (0, (5, 1.8)), (0, (1.2, 1.4)), (0, (6, 1.6, 1.2, 1.6)), (0, (3, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v")


class LineStyle(NamedTuple):
    """Line and marker of one imbalance ratio; `shade` in 0..1 darkens its colour."""

    dashes: Any
    marker: str
    shade: float


def sections(comparisons: Sequence[Comparison]) -> list[Section]:
    """The section of the page; the files alone where no strategy has two alphas."""
    sensitivity = section(comparisons)
    has_curve = any(block.pictures for block in sensitivity.blocks)
    return [sensitivity if has_curve else replace(sensitivity, blocks=())]


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section with one block a mixing strategy and base problem.

    Where both ratios and networks, say, vary, networks have blocks of their own: six lines in a
    panel cannot be told apart.
    """
    all_curves = sensitivity_curves(comparisons)
    curves = [_named_by_ratio(curve, all_curves) for curve in all_curves]
    # The mildest imbalance first; data as they are have none.
    names = sorted({(-np.nan_to_num(c.comparison.imbalance), c.name) for c in curves})
    styles = _line_styles(list(dict.fromkeys(name for _, name in names)))
    by_family = grouped(curves, lambda curve: curve.family)
    by_block: dict[tuple[str, int], Curves] = {}
    for family in sorted(by_family, key=lambda family: (family != "remix", family)):
        several = [curve for curve in by_family[family] if curve.has_several_alphas]
        by_base = grouped(several, lambda c: (c.comparison.study, _title(c)))
        for place, base_curves in enumerate(by_base.values(), start=1):
            by_block[family, place] = base_curves
    panels = _PANELS if len(by_block) <= MOST_WITH_DIFFERENCES else _PANELS[:1]
    blocks: list[Block] = []
    for (family, place), of_block in by_block.items():
        name = f"sensitivity-{re.sub('[^a-z]', '-', family)}-{place}"
        block = _curves_block(name, of_block, styles, panels)
        blocks.append(block if len(blocks) < SHOWN_OPEN else fold(block))
    trends = alpha_grids.alpha_trends(alpha_grids.alpha_grids(comparisons), PUBLISHED_METRICS)
    if trends:
        blocks.append(trends_block(trends))
    single_alphas = {
        family: sorted({alpha for curve in of_family for alpha in curve.alphas})
        for family, of_family in sorted(by_family.items())
        if not by_block
    }
    searched = [c.name for c in comparisons if not c.is_grid]
    remarks = (
        SENTENCES.paragraphs("sensitivity.single_alphas", single_alphas),
        SENTENCES.paragraphs("sensitivity.searched", searched),
        () if curves or searched else SENTENCES.paragraphs("sensitivity.nothing"),
    )
    blocks += [Block(text=text) for text in remarks if text]
    files = {"sensitivity": table(all_curves), "trends": alpha_grids.trend_table(trends)}
    title, lead = "Sensitivity to alpha", SENTENCES.text("sensitivity.lead", len(panels) > 1)
    return Section("sensitivity", title, lead, tuple(blocks), files)


def _named_by_ratio(curve: SensitivityCurve, curves: Curves) -> SensitivityCurve:
    """The curve named by its ratio alone, if its problem has curves of several ratios."""

    def problem(c: SensitivityCurve) -> tuple[str, str]:
        return c.comparison.study, c.comparison.title

    ratios = {c.comparison.imbalance_name for c in curves if problem(c) == problem(curve)}
    return replace(curve, name=curve.comparison.imbalance_name) if len(ratios) > 1 else curve


def _title(curve: SensitivityCurve) -> str:
    """The problem's title, with the settings that the curve's name lacks."""
    lacks = curve.settings and curve.settings not in curve.name
    return f"{curve.comparison.title}, {curve.settings}" if lacks else curve.comparison.title


def _line_styles(names: Sequence[str]) -> dict[str, LineStyle]:
    """A line style for each name; names are ordered from the mildest to the most extreme."""
    n = max(1, len(names) - 1)
    return {
        name: LineStyle(_LINES[i % len(_LINES)], _MARKERS[i % len(_MARKERS)], 0.45 * i / n)
        for i, name in enumerate(names)
    }


def _curves_block(
    name: str, curves: Curves, styles: Mapping[str, LineStyle], panels: Sequence[_Panel]
) -> Block:
    by_metric = grouped(curves, lambda curve: curve.metric)
    title = f"{strategy_name(curves[0].family)} on {_title(curves[0])}"
    pictures = [
        picture
        for metric_curves in by_metric.values()
        for panel in panels
        if (picture := _panel_picture(name, title, metric_curves, panel, styles))
    ]
    width, height = figures.PANEL_SIZE
    with figures.figure(2 * width, height * len(by_metric)) as fig:
        grid = fig.subplots(len(by_metric), 2, squeeze=False)
        for row, metric_curves in zip(grid, by_metric.values(), strict=True):
            for axes, panel in zip(row, _PANELS, strict=True):
                if not _draw(axes, metric_curves, panel, styles):
                    axes.set_axis_off()
        grid[0, 0].set_title(title, pad=24)
    # All panels in one figure, for a paper or a README.
    overview = figures.picture_of(fig, name, f"{title}: sensitivity to alpha.", on_page=False)
    return Block(
        title=title,
        text=SENTENCES.paragraphs(
            "sensitivity.curves", [curve for group in by_metric.values() for curve in group]
        ),
        pictures=(*pictures, overview),
        tables=tuple(_curve_table(metric, group) for metric, group in by_metric.items()),
        folded="Differences to alpha 0 and the numbers",
    )


@dataclass(frozen=True)
class _Series:
    """A line of a panel: a position and an interval for each point."""

    curve: SensitivityCurve
    x: NDArray[np.float64]
    points: Sequence[Interval]
    style: LineStyle

    @property
    def color(self) -> tuple[float, ...]:
        """The strategy's colour, the darker the more extreme the imbalance."""
        color = to_rgb(figures.strategy_color(self.curve.family))
        return tuple(part * (1 - self.style.shade) for part in color)

    def values(self, name: str) -> NDArray[np.float64]:
        """A field of all intervals."""
        return np.array([getattr(point, name) for point in self.points])


def _draw_scores(axes: Axes, series: Sequence[_Series]) -> None:
    """Draw means with bands of their 95 % intervals."""
    for line in series:
        ends = line.values("low"), line.values("high")
        axes.fill_between(line.x, *ends, color=line.color, alpha=0.13, lw=0)
        axes.plot(line.x, line.values("mean"), color=line.color, ls=line.style.dashes, lw=1.5,
                  label=line.curve.name, marker=line.style.marker, markersize=5,
                  markeredgecolor="white", markeredgewidth=0.5, clip_on=False,
                  zorder=3)  # fmt: skip


def _draw_differences(axes: Axes, series: Sequence[_Series]) -> None:
    """Draw differences with corrected intervals; a mark is hollow if its interval holds zero."""
    axes.axhline(0, color="#888888", lw=0.8, zorder=1)
    axes.plot(0, 0, marker="o", markersize=3.5, color="#888888", zorder=2)
    for i, line in enumerate(series):
        color, marker = line.color, line.style.marker
        shift = 0.011 * (i - (len(series) - 1) / 2) * np.sqrt(max(line.x))
        x = figures.signed_square(figures.signed_root(line.x) + shift)
        axes.plot(x, line.values("mean"), color=color, linestyle=line.style.dashes, lw=0.9,
                  alpha=0.6, zorder=2)  # fmt: skip
        axes.plot([], [], color=color, linestyle=line.style.dashes, marker=marker, markersize=4,
                  lw=0.9, label=line.curve.name)  # fmt: skip
        for at, point in zip(x, line.points, strict=True):
            axes.plot([at] * 2, [point.low, point.high], color=color, lw=1.1, zorder=3)
            axes.plot(at, point.mean, marker=marker, markersize=4.5, color=color,
                      markerfacecolor=color if point.excludes_zero else "white",
                      markeredgewidth=1.1, zorder=4)  # fmt: skip


@dataclass(frozen=True)
class _Panel:
    """One of the two panels of a metric; `{}` in its texts is the metric's name."""

    suffix: str
    effect: Callable[[CurvePoint], Score | Difference | None]
    draw: Callable[[Axes, Sequence[_Series]], None]
    label: Callable[[str], str]
    alt: str


_PANELS = (
    _Panel("", lambda point: point.score, _draw_scores, label_with_direction, "{} against alpha"),
    _Panel(
        "-difference",
        lambda point: point.difference,
        _draw_differences,
        lambda metric: f"{short_name(metric)}: difference to alpha 0",
        "Difference in {} to alpha 0",
    ),
)


def _panel_picture(
    name: str, title: str, curves: Curves, panel: _Panel, styles: Mapping[str, LineStyle]
) -> Picture | None:
    metric = curves[0].metric
    alt = panel.alt.format(short_name(metric))
    with figures.figure(*figures.PANEL_SIZE) as fig:
        if not _draw(fig.add_subplot(), curves, panel, styles):
            return None
    name += f"-{metric}{panel.suffix}"
    return figures.picture_of(fig, name, f"{alt}, {title}.", is_folded=bool(panel.suffix))


def _draw(axes: Axes, curves: Curves, panel: _Panel, styles: Mapping[str, LineStyle]) -> bool:
    """Draw the curves of one metric; False if there is nothing to draw."""
    series = []
    for curve in curves:
        pairs = [(p.alpha, effect.interval) for p in curve.points if (effect := panel.effect(p))]
        if pairs:
            alphas, points = zip(*pairs, strict=True)
            series.append(_Series(curve, np.array(alphas), points, styles[curve.name]))
    if series:
        panel.draw(axes, series)
        figures.alpha_axis(
            axes, [0.0, *(point.alpha for curve in curves for point in curve.points)]
        )
        axes.set_ylabel(panel.label(curves[0].metric))
        figures.legend(axes)
    return bool(series)


def _curve_table(metric: str, curves: Curves) -> Table:
    points = [point for curve in curves for point in curve.points]
    folds = max(point.score.interval.folds for point in points)
    return line_table(
        SENTENCES.phrase("sensitivity.table_caption", metric, folds),
        sorted({point.alpha for point in points}),
        (Column("alpha", plain), *(Column(c.name, partial(_point_cell, c)) for c in curves)),
    )


def _point_cell(curve: SensitivityCurve, alpha: float) -> Cell:
    point = next((point for point in curve.points if point.alpha == alpha), None)
    if point is None:
        return Cell("", kind="")
    mean = number(point.score.mean)
    if point.difference is None:
        return Cell(mean)
    relation = point.difference.relation
    detail = f"{signed(point.difference.mean)} ({ends_text(point.difference.interval, 3)})"
    return Cell(mean, detail, "number" if relation == "unclear" else relation)
