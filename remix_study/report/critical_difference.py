"""The critical-difference diagram: methods on an axis of mean ranks, bars over equals."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from remix_study.report.figures import INK
from remix_study.report.formatting import number
from remix_study.results.significance import cliques

# Heights in lines of text, downwards from the axis.
_FIRST_BAR = 0.55
_BAR_STEP = 0.34
_LINE = 0.8


def lines_needed(methods: int, bars: int) -> float:
    """Height of a diagram in lines of text."""
    return 2.6 + _first_label(bars) + _LINE * ((methods + 1) // 2)


def draw_critical_difference(
    axes: Axes,
    labels: Sequence[str],
    mean_ranks: Sequence[float],
    colors: Sequence[str],
    distance: float,
    title: str,
) -> None:
    """Draw one diagram; rank 1, the best, is on the left.

    Args:
        axes: a panel of the figure; its own axes are hidden.
        labels: (k,) names of the methods.
        mean_ranks: (k,) mean ranks of the methods.
        colors: (k,) colours of the methods.
        distance: the critical difference, drawn to scale above the axis.
        title: text above the bar of the critical difference.
    """
    k = len(labels)
    order = sorted(range(k), key=lambda i: (mean_ranks[i], labels[i]))
    ranks = [mean_ranks[i] for i in order]
    bars = cliques(ranks, distance)
    axes.plot([1, k], [0, 0], color=INK, lw=0.9)
    for tick in range(1, k + 1):
        axes.plot([tick, tick], [0, -0.22], color=INK, lw=0.9)
        # Numbers of two digits would run into each other.
        if k < 10 or tick % 2:
            axes.text(tick, -0.32, str(tick), ha="center", va="bottom", fontsize=8)
    reach = min(distance, k - 1.0)
    axes.plot([1, 1 + reach], [-1.45, -1.45], color=INK, lw=0.9)
    for end in (1.0, 1 + reach):
        axes.plot([end, end], [-1.57, -1.33], color=INK, lw=0.9)
    note = " (longer than the axis)" if distance > reach else ""
    axes.text(1, -1.7, f"{title}, CD {number(distance, 2)}{note}", ha="left", va="bottom")
    for level, (first_member, last_member) in enumerate(bars):
        height = _FIRST_BAR + _BAR_STEP * level
        ends = [ranks[first_member] - 0.05, ranks[last_member] + 0.05]
        axes.plot(ends, [height, height], color=INK, lw=2.4, solid_capstyle="round")
    left = (k + 1) // 2
    margin = 0.12 * (k - 1)
    for order_number, i in enumerate(order):
        on_left = order_number < left
        line_number = order_number if on_left else k - 1 - order_number
        height = _first_label(len(bars)) + _LINE * line_number
        end = 1 - margin if on_left else k + margin
        axes.plot(
            [ranks[order_number], ranks[order_number], end],
            [0, height, height],
            color=colors[i],
            lw=1.1,
        )
        axes.plot(ranks[order_number], 0, marker="o", markersize=4, color=colors[i], zorder=3)
        axes.text(
            end + (-0.04 if on_left else 0.04) * (k - 1),
            height,
            f"{labels[i]} {number(mean_ranks[i], 2)}",
            ha="right" if on_left else "left",
            va="center",
            fontsize=8.5,
        )
    axes.set_xlim(1 - 0.75 * (k - 1), k + 0.75 * (k - 1))
    axes.set_ylim(_first_label(len(bars)) + _LINE * left, -2.6)
    axes.set_axis_off()


def _first_label(bars: int) -> float:
    return _FIRST_BAR + _BAR_STEP * bars + 0.45
