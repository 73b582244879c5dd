"""The sensitivity section: panels of each mixing strategy against alpha."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from remix_study.metrics import better_or_worse, short_name
from remix_study.report.figures import (
    PANEL_SIZE,
    LineStyle,
    Series,
    alpha_axis,
    draw_differences,
    draw_scores,
    figure,
    legend,
    line_styles,
    render,
    strategy_color,
)
from remix_study.report.formatting import (
    counted,
    difference,
    label_with_direction,
    listing,
    number,
    plain,
    sentence,
    signed,
    strategy_name,
)
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.report.sections.alpha_regret import trend_block
from remix_study.results.alpha_regret import table as trend_table
from remix_study.results.comparison import Comparison
from remix_study.results.sensitivity import CurvePoint, SensitivityCurve, sensitivity_curves, table

LEAD = (
    "Alpha sets how much is mixed: 0 mixes nothing, larger values mix more evenly. The left panel "
    "shows the mean test score over the folds, its band one corrected standard error to each "
    "side. The right panel shows what alpha changes against alpha 0 on the same folds, with its "
    "corrected 95 % interval; a hollow mark means that the interval holds zero."
)


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page with one block a mixing strategy and base problem."""
    all_curves = sensitivity_curves(comparisons)
    names = sorted({(_extremeness(curve.comparison), curve.name) for curve in all_curves})
    styles = line_styles(list(dict.fromkeys(name for _, name in names)))
    blocks: list[Block] = []
    single_lines: list[str] = []
    for family in sorted(dict.fromkeys(curve.family for curve in all_curves), key=_prominence):
        several = [
            curve for curve in all_curves if curve.family == family and curve.has_several_alphas
        ]
        if not several:
            single_lines.append(
                _single_line(family, [curve for curve in all_curves if curve.family == family])
            )
        for place, base in enumerate(dict.fromkeys(_base(curve.comparison) for curve in several)):
            problem_curves = [curve for curve in several if _base(curve.comparison) == base]
            name = f"sensitivity-{_file_name(family)}-{place + 1}"
            blocks.append(_block(name, problem_curves, styles))
    block, trends = trend_block(comparisons)
    if block is not None:
        blocks.append(block)
    if single_lines:
        blocks.append(Block(text=tuple(single_lines)))
    searched = [c.name for c in comparisons if not c.is_grid]
    if searched:
        blocks.append(Block(text=(_search_line(searched),)))
    if not all_curves and not searched:
        blocks.append(
            Block(text=("No strategy of this study mixes, so nothing depends on alpha.",))
        )
    files = {"sensitivity": table(all_curves)} if all_curves else {}
    if trends:
        files["trends"] = trend_table(trends)
    return Section("sensitivity", "Sensitivity to alpha", LEAD, tuple(blocks), files)


def _prominence(family: str) -> tuple[bool, str]:
    return family != "remix", family


def _file_name(family: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in family)


def _extremeness(comparison: Comparison) -> float:
    return 0.0 if math.isnan(comparison.imbalance) else -comparison.imbalance


def _base(comparison: Comparison) -> tuple[str, str]:
    return comparison.study, comparison.title


def _block(name: str, curves: Sequence[SensitivityCurve], styles: dict[str, LineStyle]) -> Block:
    pictures: list[Picture] = []
    tables: list[Table] = []
    text: list[str] = []
    for metric in dict.fromkeys(curve.metric for curve in curves):
        metric_curves = [curve for curve in curves if curve.metric == metric]
        pictures += _pictures(name, metric_curves, styles)
        tables.append(_page_table(metric, metric_curves))
        text += [_curve_line(curve) for curve in metric_curves]
    return Block(
        title=f"{strategy_name(curves[0].family)} on {curves[0].comparison.title}",
        text=tuple(text),
        pictures=(*pictures, _overview(name, curves, styles)),
        tables=tuple(tables),
        folded="The numbers behind these panels",
    )


def _pictures(
    name: str, metric_curves: Sequence[SensitivityCurve], styles: dict[str, LineStyle]
) -> list[Picture]:
    color = strategy_color(metric_curves[0].family)
    metric = metric_curves[0].metric
    what = f"{strategy_name(metric_curves[0].family)} on {metric_curves[0].comparison.title}"
    with figure(*PANEL_SIZE) as fig:
        _draw_left(fig.add_subplot(), metric_curves, styles, color)
        alt = f"{short_name(metric)} against alpha, {what}."
        pictures = [Picture(f"{name}-{metric}", "", alt, *render(fig))]
    with figure(*PANEL_SIZE) as fig:
        if _draw_right(fig.add_subplot(), metric_curves, styles, color):
            alt = f"Difference in {short_name(metric)} to alpha 0, {what}."
            pictures.append(Picture(f"{name}-{metric}-difference", "", alt, *render(fig)))
    return pictures


