"""The calibration section: reliability diagrams of the rare classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.folding import fold, hardest_problems, has_many_problems
from remix_study.report.formatting import (
    MISSING,
    counted,
    kind_title,
    listing,
    number,
    sentence,
    thousands,
)
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.results.calibration import (
    BALANCED,
    BINS,
    CORRECTED,
    DRAWN_STRATEGIES,
    NATURAL,
    MethodReliability,
    table,
)
from remix_study.results.comparison import Comparison
from remix_study.results.problem_choice import rankable

TITLE = "Calibration of the rare classes"
VIEWS = {
    NATURAL: "as trained, natural class shares",
    BALANCED: "as trained, classes counting alike",
    CORRECTED: "carried back, natural class shares",
}
LEAD = (
    "Each diagram sets the probability given to a rare class against how often rows with it are "
    "of that class, in ten bins over the pooled test parts; several rare classes are pooled. On "
    "the diagonal a probability is what it says. Hollow marks are bins of fewer than "
    "{few} forecasts, which chance moves; the strips below count the forecasts. A network "
    "cannot be calibrated for the natural class shares and for equal ones at once: training on "
    "balanced batches aims at the second. “Carried back” divides that shift out again, which is "
    "approximate for rows that were mixed."
)
# Bins with fewer forecasts are marked.
FEW_FORECASTS = 50
# Problems whose diagrams are open; those of further ones are folded.
SHOWN_OPEN = 3
# Diagrams on the page; further ones are files of the folder only, to keep the page small.
ON_PAGE = 12
Reliabilities = Sequence[tuple[Comparison, Sequence[MethodReliability]]]


def section(reliabilities: Reliabilities) -> Section:
    """The section of the page, one figure a problem."""
    lead = LEAD.format(few=FEW_FORECASTS)
    shown = [(comparison, methods) for comparison, methods in reliabilities if methods]
    if not shown:
        text = "There are no stored probabilities of planned points to bin."
        return Section("calibration", TITLE, lead, (Block(text=(text,)),))
    many_problems = has_many_problems(shown)
    drawn_names = (
        hardest_problems([c for c, _ in shown]) if many_problems else {c.name for c, _ in shown}
    )
    blocks: tuple[Block, ...] = ()
    for comparison, methods in shown:
        blocks += (_block(comparison, methods, blocks, is_drawn=comparison.name in drawn_names),)
    if many_problems:
        text = (
            f"Diagrams are drawn for the most extreme imbalance of each data set, "
            f"{len(drawn_names)} of the {len(shown)} problems; all have a table."
        )
        blocks = (*_kind_summaries(shown, text), *(b if b.collapsed else fold(b) for b in blocks))
    return Section("calibration", TITLE, lead, blocks, {"calibration": table(shown)})


def _kind_summaries(reliabilities: Reliabilities, note: str) -> list[Block]:
    """Mean calibration errors by kind of problem, and a note on what is drawn."""
    blocks = []
    ranked, _ = rankable([comparison for comparison, _ in reliabilities])
    for kind in dict.fromkeys(comparison.kind for comparison in ranked):
        problems = [methods for c, methods in reliabilities if c.kind == kind and c in ranked]
        labels = dict.fromkeys(
            reliability.method.label for methods in problems for reliability in methods
        )
        lines: list[tuple[Cell, ...]] = []
        means: dict[str, dict[str, float]] = {view: {} for view in VIEWS}
        for name in labels:
            same_method = [
                reliability
                for methods in problems
                for reliability in methods
                if reliability.method.label == name
            ]
            color = strategy_color(same_method[0].method.strategy)
            cells = [Cell(name, counted(len(same_method), "problem"), "name", color=color)]
            for view in VIEWS:
                errors = [
                    reliability.by_view[view].error
                    for reliability in same_method
                    if view in reliability.by_view
                ]
                if errors:
                    means[view][name] = float(np.mean(errors))
                cells.append(Cell(number(means[view][name])) if errors else Cell(MISSING, kind=""))
            lines.append(tuple(cells))
        parts = []
        for view, view_means in means.items():
            if view_means:
                name, least_error = min(view_means.items(), key=lambda item: item[1])
                parts.append(f"{name} ({number(least_error)}) {VIEWS[view]}")
        head = (Head("row"), *(Head("error", VIEWS[view]) for view in VIEWS))
        caption = f"Calibration error of the rare classes, mean over {kind} problems"
        blocks.append(
            Block(
                title=kind_title(kind),
                text=(sentence(f"The smallest mean calibration error has {listing(parts)}"),),
                tables=(Table(caption, (head,), tuple(lines)),),
            )
        )
    return [*blocks, Block(text=(note,))]


def _block(
    comparison: Comparison,
    reliabilities: Sequence[MethodReliability],
    earlier_blocks: Sequence[Block],
    *,
    is_drawn: bool,
) -> Block:
    title = f"{comparison.title}, {comparison.imbalance_name}"
    is_folded = len(earlier_blocks) >= SHOWN_OPEN
    number_drawn = sum(len(block.pictures) for block in earlier_blocks)
    # A study without any of these shows the first few that it has.
    drawn = [
        reliability
        for reliability in reliabilities
        if reliability.method.strategy in DRAWN_STRATEGIES
    ] or reliabilities[: len(DRAWN_STRATEGIES)]
    pictures = (_picture(comparison, drawn, number_drawn),) if is_drawn else ()
    text = _problem_lines(reliabilities)
    text += tuple(
        f"Its diagram is figures/{picture.name}.svg in the report’s folder."
        for picture in pictures
        if not picture.on_page
    )
    return Block(
        title="" if is_folded else title,
        text=text,
        pictures=pictures,
        tables=(_page_table(comparison, reliabilities),),
        collapsed=title if is_folded else "",
    )


def _problem_lines(reliabilities: Sequence[MethodReliability]) -> tuple[str, ...]:
    share = reliabilities[0].by_view[NATURAL].share
    means = [
        f"{reliability.method.label} {number(reliability.by_view[NATURAL].mean_forecast)}"
        for reliability in reliabilities
    ]
    best = {
        view: min(
            (reliability for reliability in reliabilities if view in reliability.by_view),
            key=lambda reliability: reliability.by_view[view].error,
            default=None,
        )
        for view in (NATURAL, BALANCED)
    }
    natural, balanced = best[NATURAL], best[BALANCED]
    assert natural is not None
    assert balanced is not None
    lines = [
        sentence(
            f"Rare rows are {number(share)} of the forecasts; the mean probability given to them "
            f"is {listing(means)}"
        ),
        sentence(
            "The smallest calibration error has "
            f"{natural.method.label} at the natural class shares "
            f"({number(natural.by_view[NATURAL].error)}) and {balanced.method.label} where "
            f"classes count alike ({number(balanced.by_view[BALANCED].error)})"
        ),
    ]
    changes = [
        f"{reliability.method.label} from {number(reliability.by_view[NATURAL].error)} to "
        f"{number(reliability.by_view[CORRECTED].error)}"
        + ("" if reliability.is_exact else " (approximate)")
        for reliability in reliabilities
        if CORRECTED in reliability.by_view
    ]
    if changes:
        lines.append(
            sentence(f"Carried back to the natural shares, the error goes for {listing(changes)}")
        )
    return tuple(lines)


def _picture(
    comparison: Comparison, reliabilities: Sequence[MethodReliability], number_drawn: int
) -> Picture:
    views = [view for view in VIEWS if any(view in r.by_view for r in reliabilities)]
    with figure(2.9 * len(views), 3.9) as fig:
        grid = fig.subplots(2, len(views), squeeze=False, height_ratios=(3, 1), sharex=True)
        for column, view in enumerate(views):
            top, bottom = grid[0, column], grid[1, column]
            _draw(top, bottom, view, reliabilities)
            if column == 0:
                top.set_ylabel("share of rare rows")
                bottom.set_ylabel("forecasts")
            top.set_title(VIEWS[view], fontsize=9.5)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper left", ncols=len(reliabilities))
        svg, png = render(fig)
    names = listing([r.method.label for r in reliabilities])
    alt = f"Reliability of the rare classes on {comparison.name}: {names}."
    return Picture(
        f"calibration-{number_drawn + 1}", "", alt, svg, png, number_drawn < ON_PAGE, wide=True
    )


def _draw(top: Axes, bottom: Axes, view: str, reliabilities: Sequence[MethodReliability]) -> None:
    top.plot([0, 1], [0, 1], color=FAINT, lw=1.2, zorder=1)
    for place, reliability in enumerate(reliabilities):
        bins = reliability.by_view.get(view)
        color = strategy_color(reliability.method.strategy)
        if bins is None:
            # The baseline needs no correction; it is drawn for comparison.
            bins = reliability.by_view[NATURAL]
        is_filled = bins.counts > 0
        top.plot(bins.forecast[is_filled], bins.observed[is_filled], color=color, lw=1.2, zorder=2,
                 label=reliability.method.label)  # fmt: skip
        is_few = is_filled & (bins.counts < FEW_FORECASTS)
        top.plot(bins.forecast[is_few], bins.observed[is_few], color=color, ls="", marker="o",
                 markersize=3.5, markerfacecolor="white", zorder=3)  # fmt: skip
        edges = np.arange(BINS + 1) / BINS
        bottom.stairs(np.maximum(bins.counts, 0.5), edges, color=color, lw=1.1, baseline=0.5,
                      alpha=0.9, zorder=2 + 0.1 * place)  # fmt: skip
    bottom.set_yscale("log")
    bottom.yaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
    bottom.set_ylim(bottom=0.5)
    bottom.minorticks_off()
    bottom.set_xlabel("probability given", color=INK)
    top.set_xlim(-0.02, 1.02)
    top.set_ylim(-0.03, 1.03)
    top.set_yticks([0, 0.5, 1])
    top.set_xticks([0, 0.5, 1])


def _page_table(comparison: Comparison, reliabilities: Sequence[MethodReliability]) -> Table:
    head = (
        Head("row"),
        Head("mean probability", "natural shares"),
        *(Head("error", VIEWS[view]) for view in VIEWS),
    )
    lines = []
    for reliability in reliabilities:
        cells = [
            Cell(
                reliability.method.label,
                kind="name",
                color=strategy_color(reliability.method.strategy),
            )
        ]
        cells.append(Cell(number(reliability.by_view[NATURAL].mean_forecast)))
        for view in VIEWS:
            bins = reliability.by_view.get(view)
            cells.append(Cell(number(bins.error)) if bins else Cell(MISSING, kind=""))
        lines.append(tuple(cells))
    n = thousands(int(reliabilities[0].by_view[NATURAL].counts.sum()))
    caption = (
        f"Calibration error of the rare classes on {comparison.name}, {n} pooled forecasts, "
        f"{number(reliabilities[0].by_view[NATURAL].share)} of them rare"
    )
    return Table(caption, (head,), tuple(lines))
