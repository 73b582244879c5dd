"""Figures 1, 2, 3 and 8: rows, batches and probabilities on pieces of the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from remix_study.paper.demonstration.blends import BlendStudy, is_contradicted
from remix_study.paper.demonstration.boundary import CLAIMED, REACH, Surfaces
from remix_study.paper.demonstration.generated_data import (
    CLASS_NAMES,
    CLASSES,
    MOST_POINTS,
    Sample,
    smote_and_remix,
)
from remix_study.paper.demonstration.samples import BatchRows, batch_rows, plan_epochs
from remix_study.report.figures import INK, Picture, figure, legend_below, picture_of

_MARKERS = ("o", "D", "s")
# From the common class over doubt to the rare one.
SOFT = LinearSegmentedColormap.from_list("soft", [CLASSES[0], "#d8d4cc", CLASSES[1]])
SURFACE = LinearSegmentedColormap.from_list("surface", ["#c9e6f7", "#f4f1ea", "#e69f00"])
# Batches of an epoch whose rows are drawn; those of all batches would hide each other.
_BATCHES = 6
_LABEL_SCALE = "label: share of the rare class"

_Range = tuple[float, float]


def surface_figure(surfaces: Surfaces) -> Picture:
    """Draw Figure 1: probabilities of three networks of the first seed over the plane."""
    with figure(9.4, 3.6) as fig:
        axes = fig.subplots(1, len(CLAIMED))
        for at, (ax, label) in enumerate(zip(axes, CLAIMED, strict=True)):
            p = surfaces.p[label]
            _panel(ax, label, (-REACH, REACH), (-REACH, REACH))
            ax.imshow(p[0], extent=(-REACH, REACH, -REACH, REACH), origin="lower", zorder=0,
                      cmap=SURFACE, vmin=0, vmax=1, interpolation="none")  # fmt: skip
            grid = surfaces.axis, surfaces.axis
            for surface in p[1:]:
                ax.contour(*grid, surface, [0.5], colors=INK, linewidths=0.4, alpha=0.35)
            ax.contour(*grid, surfaces.truth, [0.5], colors="white", linewidths=1.8)
            ax.contour(*grid, p[0], [0.5], colors=INK, linewidths=1.4, linestyles="--")
            _draw_sample(ax, surfaces.sample, named=not at, size=2.2)
        axes[0].plot([], [], label="boundary, p = ½", color=INK, ls="--", lw=1.4)
        axes[0].plot([], [], label="the other seeds' boundaries", color=INK, lw=0.5, alpha=0.5)
        outline = [patheffects.Stroke(linewidth=3, foreground="#999999"), patheffects.Normal()]
        axes[0].plot([], [], color="white", lw=2.2, label="true boundary at equal shares",
                     path_effects=outline)  # fmt: skip
        _color_scale(fig, axes, "probability of the rare class", SURFACE)
        legend_below(fig, axes[0], 5)
    alt = (
        "Probability of the rare class over the plane of a rare ring inside a common one, for "
        "networks trained plainly, with SMOTE and with ReMix, with the boundaries of all seeds "
        "and the true one."
    )
    return picture_of(fig, "figure-1-surfaces", alt, wide=True)


def segment_figure(sample: Sample, batches: Sequence[tuple[str, BatchRows]]) -> Picture:
    """Draw Figure 2: one batch of each strategy, each row between the two of its blend."""
    with figure(9.4, 3.6) as fig:
        axes = fig.subplots(1, len(batches) + 1)
        window = _window(sample)
        _panel(axes[0], "the data", *window)
        _draw_sample(axes[0], sample, named=True)
        _draw_hull(axes[0], sample, "hull of the rare class")
        for ax, (title, rows) in zip(axes[1:], batches, strict=True):
            _panel(ax, title, *window)
            _draw_sample(ax, sample, faint=True)
            _draw_hull(ax, sample)
            ends = np.stack([rows.first[~rows.is_copy], rows.second[~rows.is_copy]], axis=1)
            for start, end in ends:
                ax.plot([start[0], end[0]], [start[1], end[1]], color="#777777", lw=0.4,
                        alpha=0.6, zorder=4)  # fmt: skip
            _draw_batch_rows(ax, rows, size=17)
        _color_scale(fig, axes, _LABEL_SCALE)
        legend_below(fig, axes[0])
    alt = (
        "Rows of one batch of SMOTE and one of ReMix in the colours of their labels, with lines "
        "to the rows they were blended from: SMOTE's stay inside the hull of the rare class, "
        "ReMix's also lie between the classes."
    )
    return picture_of(fig, "figure-2-segments", alt, wide=True)


def spread_figure(sample: Sample, *, seed: int) -> Picture:
    """Draw Figure 3: the rows of the first batches of one epoch."""
    with figure(9.4, 6.0) as fig:
        axes = fig.subplots(2, 2).ravel()
        window = _window(sample)
        _panel(axes[0], "the data", *window)
        _draw_sample(axes[0], sample, named=True)
        for ax, strategy in zip(axes[1:], smote_and_remix(0.1, 0.5), strict=True):
            _panel(ax, f"{strategy.label}, {_BATCHES} batches", *window)
            rows = batch_rows(sample, plan_epochs(sample, strategy, seed=seed, epochs=1))
            _draw_batch_rows(ax, rows.select_batches(range(_BATCHES)), size=8)
        _color_scale(fig, axes, _LABEL_SCALE)
        legend_below(fig, axes[0])
    alt = (
        "Two half-moons, one of them rare, and the rows that batches of SMOTE and of ReMix at "
        "alpha 0.1 and 0.5 hold, in the colours of their labels."
    )
    return picture_of(fig, "figure-3-spread", alt, wide=True)


def blend_figure(studies: Sequence[BlendStudy]) -> Picture:
    """Draw Figure 8: one batch of ReMix on each kind of data, contradicted rows circled."""
    circle: dict[str, Any] = {
        "ls": "", "marker": "o", "markersize": 8.5, "markerfacecolor": "none",
        "markeredgecolor": "#b00020",
    }  # fmt: skip
    with figure(9.4, 3.6) as fig:
        axes = fig.subplots(1, len(studies))
        for ax, study in zip(axes, studies, strict=True):
            _panel(ax, study.title, (-4.4, 4.4), (-2.4, 2.4))
            _draw_sample(ax, study.sample, faint=True)
            _draw_batch_rows(ax, study.shown, size=17)
            wrong = study.shown.X[is_contradicted(study.clusters, study.shown)]
            ax.plot(wrong[:, 0], wrong[:, 1], markeredgewidth=1.1, zorder=6, **circle)
        for code, name in enumerate((*CLASS_NAMES, "second rare class")):
            _draw_points(axes[0], np.empty((0, 2)), code, label=name, size=4.5)
        axes[0].plot([], [], label="label speaks against the data", **circle)
        legend_below(fig, axes[0])
    alt = (
        "Rows of one ReMix batch on data with a common class in the middle: blends of rows from "
        "both sides land on it, with labels that give it nothing; they are circled."
    )
    return picture_of(fig, "figure-8-blends", alt, wide=True)


def soft_colors(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours (n, 3) of soft labels: along a scale of two classes, a mixture of more."""
    if labels.shape[1] == 2:
        return np.asarray(SOFT(labels[:, 1]))[:, :3]
    pure = np.array([to_rgb(color) for color in CLASSES[: labels.shape[1]]])
    mixed: NDArray[np.float64] = labels @ pure
    return mixed