def _overview(
    name: str, curves: Sequence[SensitivityCurve], styles: dict[str, LineStyle]
) -> Picture:
    """Draw all panels of a block in one figure, for a paper or a README."""
    metrics = list(dict.fromkeys(curve.metric for curve in curves))
    color = strategy_color(curves[0].family)
    title = f"{strategy_name(curves[0].family)} on {curves[0].comparison.title}"
    width, height = PANEL_SIZE
    with figure(2 * width, height * len(metrics)) as fig:
        grid = fig.subplots(len(metrics), 2, squeeze=False)
        for (left, right), metric in zip(grid, metrics, strict=True):
            metric_curves = [curve for curve in curves if curve.metric == metric]
            _draw_left(left, metric_curves, styles, color)
            if not _draw_right(right, metric_curves, styles, color):
                right.set_axis_off()
        grid[0, 0].set_title(title, pad=24)
        svg, png = render(fig)
    return Picture(name, "", f"{title}: sensitivity to alpha.", svg, png, on_page=False)


def _draw_left(
    axes: Axes, metric_curves: Sequence[SensitivityCurve], styles: dict[str, LineStyle], color: str
) -> None:
    series = [
        Series(
            curve.name,
            tuple(point.alpha for point in curve.points),
            tuple(point.score for point in curve.points),
            styles[curve.name],
        )
        for curve in metric_curves
    ]
    draw_scores(axes, series, color)
    alpha_axis(axes, _alphas(metric_curves))
    axes.set_ylabel(label_with_direction(metric_curves[0].metric))
    legend(axes, len(series))


def _draw_right(
    axes: Axes, metric_curves: Sequence[SensitivityCurve], styles: dict[str, LineStyle], color: str
) -> bool:
    """Draw the differences to alpha 0; False if there are none."""
    series = []
    for curve in metric_curves:
        pairs = [(point.alpha, point.difference) for point in curve.points if point.difference]
        if pairs:
            alphas, differences = zip(*pairs, strict=True)
            series.append(Series(curve.name, alphas, differences, styles[curve.name]))
    if not series:
        return False
    draw_differences(axes, series, color)
    alpha_axis(axes, _alphas(metric_curves))
    axes.set_ylabel(f"{short_name(metric_curves[0].metric)}: difference to alpha 0")
    legend(axes, len(series))
    return True


def _alphas(some_curves: Sequence[SensitivityCurve]) -> list[float]:
    return [0.0, *(point.alpha for curve in some_curves for point in curve.points)]


def _curve_line(curve: SensitivityCurve) -> str:
    where = f"{curve.name}, {short_name(curve.metric)}"
    if not curve.has_zero:
        return f"{where}: the same without mixing was not run, so there is no difference to show."
    parts = []
    for direction in ("better", "worse"):
        alphas = [
            plain(point.alpha)
            for point in curve.points
            if point.difference
            and point.difference.excludes_zero
            and better_or_worse(curve.metric, point.difference.mean) == direction
        ]
        if alphas:
            parts.append(f"{direction} than alpha 0 at {listing(alphas)}")
    if not parts:
        parts.append("no alpha can be told from alpha 0")
    biggest = max(
        (point for point in curve.points if point.difference),
        key=lambda point: abs(point.difference.mean) if point.difference else 0.0,
    )
    assert biggest.difference is not None
    return sentence(
        f"{where}: {listing(parts)}; the largest difference is {difference(biggest.difference)} "
        f"at alpha {plain(biggest.alpha)}"
    )


def _single_line(strategy: str, strategy_curves: Sequence[SensitivityCurve]) -> str:
    alphas = sorted(
        {point.alpha for curve in strategy_curves for point in curve.points if point.alpha > 0}
    )
    return (
        f"{strategy_name(strategy)} was run at one alpha "
        f"({listing([plain(alpha) for alpha in alphas])}), which makes no curve."
    )


def _search_line(names: Sequence[str]) -> str:
    return (
        f"{listing(names)}: Optuna chose the points, so alpha does not vary alone there and no "
        "curve is drawn."
    )


def _page_table(metric: str, metric_curves: Sequence[SensitivityCurve]) -> Table:
    alphas = sorted({point.alpha for curve in metric_curves for point in curve.points})
    head = (Head("alpha"), *(Head(curve.name) for curve in metric_curves))
    rows = []
    for alpha in alphas:
        cells = [Cell(plain(alpha), kind="name")]
        for curve in metric_curves:
            point = next((p for p in curve.points if p.alpha == alpha), None)
            cells.append(_page_cell(metric, point) if point else Cell("", kind=""))
        rows.append(tuple(cells))
    folds = max(point.score.folds for curve in metric_curves for point in curve.points)
    return Table(
        f"{label_with_direction(metric)}: mean over {counted(folds, 'fold')}, below it the "
        "difference to alpha 0 with its 95 % interval",
        (head,),
        tuple(rows),
    )


def _page_cell(metric: str, point: CurvePoint) -> Cell:
    if point.difference is None:
        return Cell(number(point.score.mean))
    kind = "number"
    if point.difference.excludes_zero:
        kind = better_or_worse(metric, point.difference.mean)
    interval = point.difference
    return Cell(
        number(point.score.mean),
        f"{signed(interval.mean)} ({signed(interval.low)} to {signed(interval.high)})",
        kind,
    )
