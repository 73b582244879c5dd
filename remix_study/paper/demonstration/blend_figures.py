"""Figures 4 and 8: densities by alpha, and blends that contradict the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex

from remix_study.paper.demonstration.blends import BlendStudy, is_contradicted
from remix_study.paper.demonstration.densities import Densities
from remix_study.paper.demonstration.drawing import (
    CLASSES,
    COMMON_RARE,
    draw_batch_rows,
    draw_points,
    legend_below,
    panel,
)
from remix_study.report.figures import INK, figure, render, strategy_color
from remix_study.report.page_model import Picture


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
        for code, name in enumerate(COMMON_RARE):
            points = densities.sample.X[densities.sample.y == code, 0][:200]
            height = -0.035 * top * (1 + code)
            left.plot(points, np.full(len(points), height), ls="", marker="|", markersize=5,
                      markeredgewidth=0.6, color=CLASSES[code], label=name)  # fmt: skip
        left.set_xlim(densities.x[0], densities.x[-1])
        left.set_xlabel("feature")
        left.set_ylabel("density")
        right.set_yscale("log")
        right.set_xlim(0, 1)
        right.set_xlabel("label: share of the rare class")
        right.set_ylabel("density (log scale)")
        legend_below(fig, left, 8)
        svg, png = render(fig)
    alt = (
        "Densities of the features and of the soft labels of ReMix rows for alpha 0.1 to 0.5, "
        "drawn from a common and a rare Gaussian: the larger alpha, the more rows between them."
    )
    return Picture("figure-4-densities", "", alt, svg, png, wide=True)


def blend_figure(studies: Sequence[BlendStudy]) -> Picture:
    """Draw Figure 8: one batch of ReMix on each kind of data, contradicted rows circled."""
    with figure(9.4, 3.6) as fig:
        axes = fig.subplots(1, len(studies))
        for ax, study in zip(axes, studies, strict=True):
            panel(ax, study.title, (-4.4, 4.4), (-2.4, 2.4))
            for code in range(study.sample.n_classes):
                points = study.sample.X[study.sample.y == code][:200]
                draw_points(ax, points, code, faint=True)
            rows = study.shown
            draw_batch_rows(ax, rows.X, rows.labels, size=17)
            wrong = rows.X[is_contradicted(study.clusters, rows)]
            ax.plot(wrong[:, 0], wrong[:, 1], ls="", marker="o", markersize=8.5,
                       markerfacecolor="none", markeredgecolor="#b00020", markeredgewidth=1.1,
                       zorder=6)  # fmt: skip
        for code, name in enumerate(("common class", "rare class", "second rare class")):
            draw_points(axes[0], np.empty((0, 2)), code, label=name, size=4.5)
        axes[0].plot([], [], ls="", marker="o", markersize=8.5, markerfacecolor="none",
                     markeredgecolor="#b00020", label="label speaks against the data")  # fmt: skip
        legend_below(fig, axes[0])
        svg, png = render(fig)
    alt = (
        "Rows of one ReMix batch on data with a common class in the middle: blends of rows from "
        "both sides land on it, with labels that give it nothing; they are circled."
    )
    return Picture("figure-8-blends", "", alt, svg, png, wide=True)


def blend_curves(study: BlendStudy, name: str) -> Picture:
    """Draw the shares of contradicted rows and of lost rows of the middle class by alpha."""
    mixed = study.contradicted.dropna(subset=["alpha"])
    smote = study.contradicted[study.contradicted["strategy"] == "smote"].iloc[0]
    labels = {"balance" if not alpha else f"remix ({alpha:g})": alpha for alpha in mixed["alpha"]}
    scores = study.scores[study.scores["strategy"].isin(list(labels))].copy()
    scores["alpha"] = scores["strategy"].map(labels)
    scores["lost"] = 1 - scores["middle"]
    by_alpha = scores.groupby("alpha")["lost"].agg(["mean", "min", "max"])
    color = strategy_color("remix")
    with figure(4.5, 3.5) as fig:
        axes = fig.add_subplot()
        axes.fill_between(mixed["alpha"], 100 * mixed["least"], 100 * mixed["most"],
                          color=color, alpha=0.14, lw=0)  # fmt: skip
        axes.plot(mixed["alpha"], 100 * mixed["contradicted"], color=color, marker="o",
                  markersize=4, lw=1.5, label="ReMix rows against the data")  # fmt: skip
        axes.fill_between(by_alpha.index, 100 * by_alpha["min"], 100 * by_alpha["max"],
                          color=INK, alpha=0.08, lw=0)  # fmt: skip
        axes.plot(by_alpha.index, 100 * by_alpha["mean"], color=INK, marker="s", markersize=4,
                  lw=1.3, ls="--", label="middle class not found")  # fmt: skip
        axes.axhline(100 * smote["contradicted"], color=strategy_color("smote"), lw=1.3, ls=":",
                     label="SMOTE rows against the data")  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.set_xlabel("alpha (0: balance)")
        axes.set_ylabel("per cent of rows")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.1, borderpad=0.2)
        svg, png = render(fig)
    alt = (
        f"{study.title}: share of ReMix rows that speak against the data, and share of the "
        "middle class that networks do not find, against alpha."
    )
    return Picture(f"figure-8-{name}", study.title, alt, svg, png)


def _shades(n: int) -> list[str]:
    scale = LinearSegmentedColormap.from_list("alphas", ["#f3b48a", "#d55e00", "#6e2f00"])
    return [to_hex(scale(at / max(1, n - 1))) for at in range(n)]
