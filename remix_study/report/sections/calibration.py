"""The calibration section: reliability diagrams of the rare classes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import numpy as np
from matplotlib.axes import Axes

from remix_study.report.figures import (
    FAINT,
    INK,
    Picture,
    figure,
    legend_columns,
    picture_of,
    strategy_color,
)
from remix_study.report.formatting import counted, kind_title, listing, number, thousands
from remix_study.report.page_model import (
    Block,
    Cell,
    Head,
    Section,
    Table,
    fold,
    hardest_problems,
    has_many_problems,
)
from remix_study.report.page_tables import Column, line_table, method_cell, number_cell
from remix_study.report.sentences import SENTENCES
from remix_study.results import calibration
from remix_study.results.calibration import MethodReliability
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.decision import Decision
from remix_study.results.problem_choice import rankable

VIEWS = {
    calibration.NATURAL: "as trained, natural class shares",
    calibration.BALANCED: "as trained, classes counting alike",
    calibration.CORRECTED: "corrected, natural class shares",
}
# Bins with fewer forecasts are marked.
FEW_FORECASTS = 50
# Problems whose diagrams are open; those of further ones are folded.
SHOWN_OPEN = 2
# Diagrams on the page; further ones are files of the folder only, to keep the page small.
ON_PAGE = 6
Reliabilities = Sequence[tuple[Comparison, Sequence[MethodReliability]]]


def section(reliabilities: Reliabilities, decisions: Sequence[Decision] = ()) -> Section:
    """The section of the page, one figure a problem; the text names the methods to use."""
    chosen = {decision.comparison.name: decision.chosen.method.label for decision in decisions}
    shown = [(comparison, methods) for comparison, methods in reliabilities if methods]
    many_problems = has_many_problems(shown)
    comparisons = [comparison for comparison, _ in shown]
    drawn = hardest_problems(comparisons) if many_problems else {c.name for c in comparisons}
    blocks: list[Block] = []
    n_drawn = 0
    for place, (comparison, methods) in enumerate(shown):
        pictures = (_picture(comparison, methods, n_drawn),) if comparison.name in drawn else ()
        n_drawn += len(pictures)
        block = Block(
            title=comparison.full_title,
            text=SENTENCES.paragraphs(
                "calibration.problem",
                methods,
                _drawn(methods),
                pictures,
                chosen.get(comparison.name),
            ),
            pictures=pictures,
            tables=(_page_table(comparison, methods),),
            folded="Reliability diagram and its numbers",
        )
        blocks.append(fold(block) if many_problems or place >= SHOWN_OPEN else block)
    if many_problems:
        by_name = {comparison.name: methods for comparison, methods in shown}
        text = SENTENCES.paragraphs("calibration.many", len(drawn), len(shown))
        by_kind = grouped(rankable(comparisons)[0], lambda comparison: comparison.kind)
        kind_blocks = [
            _kind_block(kind, [r for c in problems for r in by_name[c.name]])
            for kind, problems in by_kind.items()
        ]
        blocks = [*kind_blocks, Block(text=text), *blocks]
    blocks = blocks or [Block(text=SENTENCES.paragraphs("calibration.nothing"))]
    title, lead = "Can the probabilities be trusted?", SENTENCES.text("calibration.lead")
    return Section(
        "calibration", title, lead, tuple(blocks), {"calibration": calibration.table(shown)}
    )


def _kind_block(kind: str, reliabilities: Sequence[MethodReliability]) -> Block:
    """Mean calibration errors of each method over the problems of one kind."""
    by_label = grouped(reliabilities, lambda reliability: reliability.method.label)

    leaders = []
    for view, view_name in VIEWS.items():
        errors = {
            label: calibration.mean_error(methods, view) for label, methods in by_label.items()
        }
        errors_shown = [(label, error) for label, error in errors.items() if error is not None]
        if errors_shown:
            leaders.append((*min(errors_shown, key=itemgetter(1)), view_name))

    def error_column(view: str) -> Column[Sequence[MethodReliability]]:
        return Column(
            Head("error", VIEWS[view]),
            lambda methods: number_cell(calibration.mean_error(methods, view)),
        )

    def name(methods: Sequence[MethodReliability]) -> Cell:
        return method_cell(methods[0].method, counted(len(methods), "problem"))

    return Block(
        title=kind_title(kind),
        text=SENTENCES.paragraphs("calibration.least", leaders),
        tables=(
            line_table(
                f"Calibration error of the rare classes, mean over {kind} problems",
                by_label.values(),
                (Column("method", name), *map(error_column, VIEWS)),
            ),
        ),
    )


def _page_table(comparison: Comparison, reliabilities: Sequence[MethodReliability]) -> Table:
    def error_column(view: str) -> Column[MethodReliability]:
        return Column(Head("error", VIEWS[view]), lambda r: number_cell(r.error(view)))

    pooled = reliabilities[0].by_view[calibration.NATURAL]
    return line_table(
        f"Calibration error of the rare classes on {comparison.name}, "
        f"{thousands(int(pooled.counts.sum()))} pooled forecasts, "
        f"{number(pooled.share)} of them rare",
        reliabilities,
        (
            Column("method", lambda r: method_cell(r.method)),
            Column(
                Head("mean probability", "natural shares"),
                lambda r: number(r.by_view[calibration.NATURAL].mean_forecast),
            ),
            *map(error_column, VIEWS),
        ),
    )


def _drawn(reliabilities: Sequence[MethodReliability]) -> Sequence[MethodReliability]:
    """Those that a diagram shows; a study without any of these shows the first few it has."""
    strategies = calibration.DRAWN_STRATEGIES
    drawn = [r for r in reliabilities if r.method.strategy in strategies]
    return drawn or reliabilities[: len(strategies)]


def _picture(
    comparison: Comparison, reliabilities: Sequence[MethodReliability], n_drawn: int
) -> Picture:
    reliabilities = _drawn(reliabilities)
    views = [view for view in VIEWS if any(view in r.by_view for r in reliabilities)]
    width = 2.9 * len(views)
    with figure(width, 3.3) as fig:
        grid = fig.subplots(2, len(views), squeeze=False, height_ratios=(3, 1), sharex=True)
        for column, view in enumerate(views):
            top, bottom = grid[0, column], grid[1, column]
            _draw(top, bottom, view, reliabilities)
            if column == 0:
                top.set_ylabel("share of rare rows")
                bottom.set_ylabel("forecasts")
            top.set_title(VIEWS[view], fontsize=9.5)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        columns = legend_columns(labels, len(labels), width)
        fig.legend(handles, labels, loc="outside upper left", ncols=columns)
    names = listing([r.method.label for r in reliabilities])
    alt = f"Reliability of the rare classes on {comparison.name}: {names}."
    caption = SENTENCES.text("calibration.caption", FEW_FORECASTS)
    name, on_page = f"calibration-{n_drawn + 1}", n_drawn < ON_PAGE
    return picture_of(fig, name, alt, caption=caption, on_page=on_page, wide=True, is_folded=True)


def _draw(top: Axes, bottom: Axes, view: str, reliabilities: Sequence[MethodReliability]) -> None:
    top.plot([0, 1], [0, 1], color=FAINT, lw=1.2, zorder=1)
    for place, reliability in enumerate(reliabilities):
        # The baseline needs no correction; it is drawn for comparison.
        bins = reliability.by_view.get(view, reliability.by_view[calibration.NATURAL])
        color = strategy_color(reliability.method.strategy)
        is_filled = bins.counts > 0
        top.plot(bins.forecast[is_filled], bins.observed[is_filled], color=color, lw=1.2, zorder=2,
                 label=reliability.method.label)  # fmt: skip
        is_few = is_filled & (bins.counts < FEW_FORECASTS)
        top.plot(bins.forecast[is_few], bins.observed[is_few], color=color, ls="", marker="o",
                 markersize=3.5, markerfacecolor="white", zorder=3)  # fmt: skip
        edges = np.arange(calibration.BINS + 1) / calibration.BINS
        bottom.stairs(np.maximum(bins.counts, 0.5), edges, color=color, lw=1.1, baseline=0.5,
                      alpha=0.9, zorder=2 + 0.1 * place)  # fmt: skip
    bottom.set_yscale("log")
    bottom.yaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
    bottom.set_ylim(bottom=0.5)
    bottom.minorticks_off()
    bottom.set_xlabel("probability given", color=INK)
    top.set(xlim=(-0.02, 1.02), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
