"""Every problem of a kind in one figure a metric, since a figure each would drown the reader."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.metrics import short_name
from remix_study.report.figures import COLORS, FAINT, figure, legend, render, strategy_color
from remix_study.report.formatting import counted, label_with_direction, listing, sentence
from remix_study.report.page_model import Block, Picture
from remix_study.results.comparison import Comparison


def blocks(comparisons: Sequence[Comparison]) -> tuple[Block, ...]:
    """One block a study and kind of problem."""
    found = []
    for study in dict.fromkeys(c.study for c in comparisons):
        for kind in dict.fromkeys(c.kind for c in comparisons if c.study == study):
            here = [c for c in comparisons if (c.study, c.kind) == (study, kind) and c.is_grid]
            if not here:
                continue
            pictures = [_all_problems(here, metric) for metric in here[0].objectives]
            zeros = [f"{name} {count}" for name, count in _zeros(here).items() if count]
            text = f"Folds with a g-mean of 0: {listing(zeros) or 'none'}"
            found.append(
                Block(
                    title=f"{study}: {counted(len(here), f'{kind} problem')}",
                    text=(sentence(text),),
                    pictures=tuple(pictures),
                )
            )
    return tuple(found)


def _all_problems(here: Sequence[Comparison], metric: str) -> Picture:
    """A line a problem, a dot a row: means, without intervals, which the tables have."""
    rows = {row.label: row for c in here for row in c.methods}
    # Strategies without a colour of their own cannot be told apart here; the tables have them.
    plain = [name for name, row in rows.items() if row.strategy not in COLORS]
    named = len(rows) - len(plain) + bool(plain)
    with figure(5.2, 1.0 + 0.2 * len(here)) as made:
        axes = made.add_subplot()
        for height in range(len(here)):
            axes.axhline(height, color=FAINT, lw=0.6, zorder=1)
        for name, row in rows.items():
            places = [
                (float(scores.mean()), height)
                for height, c in enumerate(here)
                if len(scores := c.score(name, metric))
            ]
            if not places:
                continue
            x, y = zip(*places, strict=True)
            shown = name if name not in plain else "_" if name != plain[0] else "other rows"
            axes.plot(x, y, ls="", marker="o", alpha=0.85, label=shown,
                      markersize=3 if name in plain else 4.5, color=strategy_color(row.strategy),
                      markeredgewidth=0, zorder=2 if name in plain else 3)  # fmt: skip
        axes.set_yticks(
            range(len(here)), [f"{c.info['dataset']}, {c.imbalance_name}" for c in here]
        )
        axes.set_ylim(len(here) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(label_with_direction(metric))
        if named <= len(COLORS) + 1:
            legend(axes, named)
        svg, png = render(made)
    problems = counted(len(here), f"{here[0].kind} problem")
    alt = f"Mean {short_name(metric)} of every row on {problems}."
    return Picture(f"results-{here[0].study}-{here[0].kind}-{metric}", "", alt, svg, png)


def _zeros(here: Sequence[Comparison]) -> dict[str, int]:
    """How many folds of each row never found some class."""
    labels = dict.fromkeys(row.label for c in here for row in c.methods)
    return {name: sum(int((c.score(name, "g_mean") == 0).sum()) for c in here) for name in labels}
