"""All problems of a page at a glance: what to use on each, and what ReMix adds to it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from remix_study.metrics import short_name
from remix_study.report import figures
from remix_study.report.figures import Picture
from remix_study.report.formatting import (
    MISSING,
    counted,
    label_with_direction,
    short_label,
)
from remix_study.report.page_model import Block, Cell, Head, Table, has_many_problems
from remix_study.report.page_tables import Column, line_table, metric_columns, score_cell
from remix_study.report.sentences import SENTENCES
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.decision import Decision
from remix_study.results.methods import nearest_alphas
from remix_study.results.remix_effect import RIVALS, RemixEffect, Rival, remix_effects, tally

FEWEST_PROBLEMS = 3
"""With fewer problems each one's decision says it all."""

_RIVAL_HEADS: Mapping[Rival, Head] = {
    "baseline": Head("ReMix against the baseline", kind="text"),
    "balance": Head("its mixing against balancing", kind="text"),
}
_UNTRAINED: Mapping[Rival, str] = {
    "baseline": "the baseline did not train",
    "balance": "balancing did not train",
}
_MARKS = {"better": "short better", "worse": "short worse"}


def blocks(decisions: Sequence[Decision]) -> list[Block]:
    """What opens the section on decisions where there are several problems."""
    if len(decisions) < FEWEST_PROBLEMS:
        return []
    lines = tally_lines([decision.comparison for decision in decisions])
    problems = [decision.comparison for decision in decisions]
    groups = [problems]
    if has_many_problems(problems):
        groups = list(grouped(problems, lambda c: (c.study, c.kind)).values())
    pictures = [
        _picture(f"glance-{place}-{metric}", group, metric)
        for place, group in enumerate(groups, start=1)
        for metric in group[0].objectives
    ]
    return [Block(text=lines, pictures=tuple(pictures), tables=(_table(decisions),))]


def tally_lines(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """How often ReMix is better and worse than the baseline and than balancing, one a metric."""
    return SENTENCES.paragraphs("decision.tally", tally(map(remix_effects, comparisons)))


def _table(decisions: Sequence[Decision]) -> Table:
    effects = {
        decision.comparison.name: {e.rival: e for e in remix_effects(decision.comparison)}
        for decision in decisions
    }
    metrics = list(dict.fromkeys(m for decision in decisions for m in decision.objectives))
    shown_rivals = [r for r in RIVALS if any(r in by_rival for by_rival in effects.values())]

    def use(decision: Decision) -> Cell:
        detail = SENTENCES.phrase("decision.glance_detail", decision)
        color = figures.strategy_color(decision.chosen.method.strategy)
        return Cell(short_label(decision.chosen.label), detail, "short", color)

    def score(decision: Decision, metric: str) -> Cell:
        return score_cell(decision.mean(decision.chosen, metric))

    def rival_column(rival: Rival) -> Column[Decision]:
        return Column(
            _RIVAL_HEADS[rival],
            lambda d: _words_cell(effects[d.comparison.name].get(rival)),
        )

    return line_table(
        SENTENCES.phrase(
            "decision.glance_caption", any("-ir" in d.comparison.name for d in decisions)
        ),
        decisions,
        (
            Column[Decision]("problem", lambda d: Cell(d.comparison.name, kind="name")),
            Column(Head("use", kind="text"), use),
            *metric_columns(metrics, score),
            *map(rival_column, shown_rivals),
        ),
    )


def _words_cell(effect: RemixEffect | None) -> Cell:
    """The words of all objectives, or one where they agree."""
    if effect is None:
        return Cell(MISSING, kind="short")
    if not effect.has_trained_rival:
        return Cell(_UNTRAINED[effect.rival], kind="short")
    words = list(effect.words.items())
    if len({word for _, word in words}) == 1:
        word = words[0][1]
        return Cell(word, kind=_MARKS.get(word, "short"))
    text = ", ".join(f"{short_name(metric)} {word}" for metric, word in words)
    return Cell(text, kind="short")


def _picture(name: str, problems: Sequence[Comparison], metric: str) -> Picture:
    """Draw a line a problem and a dot a method, at its mean score."""
    counts = Counter(method.label for c in problems for method in c.methods)
    # What a search tried on one problem alone makes no column of dots.
    several = [m for c in problems for m in c.methods if counts[m.label] > 1]
    # Of the alphas of a strategy the one nearest to the published one.
    nearest = nearest_alphas(((method.family, method.settings), method) for method in several)
    methods = {method.label: method for method in nearest.values()}
    # Strategies without a colour of their own share one; the tables tell them apart.
    uncoloured = [
        name for name, method in methods.items() if method.strategy not in figures.COLORS
    ]
    columns = figures.legend_columns([name for name in methods if name not in uncoloured])
    n_legend_lines = math.ceil((len(methods) - len(uncoloured) + bool(uncoloured)) / columns)
    height = 0.8 + 0.2 * (len(problems) + n_legend_lines)
    with figures.figure(5.2, height) as fig:
        axes = fig.add_subplot()
        for height in range(len(problems)):
            axes.axhline(height, color=figures.FAINT, lw=0.6, zorder=1)
        for label, method in methods.items():
            scores = [c.effects.score(label, metric) for c in problems]
            points = [(score.mean, height) for height, score in enumerate(scores) if score]
            if not points:
                continue
            x, y = zip(*points, strict=True)
            is_small = label in uncoloured
            legend_name = label
            if is_small:
                legend_name = "other methods" if label == uncoloured[0] else "_"
            color = figures.strategy_color(method.strategy)
            axes.plot(x, y, ls="", marker="o", alpha=0.85, label=legend_name, color=color,
                      markersize=3 if is_small else 4.5, markeredgewidth=0,
                      zorder=2 if is_small else 3)  # fmt: skip
        figures.name_lines(axes, [f"{c.dataset}, {c.imbalance_name}" for c in problems])
        axes.set_xlabel(label_with_direction(metric))
        figures.legend_below(fig, axes, columns)
        # A browser's letters may be wider than those that the layout was computed with.
        fig.set_layout_engine("constrained", w_pad=0.12)
    n_problems = counted(len(problems), "problem")
    alt = f"Mean {short_name(metric)} of every method on {n_problems}."
    return figures.picture_of(fig, name, alt)
