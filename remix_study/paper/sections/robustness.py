"""The robustness section: the headline on variants of its problems."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.published import REMIX
from remix_study.paper.robustness import VariantComparison, compare_variants
from remix_study.paper.sections.robustness_sentences import (
    by_kind_and_metric,
    fall_lines,
    gain_lines,
    rank_lines,
    spread_lines,
)
from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.formatting import (
    MISSING,
    counted,
    plain,
    signed,
)
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.report.sections.rank_sums import incomplete_methods
from remix_study.results.comparison import Comparison
from remix_study.results.problem_choice import BOTH, GROUPED, REDRAWN

TITLE = "Robustness"
LEAD = (
    "The headline on the same problems with one thing changed. A plain study downsamples once, "
    "so its repeats share the rare rows; and it splits rows without regard to what they belong "
    "to. Only problems that both have, and rows that are complete in both, are compared."
)
_TITLES = {
    REDRAWN: "Rare rows drawn anew for every repeat",
    GROUPED: "Groups kept together",
    BOTH: "Groups kept together, rare rows drawn anew for every repeat",
}
_SHORT = {REDRAWN: "redrawn", GROUPED: "grouped", BOTH: "both"}


def sections(comparisons: Sequence[Comparison]) -> tuple[Section, ...]:
    """The section of the page; none if no study has variants of plain problems."""
    variants = compare_variants(comparisons)
    if not variants:
        return ()
    files = {
        "robustness-ranks": pd.concat(
            [_rank_frame(variant) for variant in variants], ignore_index=True
        ),
        "robustness-gains": pd.concat([variant.gains for variant in variants], ignore_index=True),
        "robustness": pd.concat([variant.lines for variant in variants], ignore_index=True),
    }
    blocks = tuple(_block(variant) for variant in variants)
    return (
        Section(
            "robustness",
            TITLE,
            LEAD,
            blocks,
            {name: table for name, table in files.items() if len(table)},
        ),
    )


def _block(variant: VariantComparison) -> Block:
    title = _TITLES[variant.name]
    left_out = incomplete_methods(variant.plain.incomplete)
    if not variant.plain.rankings:
        nothing = "Fewer than two of the published rows are complete in both: nothing to compare."
        return Block(title=title, text=(*left_out, nothing))
    text = (
        *left_out,
        *rank_lines(variant),
        *gain_lines(variant),
        *(fall_lines(variant) if variant.name != REDRAWN else ()),
        *(spread_lines(variant) if variant.name != GROUPED else ()),
    )
    pictures = (_picture(variant),) if len(variant.gains) else ()
    tables = [_rank_table(variant)]
    if len(variant.gains):
        tables.append(_gain_table(variant))
    return Block(title=title, text=text, pictures=pictures, tables=tuple(tables))


def _picture(variant: VariantComparison) -> Picture:
    """Draw ReMix's gains on each problem, plain and under the variant, and its spread."""
    problems = list(dict.fromkeys(variant.gains["problem"]))
    remix_scores = variant.lines[
        (variant.lines["row"] == REMIX) & (variant.lines["metric"] == "g_mean")
    ]
    right = (
        ("spread_plain", "spread_other", f"sd of {REMIX}'s g-mean over repeats")
        if variant.name != GROUPED
        else ("plain", "other", f"g-mean of {REMIX}")
    )
    with figure(9.4, 1.3 + 0.24 * len(problems)) as fig:
        axes = fig.subplots(1, 3, sharey=True)
        for ax, metric in zip(axes, PUBLISHED_METRICS, strict=False):
            gains = variant.gains[variant.gains["metric"] == metric].set_index("problem")
            ax.axvline(0, color="#888888", lw=0.8, zorder=1)
            _dumbbells(ax, gains.loc[problems, "plain"], gains.loc[problems, "other"])
            ax.set_xlabel(f"gain in {short_name(metric)}")
        lines = remix_scores.set_index("problem").loc[problems]
        _dumbbells(axes[2], lines[right[0]], lines[right[1]])
        axes[2].set_xlabel(right[2])
        axes[0].set_yticks(range(len(problems)), problems)
        axes[0].set_ylim(len(problems) - 0.4, -0.6)
        color = strategy_color("remix")
        axes[0].plot([], [], ls="", marker="o", color=INK, markerfacecolor="white", label="plain")
        axes[0].plot([], [], ls="", marker="o", color=color, label=_SHORT[variant.name])
        fig.legend(loc="outside upper left", ncols=2)
        svg, png = render(fig)
    alt = (
        f"ReMix's gain over the baseline in g-mean and balanced Brier on each problem, plain and "
        f"{variant.name}, and {right[2]}."
    )
    return Picture(f"robustness-{variant.name.replace(' ', '-')}", "", alt, svg, png, wide=True)


