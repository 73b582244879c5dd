"""The decision section: what to use on each problem, before anything else."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from remix_study.metrics import better_sign
from remix_study.report import figures
from remix_study.report.figures import Picture
from remix_study.report.formatting import label_with_direction, number
from remix_study.report.page_model import Block, Cell, Section, Table, fold, has_many_problems
from remix_study.report.page_tables import Column, line_table, metric_columns, score_cell
from remix_study.report.sections import cost_curve
from remix_study.report.sentences import SENTENCES
from remix_study.results import cost_curves
from remix_study.results.decision import Decision
from remix_study.results.decision_files import as_json, table
from remix_study.results.forms import Form
from remix_study.results.rare_rows import RareRows

MOST_DRAWN = 16
"""Methods that a figure shows: the best by validation, and the chosen one."""

# A method this many times the others' range worse is drawn at the edge, with its number.
_FAR = 1.5


def section(decisions: Sequence[Decision], fewer_rows: Sequence[RareRows] = ()) -> Section:
    """The first section of the page, one block a problem."""
    blocks = [_block(place, decision) for place, decision in enumerate(decisions, start=1)]
    if has_many_problems(decisions):
        blocks = list(map(fold, blocks))
    rare_rows = {part.comparison.name: part for part in fewer_rows}
    if not blocks:
        blocks = [Block(text=SENTENCES.paragraphs("decision.nothing"))]
    return Section(
        "decision",
        "Decision",
        SENTENCES.text("decision.lead"),
        tuple(blocks),
        {
            "decision": table(decisions),
            "cost_curves": cost_curves.table(
                [(d.comparison, curve) for d in decisions for curve in d.cost_curves]
            ),
        },
        {"decision.json": [as_json(d, rare_rows.get(d.comparison.name)) for d in decisions]},
    )


def headline(decision: Decision) -> str:
    """What to use, in one or two sentences."""
    return SENTENCES.text("decision.headline", decision)


def _block(place: int, decision: Decision) -> Block:
    pictures = _picture(place, decision), cost_curve.picture(place, decision)
    return Block(
        title=decision.comparison.full_title,
        headline=headline(decision),
        answers=SENTENCES.answers("decision.answers", decision),
        pictures=tuple(filter(None, pictures)),
        tables=(_table(decision),),
    )


def _table(decision: Decision) -> Table:
    """The chosen method and the best of each kind, with the scores that matter."""
    kinds = {
        "chosen": decision.chosen,
        "best network": decision.best_network,
        "best reference estimator": decision.best_reference,
        "best method that mixes": decision.best_mixed,
    }
    by_label: dict[str, list[str]] = {}
    forms = {form.label: form for form in kinds.values() if form}
    for kind, form in kinds.items():
        if form:
            by_label.setdefault(form.label, []).append(kind)

    def name(form: Form) -> Cell:
        color = figures.strategy_color(form.method.strategy)
        return Cell(form.label, ", ".join(by_label[form.label]), "name", color)

    return line_table(
        "Mean test scores with their 95 % intervals",
        forms.values(),
        (
            Column("method", name),
            *metric_columns(
                decision.shown_metrics(), lambda form, m: score_cell(decision.mean(form, m))
            ),
        ),
    )


def _picture(place: int, decision: Decision) -> Picture | None:
    """Test scores of all methods in the study's objectives, the best by validation on top."""
    drawn = [*decision.entries[:MOST_DRAWN]]
    if decision.chosen not in drawn:
        drawn.append(decision.chosen)
    metrics = decision.objectives
    if len(drawn) < 2 or not metrics:
        return None
    names = [_with_short_alpha(form.label) for form in drawn]
    # Room for the names, which are as wide as a panel where they are long.
    width = 2.9 * len(metrics) + 0.075 * max(map(len, names))
    with figures.figure(width, 0.8 + 0.22 * len(drawn)) as fig:
        panels = fig.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
        for axes, metric in zip(panels, metrics, strict=True):
            _draw(axes, decision, drawn, metric)
        figures.name_lines(panels[0], names)
        # A browser's letters may be wider than those that the layout was computed with.
        fig.set_layout_engine("constrained", w_pad=0.12)
    alt = f"Test scores of {len(drawn)} methods on {decision.comparison.name}."
    return figures.picture_of(fig, f"decision-{place}", alt, wide=len(metrics) > 1)


def _draw(axes: Axes, decision: Decision, drawn: Sequence[Form], metric: str) -> None:
    scores = [decision.mean(form, metric) for form in drawn]
    means = np.array([score.mean if score else np.nan for score in scores])
    low, high = _shown_range(means, better_sign(metric))
    figures.rule_lines(axes, len(drawn))
    for height, (form, score) in enumerate(zip(drawn, scores, strict=True)):
        if score is None:
            continue
        color = figures.strategy_color(form.method.strategy)
        if low <= score.mean <= high:
            fill = None if form is decision.chosen else "white"
            figures.draw_interval(axes, score.interval, height, color, fill)
        else:
            is_left = score.mean < low
            axes.annotate(
                f"◂ {number(score.mean)}" if is_left else f"{number(score.mean)} ▸",
                (0.01 if is_left else 0.99, height),
                xycoords=("axes fraction", "data"),
                ha="left" if is_left else "right",
                va="center",
                fontsize=7,
                color=color,
            )
    pad = 0.3 * (high - low) or 0.01
    axes.set_xlim(low - pad, high + pad)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label_with_direction(metric))


def _shown_range(means: NDArray[np.float64], sign: float) -> tuple[float, float]:
    """Lowest and highest mean on the axis: those far worse than the middle half are left out."""
    values = np.sort(sign * means[np.isfinite(means)])
    quarter, three_quarters = np.quantile(values, [0.25, 0.75])
    near = values[values >= quarter - _FAR * max(three_quarters - quarter, 1e-3)]
    low, high = sorted((sign * float(near[0]), sign * float(near[-1])))
    return low, high


def _with_short_alpha(label: str) -> str:
    """A label whose alpha, which a search may have drawn, has three digits."""
    return re.sub(r"\((\d*\.\d+)\)", lambda match: f"({float(match[1]):.3g})", label)
