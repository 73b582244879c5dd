"""Figure 1: surfaces of probability, their profile, and a point a seed."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib import patheffects

from remix_study.paper.demonstration.boundary import (
    CLAIMED,
    NATURAL_TRUTH,
    REACH,
    TRUTH,
    Surfaces,
)
from remix_study.paper.demonstration.drawing import (
    COMMON_RARE,
    SURFACE,
    draw_sample,
    label_scale,
    legend_below,
    panel,
)
from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.page_model import Picture


def surface_figure(surfaces: Surfaces) -> Picture:
    """Draw Figure 1: probabilities of three networks of the first seed over the plane."""
    with figure(9.4, 3.6) as fig:
        axes = fig.subplots(1, len(CLAIMED))
        for at, (ax, label) in enumerate(zip(axes, CLAIMED, strict=True)):
            p = surfaces.p[label]
            panel(ax, label, (-REACH, REACH), (-REACH, REACH))
            ax.imshow(p[0], extent=(-REACH, REACH, -REACH, REACH), origin="lower", zorder=0,
                         cmap=SURFACE, vmin=0, vmax=1, interpolation="none")  # fmt: skip
            grid = surfaces.axis, surfaces.axis
            for surface in p[1:]:
                ax.contour(*grid, surface, [0.5], colors=INK, linewidths=0.4, alpha=0.35)
            ax.contour(*grid, surfaces.truth, [0.5], colors="white", linewidths=1.8)
            ax.contour(*grid, p[0], [0.5], colors=INK, linewidths=1.4, linestyles="--")
            draw_sample(ax, surfaces.sample, COMMON_RARE if not at else (), size=2.2)
        for style, text in (
            ({"color": INK, "ls": "--", "lw": 1.4}, "boundary, p = ½"),
            ({"color": INK, "lw": 0.5, "alpha": 0.5}, "the other seeds' boundaries"),
        ):
            axes[0].plot([], [], label=text, **style)
        axes[0].plot([], [], color="white", lw=2.2, label="true boundary at equal shares",
                     path_effects=_outlined())  # fmt: skip
        label_scale(fig, axes, "probability of the rare class", SURFACE)
        legend_below(fig, axes[0], 5)
        svg, png = render(fig)
    alt = (
        "Probability of the rare class over the plane of a rare ring inside a common one, for "
        "networks trained plainly, with SMOTE and with ReMix, with the boundaries of all seeds "
        "and the true one."
    )
    return Picture("figure-1-surfaces", "", alt, svg, png, wide=True)


def profile_figure(profile: pd.DataFrame) -> Picture:
    """Draw the probabilities against the distance from the centre, means over all seeds."""
    with figure(5.2, 3.4) as fig:
        axes = fig.add_subplot()
        x = profile["distance"]
        axes.fill_between(x, profile[TRUTH], color="#eeeeee", lw=0, zorder=0, label=TRUTH)
        axes.plot(x, profile[NATURAL_TRUTH], color="#aaaaaa", lw=1.2, ls=":",
                  label=NATURAL_TRUTH)  # fmt: skip
        for label in profile.columns[1:]:
            name = label.split(" ")[0]
            if label in (TRUTH, NATURAL_TRUTH) or label == "remix (0.3)":
                continue
            dashed = label == "remix (0.5)"
            axes.plot(x, profile[label], color=strategy_color(name), lw=1.6,
                      ls="--" if dashed else "-", label=label)  # fmt: skip
        axes.axhline(0.5, color=FAINT, lw=0.8, zorder=0)
        axes.set_xlim(0, REACH)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("distance from the centre (rare ring at 0.5, common ring at 1)")
        axes.set_ylabel("probability of the rare class")
        axes.legend(loc="upper right", fontsize=8)
        svg, png = render(fig)
    alt = (
        "Mean probability of the rare class against the distance from the centre, for each "
        "strategy and for the truth at equal class shares and at those of the data."
    )
    return Picture("figure-1-profile", "", alt, svg, png)


def seed_figure(measures: pd.DataFrame) -> Picture:
    """Draw the steepness against the share of the plane called rare, a point a seed."""
    with figure(5.2, 3.4) as fig:
        axes = fig.add_subplot()
        for label, lines in measures.groupby("strategy", sort=False):
            name = str(label)
            x, y = 100 * lines["minority_share"], lines["steepness"]
            if name in (TRUTH, NATURAL_TRUTH):
                shape: dict[str, Any] = {
                    "marker": "*" if name == TRUTH else "X",
                    "color": INK,
                    "markersize": 9,
                }
            else:
                hollow = name in ("remix (0.3)", "remix (0.5)")
                color = strategy_color(name.split(" ")[0])
                shape = {
                    "marker": "s" if name == "remix (0.5)" else "o",
                    "color": color,
                    "markersize": 5,
                    "markerfacecolor": "white" if hollow else color,
                }
            axes.plot(x, y, ls="", label=name, **shape)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("per cent of the plane called rare")
        axes.set_ylabel("steepness where p is within 0.1 to 0.9")
        axes.legend(loc="upper left", fontsize=8)
        svg, png = render(fig)
    alt = (
        "Steepness of the probability against the share of the plane called rare, one point for "
        "each seed and strategy, with both truths marked."
    )
    return Picture("figure-1-seeds", "", alt, svg, png)


def _outlined() -> list[object]:
    return [patheffects.Stroke(linewidth=3, foreground="#999999"), patheffects.Normal()]
