"""The sensitivity section: panels of each mixing strategy against alpha, and trends over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.report import figures
from remix_study.report.figures import LineStyle, Series
from remix_study.report.formatting import (
    label_with_direction,
    number,
    plain,
    signed,
    strategy_name,
)
from remix_study.report.page_model import Block, Cell, Picture, Section, Table
from remix_study.report.page_tables import (
    Column,
    better_sign,
    ends_text,
    interval_cell,
    line_table,
)
from remix_study.report.sentences import SENTENCES
from remix_study.results import alpha_grids
from remix_study.results.alpha_grids import FIXED_ALPHAS, AlphaTrend
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference, Score
from remix_study.results.sensitivity import CurvePoint, SensitivityCurve, sensitivity_curves, table

Curves = Sequence[SensitivityCurve]


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page with one block a mixing strategy and base problem."""
    curves = sensitivity_curves(comparisons)
    names = sorted({(_extremeness(curve.comparison), curve.name) for curve in curves})
    styles = figures.line_styles(list(dict.fromkeys(name for _, name in names)))
    blocks: list[Block] = []
    single_alphas: dict[str, list[float]] = {}
    by_family = grouped(curves, lambda curve: curve.family)
    for family in sorted(by_family, key=lambda family: (family != "remix", family)):
        several = [curve for curve in by_family[family] if curve.has_several_alphas]
        if not several:
            single_alphas[family] = sorted({a for c in by_family[family] for a in c.alphas})
        by_base = grouped(several, lambda c: (c.comparison.study, c.comparison.title))
        file_name = "".join(letter if letter.isalnum() else "-" for letter in family)
        blocks += [
            _curves_block(f"sensitivity-{file_name}-{place}", base_curves, styles)
            for place, base_curves in enumerate(by_base.values(), start=1)
        ]
    trends = alpha_grids.alpha_trends(alpha_grids.alpha_grids(comparisons), PUBLISHED_METRICS)
    if trends:
        blocks.append(_trends_block(trends))
    searched = [c.name for c in comparisons if not c.is_grid]
    remarks = (
        SENTENCES.paragraphs("sensitivity.single_alphas", single_alphas),
        SENTENCES.paragraphs("sensitivity.searched", searched),
        () if curves or searched else SENTENCES.paragraphs("sensitivity.nothing"),
    )
    blocks += [Block(text=text) for text in remarks if text]
    files = {"sensitivity": table(curves)} if curves else {}
    if trends:
        files["trends"] = alpha_grids.trend_table(trends)
    lead = SENTENCES.text("sensitivity.lead")
    return Section("sensitivity", "Sensitivity to alpha", lead, tuple(blocks), files)


def _extremeness(comparison: Comparison) -> float:
    return 0.0 if math.isnan(comparison.imbalance) else -comparison.imbalance


def _curves_block(name: str, curves: Curves, styles: Mapping[str, LineStyle]) -> Block:
    by_metric = grouped(curves, lambda curve: curve.metric)
    title = f"{strategy_name(curves[0].family)} on {curves[0].comparison.title}"
    pictures = [
        picture
        for metric_curves in by_metric.values()
        for panel in _PANELS
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
        overview = Picture(
            name, "", f"{title}: sensitivity to alpha.", *figures.render(fig), on_page=False
        )
    return Block(
        title=title,
        text=SENTENCES.paragraphs(
            "sensitivity.curves", [curve for group in by_metric.values() for curve in group]
        ),
        pictures=(*pictures, overview),
        tables=tuple(_curve_table(metric, group) for metric, group in by_metric.items()),
        folded="The numbers behind these panels",
    )


@dataclass(frozen=True)
class _Panel:
    """One of the two panels of a metric; `{}` in its texts is the metric's name."""

    suffix: str
    effect: Callable[[CurvePoint], Score | Difference | None]
    draw: Callable[[Axes, Sequence[Series], str], None]
    label: Callable[[str], str]
    alt: str


_PANELS = (
    _Panel(
        "",
        lambda point: point.score,
        figures.draw_scores,
        label_with_direction,
        "{} against alpha",
    ),
    _Panel(
        "-difference",
        lambda point: point.difference,
        figures.draw_differences,
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
        return Picture(
            f"{name}-{metric}{panel.suffix}", "", f"{alt}, {title}.", *figures.render(fig)
        )


def _draw(axes: Axes, curves: Curves, panel: _Panel, styles: Mapping[str, LineStyle]) -> bool:
    """Draw the curves of one metric; False if there is nothing to draw."""
    series = []
    for curve in curves:
        pairs = [(p.alpha, effect.interval) for p in curve.points if (effect := panel.effect(p))]
        if pairs:
            alphas, intervals = zip(*pairs, strict=True)
            series.append(Series(curve.name, alphas, intervals, styles[curve.name]))
    if series:
        panel.draw(axes, series, figures.strategy_color(curves[0].family))
        figures.alpha_axis(
            axes, [0.0, *(point.alpha for curve in curves for point in curve.points)]
        )
        axes.set_ylabel(panel.label(curves[0].metric))
        figures.legend(axes, len(series))
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


def _trends_block(trends: Sequence[AlphaTrend]) -> Block:
    by_metric = grouped(trends, lambda trend: trend.metric)
    facts = [
        (metric, group, {alpha: alpha_grids.regrets(group, alpha) for alpha in FIXED_ALPHAS})
        for metric, group in by_metric.items()
    ]
    return Block(
        title="Trends over alpha, and what a fixed alpha loses",
        text=SENTENCES.paragraphs("sensitivity.trends", facts, alpha_grids.LEAST_ALPHAS),
        tables=tuple(_trend_table(metric, group) for metric, group in by_metric.items()),
    )


def _trend_table(metric: str, trends: Sequence[AlphaTrend]) -> Table:
    sign = better_sign(metric)

    def regret_column(alpha: float) -> Column[AlphaTrend]:
        return Column(
            f"regret of {plain(alpha)}",
            lambda trend: interval_cell(trend.regrets.get(alpha), -1.0),
        )

    return line_table(
        SENTENCES.phrase("sensitivity.trend_caption", metric),
        trends,
        (
            Column("problem", lambda trend: trend.grid.comparison.name),
            Column("slope", lambda trend: interval_cell(trend.slope, sign)),
            Column("rank correlation", lambda trend: interval_cell(trend.correlation, sign)),
            Column("of the means", lambda trend: number(trend.correlation_of_means, 2)),
            *map(regret_column, FIXED_ALPHAS),
        ),
    )
