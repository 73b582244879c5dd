"""The decision section: what to use on each problem, before anything else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes

from remix_study.metrics import better_sign, short_name
from remix_study.report import figures
from remix_study.report.figures import Picture
from remix_study.report.formatting import label_with_direction, number, short_label
from remix_study.report.page_model import Block, Cell, Section, Table, fold
from remix_study.report.page_tables import Column, line_table, metric_columns, score_cell
from remix_study.report.sections import cost_curve, glance
from remix_study.report.sentences import SENTENCES
from remix_study.results import cost_curves
from remix_study.results.comparison import Comparison
from remix_study.results.decision import Decision
from remix_study.results.decision_files import as_json, table
from remix_study.results.effects import Score
from remix_study.results.forms import Form
from remix_study.results.natural_data import mixing_elsewhere
from remix_study.results.rare_rows import RareRows
from remix_study.results.remix_effect import remix_effects
from remix_study.results.telling_apart import rows_to_tell_apart

MOST_DRAWN = 8
"""Methods that a figure shows: the best by validation, and the chosen one."""

SHOWN_OPEN = 2
"""With more problems than this each one's decision is folded, below a table of all."""

FEW_FOLDS = 10
FEW_ROWS = 10
"""Below these numbers of folds, and of test rows of a rare class, a page warns."""

_WIDEST_NAME = 40  # Letters of a line of a name in a figure
# A method this many times the others' range worse is drawn at the edge, with its number.
_FAR = 1.5


def section(decisions: Sequence[Decision], fewer_rows: Sequence[RareRows] = ()) -> Section:
    """The first section of the page, one block a problem."""
    blocks = glance.blocks(decisions)
    rare_rows = {part.comparison.name: part for part in fewer_rows}
    is_folded = len(decisions) > SHOWN_OPEN
    for place, decision in enumerate(decisions, start=1):
        part = rare_rows.get(decision.comparison.name)
        same_study = [d for d in decisions if d.comparison.study == decision.comparison.study]
        command = decision.fit_command(is_only_problem=len(same_study) == 1)
        blocks += _blocks(place, decision, part, command, is_folded=is_folded)
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


def remix_headline(comparison: Comparison) -> str:
    """What ReMix adds, in one sentence; "" where nothing says so."""
    effects = remix_effects(comparison)
    return SENTENCES.text("decision.remix_line", effects) if effects else ""


def _blocks(
    place: int, decision: Decision, rare_rows: RareRows | None, command: str, *, is_folded: bool
) -> list[Block]:
    """The answer with its figure and table, and below them what else a reader would ask."""
    cost_picture = cost_curve.picture(place, decision)
    comparison = decision.comparison
    questions = SENTENCES.answers(
        "decision.questions",
        decision,
        remix_effects(comparison),
        rare_rows,
        mixing_elsewhere(comparison),
        fit_command=command,
        apart=tuple(rows_to_tell_apart(decision)),
    )
    answer = Block(
        title=comparison.full_title,
        warnings=SENTENCES.paragraphs("decision.warnings", decision, FEW_FOLDS, FEW_ROWS),
        headline=headline(decision),
        answers=SENTENCES.answers("decision.answers", decision),
        pictures=(*_pictures(place, decision), *([cost_picture] if cost_picture else [])),
        tables=(_table(decision),),
    )
    if is_folded:
        return [fold(replace(answer, answers=(*answer.answers, *questions)))]
    return [answer, Block(answers=questions)]


def _table(decision: Decision) -> Table:
    """The chosen method and the best of each kind, with the scores that matter."""
    kinds = {
        "chosen": decision.chosen,
        "best network": decision.best_network,
        "best reference estimator": decision.best_reference,
        "best method that mixes": decision.best_mixed,
        "baseline": decision.baseline,
    }
    by_label: dict[str, list[str]] = {}
    forms = {form.label: form for form in kinds.values() if form}
    for kind, form in kinds.items():
        if form:
            by_label.setdefault(form.label, []).append(kind)

    def name(form: Form) -> Cell:
        color = figures.strategy_color(form.method.strategy)
        return Cell(short_label(form.label), ", ".join(by_label[form.label]), "name", color)

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


def _pictures(place: int, decision: Decision) -> Iterator[Picture]:
    """Test scores of the best methods by validation, a figure an objective."""
    # The chosen method first; the baseline is there, whatever its place.
    always = [form for form in (decision.chosen, decision.baseline) if form]
    best = [form for form in decision.entries if form not in always]
    drawn = [decision.chosen, *best[: MOST_DRAWN - len(always)]]
    drawn += [form for form in always if form not in drawn]
    if len(drawn) < 2:
        return
    # Methods of a search are named by all of their parameters.
    names = [textwrap.wrap(short_label(form.label), _WIDEST_NAME) for form in drawn]
    width = 2.5 + 0.075 * max(len(line) for name in names for line in name)
    height = 0.8 + 0.22 * len(drawn) * (0.3 + 0.7 * max(map(len, names)))
    caption = SENTENCES.text("decision.picture_caption", len(drawn), len(decision.entries))
    for metric in decision.objectives:
        # Room for the names, which are as wide as a panel where they are long.
        with figures.figure(width, height) as fig:
            axes = fig.subplots()
            _draw(axes, decision, drawn, metric)
            figures.name_lines(axes, ["\n".join(name) for name in names])
            # A browser's letters may be wider than those that the layout was computed with.
            fig.set_layout_engine("constrained", w_pad=0.12)
        problem = decision.comparison.name
        alt = f"{short_name(metric)} of {len(drawn)} methods on the test parts of {problem}."
        yield figures.picture_of(fig, f"decision-{place}-{metric}", alt, caption=caption)
        caption = ""


def _draw(axes: Axes, decision: Decision, drawn: Sequence[Form], metric: str) -> None:
    scores = [decision.mean(form, metric) for form in drawn]
    low, high = _axis_ends([score for score in scores if score], better_sign(metric))
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
    axes.set_xlim(low, high)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label_with_direction(metric))


def _axis_ends(scores: Sequence[Score], sign: float) -> tuple[float, float]:
    """Ends of an axis that has the intervals of all but those far worse than the middle half."""
    means = sign * np.array([score.mean for score in scores])
    quarter, three_quarters = np.quantile(means, [0.25, 0.75])
    is_near = means >= quarter - _FAR * max(three_quarters - quarter, 1e-3)
    near = [score.interval for score, near in zip(scores, is_near, strict=True) if near]
    ends = np.array([end for i in near for end in (i.low, i.mean, i.high) if np.isfinite(end)])
    pad = 0.04 * (ends.max() - ends.min()) or 0.01
    return float(ends.min() - pad), float(ends.max() + pad)