def _dumbbells(axes: Axes, plain: pd.Series, variant: pd.Series) -> None:
    color = strategy_color("remix")
    for height, (plain_value, variant_value) in enumerate(zip(plain, variant, strict=True)):
        axes.axhline(height, color=FAINT, lw=0.4, zorder=0)
        axes.plot(
            [plain_value, variant_value],
            [height, height],
            color=color,
            lw=1.4,
            alpha=0.5,
            zorder=2,
        )
        axes.plot(plain_value, height, marker="o", markersize=5, color=INK,
                  markerfacecolor="white", zorder=3)  # fmt: skip
        axes.plot(variant_value, height, marker="o", markersize=5, color=color, zorder=4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _rank_frame(variant: VariantComparison) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "variant": variant.name,
                "kind": before.kind,
                "metric": before.metric,
                "row": method,
                "problems": len(before.means),
                "rank_sum_plain": rank_sum,
                "rank_sum_other": float(after.sums[str(method)]),
            }
            for before, after in variant.rankings()
            for method, rank_sum in before.sums.items()
        ]
    )


def _rank_table(variant: VariantComparison) -> Table:
    rankings = variant.rankings()
    head = (
        Head("row"),
        *(
            Head(
                f"{before.kind}, {short_name(before.metric)}",
                counted(len(before.means), "problem"),
            )
            for before, _ in rankings
        ),
    )
    rows = []
    for method in variant.plain.methods:
        cells = [Cell(method.label, kind="name", color=strategy_color(method.strategy))]
        for before, after in rankings:
            if method.label not in after.sums:
                cells.append(Cell(MISSING, kind=""))
                continue
            value = float(after.sums[method.label])
            kind = "best" if value == after.sums.min() else "number"
            cells.append(
                Cell(plain(value), f"plain {plain(float(before.sums[method.label]))}", kind)
            )
        rows.append(tuple(cells))
    caption = f"Rank sums {variant.name}, below them those of the same problems plain"
    return Table(caption, (head,), tuple(rows))


def _gain_table(variant: VariantComparison) -> Table:
    columns = [(kind, metric) for (kind, metric), _ in by_kind_and_metric(variant.gains)]
    head = (
        Head("data set"),
        *(Head(f"{kind}, {short_name(metric)}") for kind, metric in columns),
    )
    means = variant.gains.groupby(["dataset", "kind", "metric"], sort=False)[
        ["plain", "other"]
    ].mean()
    rows = []
    for dataset in dict.fromkeys(variant.gains["dataset"]):
        cells = [Cell(str(dataset), kind="name")]
        for kind, metric in columns:
            key = (dataset, kind, metric)
            if key not in means.index:
                cells.append(Cell(MISSING, kind=""))
                continue
            after, before = (float(means[name][key]) for name in ("other", "plain"))
            cells.append(Cell(signed(after), f"plain {signed(before)}"))
        rows.append(tuple(cells))
    caption = f"ReMix's mean gain over the baseline {variant.name}, by data set"
    return Table(caption, (head,), tuple(rows))