def _panel(axes: Axes, title: str, x: _Range, y: _Range) -> None:
    """Set up a square piece of the plane without ticks."""
    axes.set(title=title, xlim=x, ylim=y, aspect="equal", xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color="#cccccc")


def _window(sample: Sample) -> tuple[_Range, _Range]:
    low, high = sample.X.min(axis=0) - 0.25, sample.X.max(axis=0) + 0.25
    return (low[0], high[0]), (low[1], high[1])


def _draw_sample(axes: Axes, sample: Sample, *, named: bool = False, **style: Any) -> None:
    """Draw the rows of a data set, rare classes over common ones."""
    for code in range(sample.n_classes):
        points = sample.X[sample.y == code][:MOST_POINTS]
        _draw_points(axes, points, code, label=CLASS_NAMES[code] if named else None, **style)


def _draw_points(
    axes: Axes,
    X: NDArray[np.float64],
    code: int,
    *,
    label: str | None,
    size: float = 3.4,
    faint: bool = False,
) -> None:
    axes.plot(X[:, 0], X[:, 1], ls="", marker=_MARKERS[code], markersize=size + 0.6 * (code > 0),
              color=CLASSES[code], markeredgecolor="none" if faint else "white",
              markeredgewidth=0.35, alpha=0.3 if faint else 1.0, label=label,
              zorder=2 + code)  # fmt: skip


def _draw_batch_rows(axes: Axes, rows: BatchRows, *, size: float) -> None:
    """Draw rows of batches in the colours of their labels, with a dark rim if those are soft."""
    rims = [INK if is_soft else "white" for is_soft in rows.labels.max(axis=1) < 0.99]
    axes.scatter(rows.X[:, 0], rows.X[:, 1], s=size, c=soft_colors(rows.labels), edgecolors=rims,
                 linewidths=0.35, zorder=5)  # fmt: skip


def _draw_hull(axes: Axes, sample: Sample, label: str | None = None) -> None:
    points = sample.X[sample.y == 1]
    corners = points[ConvexHull(points).vertices]
    closed = np.concatenate([corners, corners[:1]])
    axes.plot(closed[:, 0], closed[:, 1], color="#a86f00", lw=0.9, ls="--", label=label,
              zorder=3)  # fmt: skip


def _color_scale(fig: Figure, axes: Sequence[Axes], text: str, colors: Any = SOFT) -> None:
    """Draw the colour scale of the rare class's share beside the panels."""
    bar = fig.colorbar(ScalarMappable(cmap=colors), ax=list(axes), shrink=0.75, aspect=24,
                       pad=0.015)  # fmt: skip
    bar.set_label(text)
    bar.set_ticks([0, 0.5, 1], labels=["0", "½", "1"])
    bar.outline.set_visible(False)
