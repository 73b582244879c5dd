"""The calibration section: reliability diagrams of the rare classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.folding import crowded, fold, hardest
from remix_study.report.formatting import MISSING, counted, listing, number, sentence, thousands
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
from remix_study.results.rank_sums import rankable

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
FEW = 50
# Diagrams of further problems are folded away.
SHOWN_OPEN = 3
# Diagrams of still further ones are files of the folder alone, to keep the page small.
ON_PAGE = 12
Found = Sequence[tuple[Comparison, Sequence[MethodReliability]]]


def section(found: Found) -> Section:
    """The section of the page, one figure a problem."""
    lead = LEAD.format(few=FEW)
    shown = [(comparison, rows) for comparison, rows in found if rows]
    if not shown:
        text = "There are no stored probabilities of planned points to bin."
        return Section("calibration", TITLE, lead, (Block(text=(text,)),))
    many = crowded(shown)
    drawn = hardest([c for c, _ in shown]) if many else {c.name for c, _ in shown}
    blocks: tuple[Block, ...] = ()
    for comparison, rows in shown:
        blocks += (_block(comparison, rows, blocks, drawn=comparison.name in drawn),)
    if many:
        text = (
            f"Diagrams are drawn for the most extreme imbalance of each data set, "
            f"{len(drawn)} of the {len(shown)} problems; all have a table."
        )
        blocks = (*_summaries(shown, text), *(b if b.collapsed else fold(b) for b in blocks))
    return Section("calibration", TITLE, lead, blocks, {"calibration": table(shown)})


def _summaries(found: Found, drawn: str) -> list[Block]:
    """Calibration errors on the average of a kind of problem, and what is drawn."""
    blocks = []
    once, _ = rankable([comparison for comparison, _ in found])
    for kind in dict.fromkeys(comparison.kind for comparison in once):
        here = [rows for c, rows in found if c.kind == kind and c in once]
        labels = dict.fromkeys(made.method.label for rows in here for made in rows)
        lines: list[tuple[Cell, ...]] = []
        means: dict[str, dict[str, float]] = {view: {} for view in VIEWS}
        for name in labels:
            own = [made for rows in here for made in rows if made.method.label == name]
            color = strategy_color(own[0].method.strategy)
            cells = [Cell(name, counted(len(own), "problem"), "name", color=color)]
            for view in VIEWS:
                errors = [made.by_view[view].error for made in own if view in made.by_view]
                if errors:
                    means[view][name] = float(np.mean(errors))
                cells.append(Cell(number(means[view][name])) if errors else Cell(MISSING, kind=""))
            lines.append(tuple(cells))
        parts = []
        for view, own_means in means.items():
            if own_means:
                name, least = min(own_means.items(), key=lambda item: item[1])
                parts.append(f"{name} ({number(least)}) {VIEWS[view]}")
        head = (Head("row"), *(Head("error", VIEWS[view]) for view in VIEWS))
        caption = f"Calibration error of the rare classes, mean over {kind} problems"
        blocks.append(
            Block(
                title=f"{kind[0].upper()}{kind[1:]} problems",
                text=(sentence(f"The smallest mean calibration error has {listing(parts)}"),),
                tables=(Table(caption, (head,), tuple(lines)),),
            )
        )
    return [*blocks, Block(text=(drawn,))]


def _block(
    comparison: Comparison,
    rows: Sequence[MethodReliability],
    before: Sequence[Block],
    *,
    drawn: bool,
) -> Block:
    title = f"{comparison.title}, {comparison.imbalance_name}"
    folded = len(before) >= SHOWN_OPEN
    at = sum(len(block.pictures) for block in before)
    # A study without any of these shows the first few that it has.
    shown = [made for made in rows if made.method.strategy in DRAWN_STRATEGIES] or rows[
        : len(DRAWN_STRATEGIES)
    ]
    pictures = (_picture(comparison, shown, at),) if drawn else ()
    text = _reading(rows)
    text += tuple(
        f"Its diagram is figures/{picture.name}.svg in the report’s folder."
        for picture in pictures
        if not picture.on_page
    )
    return Block(
        title="" if folded else title,
        text=text,
        pictures=pictures,
        tables=(_page_table(comparison, rows),),
        collapsed=title if folded else "",
    )


def _reading(rows: Sequence[MethodReliability]) -> tuple[str, ...]:
    share = rows[0].by_view[NATURAL].share
    means = [f"{made.method.label} {number(made.by_view[NATURAL].mean_forecast)}" for made in rows]
    best = {
        view: min(
            (made for made in rows if view in made.by_view),
            key=lambda made: made.by_view[view].error,
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
        f"{made.method.label} from {number(made.by_view[NATURAL].error)} to "
        f"{number(made.by_view[CORRECTED].error)}" + ("" if made.is_exact else " (approximate)")
        for made in rows
        if CORRECTED in made.by_view
    ]
    if changes:
        lines.append(
            sentence(f"Carried back to the natural shares, the error goes for {listing(changes)}")
        )
    return tuple(lines)


def _picture(comparison: Comparison, rows: Sequence[MethodReliability], at: int) -> Picture:
    views = [view for view in VIEWS if any(view in made.by_view for made in rows)]
    with figure(2.9 * len(views), 3.9) as made:
        grid = made.subplots(2, len(views), squeeze=False, height_ratios=(3, 1), sharex=True)
        for column, view in enumerate(views):
            top, bottom = grid[0, column], grid[1, column]
            _draw(top, bottom, view, rows)
            if column == 0:
                top.set_ylabel("share of rare rows")
                bottom.set_ylabel("forecasts")
            top.set_title(VIEWS[view], fontsize=9.5)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        made.legend(handles, labels, loc="outside upper left", ncols=len(rows))
        svg, png = render(made)
    names = listing([made.method.label for made in rows])
    alt = f"Reliability of the rare classes on {comparison.name}: {names}."
    return Picture(f"calibration-{at + 1}", "", alt, svg, png, at < ON_PAGE, wide=True)


def _draw(top: Axes, bottom: Axes, view: str, rows: Sequence[MethodReliability]) -> None:
    top.plot([0, 1], [0, 1], color=FAINT, lw=1.2, zorder=1)
    for place, made in enumerate(rows):
        one = made.by_view.get(view)
        color = strategy_color(made.method.strategy)
        if one is None:
            # The baseline needs no correction; it stays for comparison.
            one = made.by_view[NATURAL]
        filled = one.counts > 0
        top.plot(one.forecast[filled], one.observed[filled], color=color, lw=1.2, zorder=2,
                 label=made.method.label)  # fmt: skip
        few = filled & (one.counts < FEW)
        top.plot(one.forecast[few], one.observed[few], color=color, ls="", marker="o",
                 markersize=3.5, markerfacecolor="white", zorder=3)  # fmt: skip
        edges = np.arange(BINS + 1) / BINS
        bottom.stairs(np.maximum(one.counts, 0.5), edges, color=color, lw=1.1, baseline=0.5,
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


def _page_table(comparison: Comparison, rows: Sequence[MethodReliability]) -> Table:
    head = (
        Head("row"),
        Head("mean probability", "natural shares"),
        *(Head("error", VIEWS[view]) for view in VIEWS),
    )
    lines = []
    for made in rows:
        cells = [Cell(made.method.label, kind="name", color=strategy_color(made.method.strategy))]
        cells.append(Cell(number(made.by_view[NATURAL].mean_forecast)))
        for view in VIEWS:
            one = made.by_view.get(view)
            cells.append(Cell(number(one.error)) if one else Cell(MISSING, kind=""))
        lines.append(tuple(cells))
    n = thousands(int(rows[0].by_view[NATURAL].counts.sum()))
    caption = (
        f"Calibration error of the rare classes on {comparison.name}, {n} pooled forecasts, "
        f"{number(rows[0].by_view[NATURAL].share)} of them rare"
    )
    return Table(caption, (head,), tuple(lines))
