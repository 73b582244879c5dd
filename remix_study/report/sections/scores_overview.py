"""All problems of a kind in one figure a metric, for reports with many problems."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.metrics import short_name
from remix_study.report.figures import COLORS, FAINT, figure, legend, render, strategy_color
from remix_study.report.formatting import counted, label_with_direction, listing, sentence
from remix_study.report.page_model import Block, Picture
from remix_study.results.comparison import Comparison


def blocks(comparisons: Sequence[Comparison]) -> tuple[Block, ...]:
    """One block a study and kind of problem."""
    kind_blocks = []
    for study in dict.fromkeys(c.study for c in comparisons):
        for kind in dict.fromkeys(c.kind for c in comparisons if c.study == study):
            kind_problems = [
                c for c in comparisons if (c.study, c.kind) == (study, kind) and c.is_grid
            ]
            if not kind_problems:
                continue
            pictures = [
                _overview_picture(kind_problems, metric) for metric in kind_problems[0].objectives
            ]
            zeros = [
                f"{name} {count}" for name, count in _zero_counts(kind_problems).items() if count
            ]
            text = f"Folds with a g-mean of 0: {listing(zeros) or 'none'}"
            kind_blocks.append(
                Block(
                    title=f"{study}: {counted(len(kind_problems), f'{kind} problem')}",
                    text=(sentence(text),),
                    pictures=tuple(pictures),
                )
            )
    return tuple(kind_blocks)


def _overview_picture(problems: Sequence[Comparison], metric: str) -> Picture:
    """Draw a line a problem and a dot a method, at its mean score."""
    methods = {method.label: method for c in problems for method in c.methods}
    # Strategies without a colour of their own share one; the tables tell them apart.
    uncoloured = [name for name, method in methods.items() if method.strategy not in COLORS]
    n_named = len(methods) - len(uncoloured) + bool(uncoloured)
    with figure(5.2, 1.0 + 0.2 * len(problems)) as fig:
        axes = fig.add_subplot()
        for height in range(len(problems)):
            axes.axhline(height, color=FAINT, lw=0.6, zorder=1)
        for name, method in methods.items():
            points = [
                (float(scores.mean()), height)
                for height, c in enumerate(problems)
                if len(scores := c.score(name, metric))
            ]
            if not points:
                continue
            x, y = zip(*points, strict=True)
            is_small = name in uncoloured
            legend_name = name if not is_small else "_" if name != uncoloured[0] else "other rows"
            axes.plot(x, y, ls="", marker="o", alpha=0.85, label=legend_name,
                      markersize=3 if is_small else 4.5, color=strategy_color(method.strategy),
                      markeredgewidth=0, zorder=2 if is_small else 3)  # fmt: skip
        axes.set_yticks(
            range(len(problems)), [f"{c.info['dataset']}, {c.imbalance_name}" for c in problems]
        )
        axes.set_ylim(len(problems) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(label_with_direction(metric))
        if n_named <= len(COLORS) + 1:
            legend(axes, n_named)
        svg, png = render(fig)
    n_problems = counted(len(problems), f"{problems[0].kind} problem")
    alt = f"Mean {short_name(metric)} of every row on {n_problems}."
    return Picture(f"results-{problems[0].study}-{problems[0].kind}-{metric}", "", alt, svg, png)


def _zero_counts(problems: Sequence[Comparison]) -> dict[str, int]:
    """Count the folds of each method whose g-mean is 0."""
    labels = dict.fromkeys(method.label for c in problems for method in c.methods)
    return {
        name: sum(int((c.score(name, "g_mean") == 0).sum()) for c in problems) for name in labels
    }
