"""The section on rare rows: what methods are worth in rows, and what more rows would tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from remix_study.metrics import short_name
from remix_study.report import figures
from remix_study.report.figures import Picture
from remix_study.report.formatting import digits, label_with_direction, number, plain, short_label
from remix_study.report.page_model import Block, Cell, Head, Section, fold, has_many_problems
from remix_study.report.page_tables import Column, line_table, method_cell, text_column
from remix_study.report.sentences import SENTENCES
from remix_study.results.rare_rows import RareCurve, RareRows
from remix_study.results.rare_rows_files import table

# Beside each other the points of several methods can be told apart.
_SPREAD = 0.008


def sections(problems: Sequence[RareRows]) -> list[Section]:
    """The section of the page, one block a problem; none without such training."""
    if not problems:
        return []
    blocks = [_block(place, part) for place, part in enumerate(problems, start=1)]
    if has_many_problems(problems):
        blocks = list(map(fold, blocks))
    lead = SENTENCES.text("rare_rows.lead")
    return [
        Section(
            "rare-rows",
            "What methods are worth in rare rows",
            lead,
            tuple(blocks),
            {"rare-rows": table(problems)},
        )
    ]


def _block(place: int, part: RareRows) -> Block:
    curves = [curve for of_metric in part.curves.values() for curve in of_metric]

    def score(curve: RareCurve, at: int) -> Cell:
        n, interval = digits(curve.metric), curve.intervals[at]
        ends = f"{number(interval.low, n)} to {number(interval.high, n)}"
        return Cell(number(interval.mean, n), ends if math.isfinite(interval.low) else "")

    def share_column(at: int, ratio: float) -> Column[RareCurve]:
        head = Head(f"{100 * ratio:.0f} %", f"{round(ratio * part.n_rare)} rare rows")
        return Column(head, lambda curve: score(curve, at))

    columns = (
        Column("method", lambda curve: method_cell(curve.form.method, _form_name(curve))),
        text_column("score", lambda curve: short_name(curve.metric)),
        *(share_column(at, ratio) for at, ratio in enumerate(curves[0].ratios)),
        Column(
            Head("worth", "times the rare rows"),
            lambda curve: Cell(
                SENTENCES.phrase("rare_rows.worth", curve),
                SENTENCES.phrase("rare_rows.worth_ends", curve),
            ),
        ),
    )
    caption = "Mean test scores by share of the rare training rows, with 95 % intervals"
    return Block(
        title=part.comparison.full_title,
        text=SENTENCES.paragraphs("rare_rows.block", part),
        pictures=tuple(_pictures(place, part)),
        tables=(line_table(caption, curves, columns),),
        folded="The numbers behind these curves",
    )


def _form_name(curve: RareCurve) -> str:
    return curve.form.label.removeprefix(curve.form.method.label).strip(" +/")


def _pictures(place: int, part: RareRows) -> Iterator[Picture]:
    """Scores over the number of rare rows, one figure an objective."""
    for metric, curves in part.curves.items():
        with figures.figure(*figures.PANEL_SIZE) as fig:
            _draw(fig.subplots(), part, metric, curves)
            _, labels = fig.axes[0].get_legend_handles_labels()
            columns = figures.legend_columns(labels, most=2)
            fig.legend(loc="outside upper left", ncols=columns, handlelength=1.2, fontsize=8)
        alt = f"Test {short_name(metric)} over the number of rare rows on {part.comparison.name}."
        yield figures.picture_of(fig, f"rare-rows-{place}-{metric}", alt)


def _draw(axes: Axes, part: RareRows, metric: str, curves: Sequence[RareCurve]) -> None:
    middle = (len(curves) - 1) / 2
    for place, curve in enumerate(curves):
        color = figures.strategy_color(curve.form.method.strategy)
        ratios = np.array(curve.ratios)
        means = np.array([interval.mean for interval in curve.intervals])
        ends = np.array([(i.low, i.high) for i in curve.intervals]).T
        reach = np.nan_to_num(np.abs(ends - means))
        shifted = ratios * (1 + _SPREAD * 4 * (place - middle))
        axes.errorbar(shifted, means, reach, fmt="o", color=color, ms=3.5, lw=0.9, capsize=0)
        line = np.linspace(ratios[0], 1, 50)
        axes.plot(
            line,
            [curve.at(r) for r in line],
            color=color,
            lw=1.3,
            label=short_label(curve.form.label),
        )
    axes.set_xscale("log")
    axes.set_xticks(curves[0].ratios, [plain(round(r * part.n_rare)) for r in curves[0].ratios])
    axes.minorticks_off()
    axes.set_xlabel("rare rows in the data (log scale)")
    axes.set_ylabel(label_with_direction(metric))
