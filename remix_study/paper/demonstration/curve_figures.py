"""Figures 1, 4 and 8: curves of probability, density and shares, and a point a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_hex

from remix_study.paper.demonstration.blends import BlendStudy, Densities
from remix_study.paper.demonstration.boundary import NATURAL_TRUTH, REACH, TRUTH
from remix_study.paper.demonstration.generated_data import CLASS_NAMES, MOST_POINTS
from remix_study.paper.demonstration.plane_figures import CLASSES, legend_below
from remix_study.report.figures import FAINT, INK, Picture, figure, picture_of, strategy_color


def label_color(label: str) -> str:
    """The colour of the strategy with this label."""
    return strategy_color(label.split(" ")[0])


def profile_figure(profile: pd.DataFrame) -> Picture:
    """Draw the probabilities against the distance from the centre, means over all seeds."""
    with figure(5.2, 3.4) as fig:
        axes = fig.add_subplot()
        x = profile["distance"]
        axes.fill_between(x, profile[TRUTH], color="#eeeeee", lw=0, zorder=0, label=TRUTH)
        axes.plot(x, profile[NATURAL_TRUTH], color="#aaaaaa", lw=1.2, ls=":",
                  label=NATURAL_TRUTH)  # fmt: skip
        for label in profile.columns[1:]:
            if label not in (TRUTH, NATURAL_TRUTH, "remix (0.3)"):
                axes.plot(x, profile[label], color=label_color(label), lw=1.6,
                          ls="--" if label == "remix (0.5)" else "-", label=label)  # fmt: skip
        axes.axhline(0.5, color=FAINT, lw=0.8, zorder=0)
        axes.set(xlim=(0, REACH), ylim=(0, 1.02), ylabel="probability of the rare class")
        axes.set_xlabel("distance from the centre (rare ring at 0.5, common ring at 1)")
        axes.legend(loc="upper right", fontsize=8)
    alt = (
        "Mean probability of the rare class against the distance from the centre, for each "
        "strategy and for the truth at equal class shares and at those of the data."
    )
    return picture_of(fig, "figure-1-profile", alt)


def seed_figure(measures: pd.DataFrame) -> Picture:
    """Draw the steepness against the share of the plane called rare, a point a seed."""
    with figure(5.2, 3.4) as fig:
        axes = fig.add_subplot()
        for label, lines in measures.groupby("strategy", sort=False):
            axes.plot(100 * lines["minority_share"], lines["steepness"], ls="", label=label,
                      **_point_style(str(label)))  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_xlabel("per cent of the plane called rare")
        axes.set_ylabel("steepness where p is within 0.1 to 0.9")
        axes.legend(loc="upper left", fontsize=8)
    alt = (
        "Steepness of the probability against the share of the plane called rare, one point for "
        "each seed and strategy, with both truths marked."
    )
    return picture_of(fig, "figure-1-seeds", alt)


def density_figure(densities: Densities) -> Picture:
    """Draw Figure 4: densities of features and of soft labels by alpha."""
    shades = _shades(len(densities.features))
    with figure(9.4, 3.5) as fig:
        left, right = fig.subplots(1, 2)
        left.plot(densities.x, densities.natural, color="#aaaaaa", lw=2.4, label="the data")
        for shade, (alpha, density) in zip(shades, densities.features.items(), strict=True):
            left.plot(densities.x, density, color=shade, lw=1.3, label=f"alpha {alpha:g}")
            right.plot(densities.labels_at, densities.labels[alpha], color=shade, lw=1.3)
        top = max(density.max() for density in densities.features.values())
        for code, name in enumerate(CLASS_NAMES):
            points = densities.sample.X[densities.sample.y == code, 0][:MOST_POINTS]
            height = -0.035 * top * (1 + code)
            left.plot(points, np.full(len(points), height), ls="", marker="|", markersize=5,
                      markeredgewidth=0.6, color=CLASSES[code], label=name)  # fmt: skip
        left.set(xlim=densities.x[[0, -1]], xlabel="feature", ylabel="density")
        right.set(xlim=(0, 1), xlabel="label: share of the rare class")
        right.set(yscale="log", ylabel="density (log scale)")
        legend_below(fig, left, 8)
    alt = (
        "Densities of the features and of the soft labels of ReMix rows for alpha 0.1 to 0.5, "
        "drawn from a common and a rare Gaussian: the larger alpha, the more rows between them."
    )
    return picture_of(fig, "figure-4-densities", alt, wide=True)


def blend_curves(study: BlendStudy) -> Picture:
    """Draw the shares of contradicted rows and of lost rows of the middle class by alpha."""
    mixed = study.contradicted.dropna(subset=["alpha"])
    smote = study.contradicted[study.contradicted["strategy"] == "smote"].iloc[0]
    scores = study.scores.merge(mixed[["strategy", "alpha"]], on="strategy")
    lost = (1 - scores["middle"]).groupby(scores["alpha"]).agg(["mean", "min", "max"])
    color = strategy_color("remix")
    with figure(4.5, 3.5) as fig:
        axes = fig.add_subplot()
        axes.fill_between(mixed["alpha"], 100 * mixed["least"], 100 * mixed["most"],
                          color=color, alpha=0.14, lw=0)  # fmt: skip
        axes.plot(mixed["alpha"], 100 * mixed["contradicted"], color=color, marker="o",
                  markersize=4, lw=1.5, label="ReMix rows against the data")  # fmt: skip
        axes.fill_between(lost.index, 100 * lost["min"], 100 * lost["max"], color=INK, alpha=0.08,
                          lw=0)  # fmt: skip
        axes.plot(lost.index, 100 * lost["mean"], color=INK, marker="s", markersize=4,
                  lw=1.3, ls="--", label="middle class not found")  # fmt: skip
        axes.axhline(100 * smote["contradicted"], color=strategy_color("smote"), lw=1.3, ls=":",
                     label="SMOTE rows against the data")  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set(xlabel="alpha (0: balance)", ylabel="per cent of rows")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.1, borderpad=0.2)
    alt = (
        f"{study.title}: share of ReMix rows that speak against the data, and share of the "
        "middle class that networks do not find, against alpha."
    )
    return picture_of(fig, f"figure-8-{study.name}", alt, caption=study.title)


def _point_style(label: str) -> dict[str, Any]:
    if label in (TRUTH, NATURAL_TRUTH):
        return {"marker": "*" if label == TRUTH else "X", "color": INK, "markersize": 9}
    is_hollow = label in ("remix (0.3)", "remix (0.5)")
    return {
        "marker": "s" if label == "remix (0.5)" else "o",
        "color": label_color(label),
        "markersize": 5,
        "markerfacecolor": "white" if is_hollow else label_color(label),
    }


def _shades(n: int) -> list[str]:
    scale = LinearSegmentedColormap.from_list("alphas", ["#f3b48a", "#d55e00", "#6e2f00"])
    return [to_hex(scale(at / max(1, n - 1))) for at in range(n)]
