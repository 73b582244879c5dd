"""The figures of the demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.spatial import ConvexHull

from remix_study.batches.strategies import make_strategy
from remix_study.paper.demonstration.boundary import (
    CLAIMED,
    NATURAL_TRUTH,
    REACH,
    TRUTH,
    Surfaces,
)
from remix_study.paper.demonstration.densities import Densities
from remix_study.paper.demonstration.drawing import (
    CLASSES,
    SURFACE,
    draw_made,
    draw_points,
    draw_sample,
    label_scale,
    legend_below,
    panel,
)
from remix_study.paper.demonstration.harm import Harm, contradicts
from remix_study.paper.demonstration.samples import Made, made_rows, plans, visible_batch
from remix_study.paper.demonstration.sets import Sample
from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.page_model import Picture

_COMMON_RARE = ("common class", "rare class")
# Batches of an epoch whose rows are drawn; all of them hide each other.
_BATCHES = 6


def surface_picture(found: Surfaces) -> Picture:
    """Figure 1: the plane as three networks of the first seed see it."""
    with figure(9.4, 3.6) as made:
        axes = made.subplots(1, len(CLAIMED))
        for at, (place, label) in enumerate(zip(axes, CLAIMED, strict=True)):
            p = found.p[label]
            panel(place, label, (-REACH, REACH), (-REACH, REACH))
            place.imshow(p[0], extent=(-REACH, REACH, -REACH, REACH), origin="lower", zorder=0,
                         cmap=SURFACE, vmin=0, vmax=1, interpolation="none")  # fmt: skip
            grid = found.axis, found.axis
            for other in p[1:]:
                place.contour(*grid, other, [0.5], colors=INK, linewidths=0.4, alpha=0.35)
            place.contour(*grid, found.truth, [0.5], colors="white", linewidths=1.8)
            place.contour(*grid, p[0], [0.5], colors=INK, linewidths=1.4, linestyles="--")
            draw_sample(place, found.sample, _COMMON_RARE if not at else (), size=2.2)
        for style, text in (
            ({"color": INK, "ls": "--", "lw": 1.4}, "boundary, p = ½"),
            ({"color": INK, "lw": 0.5, "alpha": 0.5}, "the other seeds' boundaries"),
        ):
            axes[0].plot([], [], label=text, **style)
        axes[0].plot([], [], color="white", lw=2.2, label="true boundary at equal shares",
                     path_effects=_outlined())  # fmt: skip
        label_scale(made, axes, "probability of the rare class", SURFACE)
        legend_below(made, axes[0], 5)
        svg, png = render(made)
    alt = (
        "Probability of the rare class over the plane of a rare ring inside a common one, for "
        "networks trained plainly, with SMOTE and with ReMix, with the boundaries of all seeds "
        "and the true one."
    )
    return Picture("figure-1-surfaces", "", alt, svg, png, wide=True)


def profile_picture(profile: pd.DataFrame) -> Picture:
    """The same probabilities against the distance from the centre, means over all seeds."""
    with figure(5.2, 3.4) as made:
        axes = made.add_subplot()
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
        svg, png = render(made)
    alt = (
        "Mean probability of the rare class against the distance from the centre, for each "
        "strategy and for the truth at equal class shares and at those of the data."
    )
    return Picture("figure-1-profile", "", alt, svg, png)


def seeds_picture(measures: pd.DataFrame) -> Picture:
    """Where the boundary is against how steep it is, a point a seed."""
    with figure(5.2, 3.4) as made:
        axes = made.add_subplot()
        for label, own in measures.groupby("strategy", sort=False):
            name = str(label)
            x, y = 100 * own["minority_share"], own["steepness"]
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
        svg, png = render(made)
    alt = (
        "Steepness of the probability against the share of the plane called rare, one point for "
        "each seed and strategy, with both truths marked."
    )
    return Picture("figure-1-seeds", "", alt, svg, png)


def segments_picture(sample: Sample, batches: Sequence[tuple[str, Made]]) -> Picture:
    """Figure 2: one batch of each strategy, each row between the two that made it."""
    with figure(9.4, 3.6) as made:
        axes = made.subplots(1, len(batches) + 1)
        window = _window(sample)
        panel(axes[0], "the data", *window)
        draw_sample(axes[0], sample, _COMMON_RARE)
        _draw_hull(axes[0], sample, "hull of the rare class")
        for place, (title, rows) in zip(axes[1:], batches, strict=True):
            panel(place, title, *window)
            draw_sample(place, sample, faint=True)
            _draw_hull(place, sample)
            ends = np.stack([rows.first[~rows.own], rows.second[~rows.own]], axis=1)
            for start, end in ends:
                place.plot([start[0], end[0]], [start[1], end[1]], color="#777777", lw=0.4,
                           alpha=0.6, zorder=4)  # fmt: skip
            draw_made(place, rows.X, rows.labels, size=17)
        label_scale(made, axes, "label: share of the rare class")
        legend_below(made, axes[0])
        svg, png = render(made)
    alt = (
        "Rows of one batch of SMOTE and one of ReMix in the colours of their labels, with lines "
        "to the rows they were blended from: SMOTE's stay inside the hull of the rare class, "
        "ReMix's also lie between the classes."
    )
    return Picture("figure-2-segments", "", alt, svg, png, wide=True)


def batches_of(sample: Sample, *, seed: int, epochs: int) -> list[tuple[str, Made]]:
    """The batches of Figure 2: the first of SMOTE's and of ReMix's in which rows are blended."""
    found = []
    for name, alpha in (("smote", None), ("remix", 0.5)):
        strategy = make_strategy(name, alpha)
        made = made_rows(sample, plans(sample, strategy, seed=seed, epochs=epochs))
        batch = visible_batch(made)
        found.append((f"{strategy.label}, one batch", made.of_batches([batch])))
    return found


def spread_picture(sample: Sample, *, seed: int) -> Picture:
    """Figure 3: the rows of the first batches of one epoch."""
    strategies = (
        make_strategy("smote"),
        make_strategy("remix", 0.1),
        make_strategy("remix", 0.5),
    )
    with figure(9.4, 6.0) as made:
        grid = made.subplots(2, 2)
        window = _window(sample)
        panel(grid[0, 0], "the data", *window)
        draw_sample(grid[0, 0], sample, _COMMON_RARE)
        for place, strategy in zip(grid.ravel()[1:], strategies, strict=True):
            panel(place, f"{strategy.label}, {_BATCHES} batches", *window)
            rows = made_rows(sample, plans(sample, strategy, seed=seed, epochs=1))
            rows = rows.of_batches(range(_BATCHES))
            draw_made(place, rows.X, rows.labels, size=8)
        label_scale(made, list(grid.ravel()), "label: share of the rare class")
        legend_below(made, grid[0, 0])
        svg, png = render(made)
    alt = (
        "Two half-moons, one of them rare, and the rows that batches of SMOTE and of ReMix at "
        "alpha 0.1 and 0.5 hold, in the colours of their labels."
    )
    return Picture("figure-3-spread", "", alt, svg, png, wide=True)


def density_picture(found: Densities) -> Picture:
    """Figure 4: densities of features and of soft labels by alpha."""
    shades = _shades(len(found.features))
    with figure(9.4, 3.5) as made:
        left, right = made.subplots(1, 2)
        left.plot(found.x, found.natural, color="#aaaaaa", lw=2.4, label="the data")
        for shade, (alpha, density) in zip(shades, found.features.items(), strict=True):
            left.plot(found.x, density, color=shade, lw=1.3, label=f"alpha {alpha:g}")
            right.plot(found.labels_at, found.labels[alpha], color=shade, lw=1.3)
        top = max(density.max() for density in found.features.values())
        for code, name in enumerate(_COMMON_RARE):
            own = found.sample.X[found.sample.y == code, 0][:200]
            height = -0.035 * top * (1 + code)
            left.plot(own, np.full(len(own), height), ls="", marker="|", markersize=5,
                      markeredgewidth=0.6, color=CLASSES[code], label=name)  # fmt: skip
        left.set_xlim(found.x[0], found.x[-1])
        left.set_xlabel("feature")
        left.set_ylabel("density")
        right.set_yscale("log")
        right.set_xlim(0, 1)
        right.set_xlabel("label: share of the rare class")
        right.set_ylabel("density (log scale)")
        legend_below(made, left, 8)
        svg, png = render(made)
    alt = (
        "Densities of the features and of the soft labels of ReMix rows for alpha 0.1 to 0.5, "
        "drawn from a common and a rare Gaussian: the larger alpha, the more rows between them."
    )
    return Picture("figure-4-densities", "", alt, svg, png, wide=True)


def harm_picture(found: Sequence[Harm]) -> Picture:
    """Figure 8: one batch of ReMix on each kind of data, its contradicted rows marked."""
    with figure(9.4, 3.6) as made:
        axes = made.subplots(1, len(found))
        for place, harm in zip(axes, found, strict=True):
            panel(place, harm.title, (-4.4, 4.4), (-2.4, 2.4))
            for code in range(harm.sample.n_classes):
                own = harm.sample.X[harm.sample.y == code][:200]
                draw_points(place, own, code, faint=True)
            rows = harm.shown
            draw_made(place, rows.X, rows.labels, size=17)
            wrong = rows.X[contradicts(harm.parts, rows)]
            place.plot(wrong[:, 0], wrong[:, 1], ls="", marker="o", markersize=8.5,
                       markerfacecolor="none", markeredgecolor="#b00020", markeredgewidth=1.1,
                       zorder=6)  # fmt: skip
        for code, name in enumerate(("common class", "rare class", "second rare class")):
            draw_points(axes[0], np.empty((0, 2)), code, label=name, size=4.5)
        axes[0].plot([], [], ls="", marker="o", markersize=8.5, markerfacecolor="none",
                     markeredgecolor="#b00020", label="label speaks against the data")  # fmt: skip
        legend_below(made, axes[0])
        svg, png = render(made)
    alt = (
        "Rows of one ReMix batch on data with a common class in the middle: blends of rows from "
        "both sides land on it, with labels that give it nothing; they are circled."
    )
    return Picture("figure-8-blends", "", alt, svg, png, wide=True)


def harm_curves(harm: Harm, name: str) -> Picture:
    """How many rows speak against the data, and what networks score, against alpha."""
    mixed = harm.contradicted.dropna(subset=["alpha"])
    smote = harm.contradicted[harm.contradicted["strategy"] == "smote"].iloc[0]
    labels = {"balance" if not alpha else f"remix ({alpha:g})": alpha for alpha in mixed["alpha"]}
    scores = harm.scores[harm.scores["strategy"].isin(list(labels))].copy()
    scores["alpha"] = scores["strategy"].map(labels)
    scores["lost"] = 1 - scores["middle"]
    by_alpha = scores.groupby("alpha")["lost"].agg(["mean", "min", "max"])
    color = strategy_color("remix")
    with figure(4.5, 3.5) as made:
        axes = made.add_subplot()
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
        svg, png = render(made)
    alt = (
        f"{harm.title}: share of ReMix rows that speak against the data, and share of the "
        "middle class that networks do not find, against alpha."
    )
    return Picture(f"figure-8-{name}", harm.title, alt, svg, png)


def _draw_hull(axes: Axes, sample: Sample, label: str | None = None) -> None:
    points = sample.X[sample.y == 1]
    corners = points[ConvexHull(points).vertices]
    closed = np.concatenate([corners, corners[:1]])
    axes.plot(closed[:, 0], closed[:, 1], color="#a86f00", lw=0.9, ls="--", label=label,
              zorder=3)  # fmt: skip


def _window(sample: Sample) -> tuple[tuple[float, float], tuple[float, float]]:
    low, high = sample.X.min(axis=0) - 0.25, sample.X.max(axis=0) + 0.25
    return (low[0], high[0]), (low[1], high[1])


def _shades(n: int) -> list[str]:
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    scale = LinearSegmentedColormap.from_list("alphas", ["#f3b48a", "#d55e00", "#6e2f00"])
    return [to_hex(scale(at / max(1, n - 1))) for at in range(n)]


def _outlined() -> list[object]:
    from matplotlib import patheffects

    return [patheffects.Stroke(linewidth=3, foreground="#999999"), patheffects.Normal()]
