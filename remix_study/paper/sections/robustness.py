"""The robustness section: the headline on variants of its problems."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.published import REMIX
from remix_study.paper.robustness import VariantComparison, compare_variants
from remix_study.paper.sentences import SENTENCES
from remix_study.report.figures import FAINT, INK, figure, name_lines, render, strategy_color
from remix_study.report.formatting import counted, plain, signed
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.report.page_tables import ABSENT, Column, cross_table, line_table, method_cell
from remix_study.report.sections.rank_sums import incomplete_methods
from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.results.problem_choice import BOTH, GROUPED, REDRAWN
from remix_study.results.rank_sums import Ranking

TITLE = "Robustness"
_COLOR = strategy_color("remix")
_TITLES = {
    REDRAWN: "Rare rows drawn anew for every repeat",
    GROUPED: "Groups kept together",
    BOTH: "Groups kept together, rare rows drawn anew for every repeat",
}


def sections(comparisons: Sequence[Comparison]) -> tuple[Section, ...]:
    """The section of the page; none if no study has variants of plain problems."""
    variants = compare_variants(comparisons)
    if not variants:
        return ()
    files = {
        "robustness-ranks": _rank_frame(variants),
        "robustness-gains": pd.concat([variant.gains for variant in variants], ignore_index=True),
        "robustness": pd.concat([variant.lines for variant in variants], ignore_index=True),
    }
    files = {name: table for name, table in files.items() if len(table)}
    lead = SENTENCES.text("robustness.lead")
    return (Section("robustness", TITLE, lead, tuple(map(_block, variants)), files),)


def _block(variant: VariantComparison) -> Block:
    has_gains = len(variant.gains) > 0
    return Block(
        title=_TITLES[variant.name],
        text=(
            *incomplete_methods(variant.incomplete),
            *SENTENCES.paragraphs("robustness.block", variant, REMIX),
        ),
        pictures=(_picture(variant),) if has_gains else (),
        tables=(
            *([_rank_table(variant)] if variant.ranks else []),
            *([_gain_table(variant)] if has_gains else []),
        ),
    )


def _picture(variant: VariantComparison) -> Picture:
    """Draw ReMix's gains on each problem, plain and under the variant, and its spread."""
    gains, lines = variant.gains, variant.lines
    problems = list(dict.fromkeys(gains["problem"]))
    remix = lines[(lines["row"] == REMIX) & (lines["metric"] == "g_mean")].set_index("problem")
    right = f"sd of {REMIX}'s g-mean over repeats" if variant.is_redrawn else f"g-mean of {REMIX}"
    columns = ["spread_plain", "spread_other"] if variant.is_redrawn else ["plain", "other"]
    with figure(9.4, 1.3 + 0.24 * len(problems)) as fig:
        axes = fig.subplots(1, 3, sharey=True)
        for ax, metric in zip(axes, PUBLISHED_METRICS, strict=False):
            ax.axvline(0, color="#888888", lw=0.8, zorder=1)
            of_metric = gains[gains["metric"] == metric].set_index("problem")
            _dumbbells(ax, of_metric.loc[problems, ["plain", "other"]])
            ax.set_xlabel(f"gain in {short_name(metric)}")
        _dumbbells(axes[2], remix.loc[problems, columns])
        axes[2].set_xlabel(right)
        name_lines(axes[0], problems)
        short = "both" if variant.name == BOTH else variant.name
        for name, color, fill in (("plain", INK, "white"), (short, _COLOR, _COLOR)):
            axes[0].plot([], [], ls="", marker="o", color=color, markerfacecolor=fill, label=name)
        fig.legend(loc="outside upper left", ncols=2)
        svg, png = render(fig)
    alt = (
        f"ReMix's gain over the baseline in g-mean and balanced Brier on each problem, plain and "
        f"{variant.name}, and {right}."
    )
    return Picture(f"robustness-{variant.name.replace(' ', '-')}", "", alt, svg, png, wide=True)


def _dumbbells(axes: Axes, values: pd.DataFrame) -> None:
    for height, ends in enumerate(values.to_numpy()):
        axes.axhline(height, color=FAINT, lw=0.4, zorder=0)
        axes.plot(ends, [height, height], color=_COLOR, lw=1.4, alpha=0.5, zorder=2)
        axes.plot(ends[0], height, marker="o", markersize=5, color=INK,
                  markerfacecolor="white", zorder=3)  # fmt: skip
        axes.plot(ends[1], height, marker="o", markersize=5, color=_COLOR, zorder=4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _rank_frame(variants: Sequence[VariantComparison]) -> pd.DataFrame:
    return frame_of(
        (
            Record(variant=variant.name, plain=plain, varied=varied, row=str(label))
            for variant in variants
            for plain, varied in variant.ranks
            for label in plain.sums.index
        ),
        {
            "variant": "variant",
            "kind": "plain.kind",
            "metric": "plain.metric",
            "row": "row",
            "problems": lambda line: len(line.plain.means),
            "rank_sum_plain": lambda line: line.plain.sums[line.row],
            "rank_sum_other": lambda line: line.varied.sums[line.row],
        },
    )


def _rank_table(variant: VariantComparison) -> Table:
    def rank_column(before: Ranking, after: Ranking) -> Column[Method]:
        def cell(method: Method) -> Cell:
            if method.label not in after.sums:
                return ABSENT
            kind = "best" if method.label in after.leaders else "number"
            rank_sum, plain_sum = (plain(r.sums[method.label]) for r in (after, before))
            return Cell(rank_sum, f"plain {plain_sum}", kind)

        head = f"{before.kind}, {short_name(before.metric)}"
        return Column(Head(head, counted(len(before.means), "problem")), cell)

    return line_table(
        f"Rank sums {variant.name}, below them those of the same problems plain",
        variant.methods,
        (Column[Method]("row", method_cell), *(rank_column(*pair) for pair in variant.ranks)),
    )


def _gain_table(variant: VariantComparison) -> Table:
    return cross_table(
        f"ReMix's mean gain over the baseline {variant.name}, by data set",
        variant.gains_by_dataset(),
        corner="data set",
        row=lambda line: Cell(line.dataset, kind="name"),
        column=lambda line: Head(f"{line.kind}, {short_name(line.metric)}"),
        cell=lambda line: Cell(signed(line.other), f"plain {signed(line.plain)}"),
    )
