"""Figures 2 and 3: rows of batches between the rows that they were blended from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy.spatial import ConvexHull

from remix_study.batches.strategies import make_strategy
from remix_study.paper.demonstration.drawing import (
    COMMON_RARE,
    draw_batch_rows,
    draw_sample,
    label_scale,
    legend_below,
    panel,
)
from remix_study.paper.demonstration.generated_data import Sample
from remix_study.paper.demonstration.samples import (
    BatchRows,
    batch_rows,
    first_visible_batch,
    plan_epochs,
)
from remix_study.report.figures import figure, render
from remix_study.report.page_model import Picture

# Batches of an epoch whose rows are drawn; those of all batches would hide each other.
_BATCHES = 6


def segment_figure(sample: Sample, batches: Sequence[tuple[str, BatchRows]]) -> Picture:
    """Draw Figure 2: one batch of each strategy, each row between the two of its blend."""
    with figure(9.4, 3.6) as fig:
        axes = fig.subplots(1, len(batches) + 1)
        window = _window(sample)
        panel(axes[0], "the data", *window)
        draw_sample(axes[0], sample, COMMON_RARE)
        _draw_hull(axes[0], sample, "hull of the rare class")
        for ax, (title, rows) in zip(axes[1:], batches, strict=True):
            panel(ax, title, *window)
            draw_sample(ax, sample, faint=True)
            _draw_hull(ax, sample)
            ends = np.stack([rows.first[~rows.is_copy], rows.second[~rows.is_copy]], axis=1)
            for start, end in ends:
                ax.plot([start[0], end[0]], [start[1], end[1]], color="#777777", lw=0.4,
                           alpha=0.6, zorder=4)  # fmt: skip
            draw_batch_rows(ax, rows.X, rows.labels, size=17)
        label_scale(fig, axes, "label: share of the rare class")
        legend_below(fig, axes[0])
        svg, png = render(fig)
    alt = (
        "Rows of one batch of SMOTE and one of ReMix in the colours of their labels, with lines "
        "to the rows they were blended from: SMOTE's stay inside the hull of the rare class, "
        "ReMix's also lie between the classes."
    )
    return Picture("figure-2-segments", "", alt, svg, png, wide=True)


def shown_batches(sample: Sample, *, seed: int, epochs: int) -> list[tuple[str, BatchRows]]:
    """The batches of Figure 2: the first of SMOTE and of ReMix with a visible blend."""
    batches = []
    for name, alpha in (("smote", None), ("remix", 0.5)):
        strategy = make_strategy(name, alpha)
        rows = batch_rows(sample, plan_epochs(sample, strategy, seed=seed, epochs=epochs))
        batch = first_visible_batch(rows)
        batches.append((f"{strategy.label}, one batch", rows.select_batches([batch])))
    return batches


def spread_figure(sample: Sample, *, seed: int) -> Picture:
    """Draw Figure 3: the rows of the first batches of one epoch."""
    strategies = (
        make_strategy("smote"),
        make_strategy("remix", 0.1),
        make_strategy("remix", 0.5),
    )
    with figure(9.4, 6.0) as fig:
        grid = fig.subplots(2, 2)
        window = _window(sample)
        panel(grid[0, 0], "the data", *window)
        draw_sample(grid[0, 0], sample, COMMON_RARE)
        for ax, strategy in zip(grid.ravel()[1:], strategies, strict=True):
            panel(ax, f"{strategy.label}, {_BATCHES} batches", *window)
            rows = batch_rows(sample, plan_epochs(sample, strategy, seed=seed, epochs=1))
            rows = rows.select_batches(range(_BATCHES))
            draw_batch_rows(ax, rows.X, rows.labels, size=8)
        label_scale(fig, list(grid.ravel()), "label: share of the rare class")
        legend_below(fig, grid[0, 0])
        svg, png = render(fig)
    alt = (
        "Two half-moons, one of them rare, and the rows that batches of SMOTE and of ReMix at "
        "alpha 0.1 and 0.5 hold, in the colours of their labels."
    )
    return Picture("figure-3-spread", "", alt, svg, png, wide=True)


def _draw_hull(axes: Axes, sample: Sample, label: str | None = None) -> None:
    points = sample.X[sample.y == 1]
    corners = points[ConvexHull(points).vertices]
    closed = np.concatenate([corners, corners[:1]])
    axes.plot(closed[:, 0], closed[:, 1], color="#a86f00", lw=0.9, ls="--", label=label,
              zorder=3)  # fmt: skip


def _window(sample: Sample) -> tuple[tuple[float, float], tuple[float, float]]:
    low, high = sample.X.min(axis=0) - 0.25, sample.X.max(axis=0) + 0.25
    return (low[0], high[0]), (low[1], high[1])
