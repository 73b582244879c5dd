"""Drawing that the demonstration's figures share: colours of classes, points and panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from remix_study.paper.demonstration.generated_data import Sample
from remix_study.report.figures import INK

# Colours of the reports' palette that no strategy of this page has.
CLASSES = ("#56b4e9", "#e69f00", "#cc79a7")
COMMON_RARE = ("common class", "rare class")
_MARKERS = ("o", "D", "s")
_PALE = "#f4f1ea"
# From the common class over doubt to the rare one.
SOFT = LinearSegmentedColormap.from_list("soft", [CLASSES[0], "#d8d4cc", CLASSES[1]])
SURFACE = LinearSegmentedColormap.from_list("surface", ["#c9e6f7", _PALE, "#e69f00"])
# Further points of the common class would hide each other.
_MOST_POINTS = 200


def panel(axes: Axes, title: str, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Set up a square piece of the plane without ticks."""
    axes.set_title(title)
    axes.set_xlim(*x)
    axes.set_ylim(*y)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#cccccc")


def draw_sample(axes: Axes, sample: Sample, names: Sequence[str] = (), **style: Any) -> None:
    """Draw the rows of a data set, rare classes over common ones."""
    for code in range(sample.n_classes):
        points = sample.X[sample.y == code][:_MOST_POINTS]
        draw_points(axes, points, code, label=names[code] if names else None, **style)


def draw_points(
    axes: Axes,
    X: NDArray[np.float64],
    code: int,
    *,
    label: str | None = None,
    size: float = 3.4,
    faint: bool = False,
) -> None:
    """Draw rows of one class in its colour and marker."""
    axes.plot(
        X[:, 0],
        X[:, 1],
        ls="",
        marker=_MARKERS[code],
        markersize=size + 0.6 * (code > 0),
        color=CLASSES[code],
        markeredgecolor="white" if not faint else "none",
        markeredgewidth=0.35,
        alpha=0.3 if faint else 1.0,
        label=label,
        zorder=2 + code,
    )


def soft_colors(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours (n, 3) of soft labels: along a scale of two classes, a mixture of more."""
    if labels.shape[1] == 2:
        return np.asarray(SOFT(labels[:, 1]))[:, :3]
    pure = np.array([to_rgb(color) for color in CLASSES[: labels.shape[1]]])
    mixed: NDArray[np.float64] = labels @ pure
    return mixed


def draw_batch_rows(
    axes: Axes, X: NDArray[np.float64], labels: NDArray[np.float64], size: float = 13
) -> None:
    """Draw rows of batches in the colours of their labels, with a dark rim if those are soft."""
    soft = labels.max(axis=1) < 0.99
    axes.scatter(
        X[:, 0],
        X[:, 1],
        s=size,
        c=soft_colors(labels),
        edgecolors=[INK if is_soft else "white" for is_soft in soft],
        linewidths=0.35,
        zorder=5,
    )


def label_scale(fig: Figure, axes: Sequence[Axes], text: str, colors: Any = SOFT) -> None:
    """Draw the colour scale of the rare class's share beside the panels."""
    bar = fig.colorbar(ScalarMappable(cmap=colors), ax=list(axes), shrink=0.75, aspect=24,
                        pad=0.015)  # fmt: skip
    bar.set_label(text)
    bar.set_ticks([0, 0.5, 1], labels=["0", "½", "1"])
    bar.outline.set_visible(False)


def legend_below(fig: Figure, axes: Axes, columns: int = 4) -> None:
    """Draw one legend for all panels below them."""
    handles, labels = axes.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower left", ncols=columns, handlelength=1.8,
                columnspacing=1.6)  # fmt: skip
