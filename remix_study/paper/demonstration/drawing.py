"""What the demonstration's figures share: colours of classes, points and panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from remix_study.paper.demonstration.sets import Sample
from remix_study.report.figures import INK

# Classes take colours of the reports' palette that no strategy of this page has.
CLASSES = ("#56b4e9", "#e69f00", "#cc79a7")
_MARKERS = ("o", "D", "s")
_PALE = "#f4f1ea"
# From the common class over doubt to the rare one.
SOFT = LinearSegmentedColormap.from_list("soft", [CLASSES[0], "#d8d4cc", CLASSES[1]])
SURFACE = LinearSegmentedColormap.from_list("surface", ["#c9e6f7", _PALE, "#e69f00"])
# More points of the common class hide each other and swell the file.
_MOST_POINTS = 200


def panel(axes: Axes, title: str, x: tuple[float, float], y: tuple[float, float]) -> None:
    """A square piece of the plane without numbers: the coordinates mean nothing."""
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
    """The rows of a data set, common classes below rare ones."""
    for code in range(sample.n_classes):
        own = sample.X[sample.y == code][:_MOST_POINTS]
        draw_points(axes, own, code, label=names[code] if names else None, **style)


def draw_points(
    axes: Axes,
    X: NDArray[np.float64],
    code: int,
    *,
    label: str | None = None,
    size: float = 3.4,
    faint: bool = False,
) -> None:
    """Rows of one class, as that class is drawn everywhere."""
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
    """(n, 3) colours of soft labels: of two classes along a scale, of more as a mixture."""
    if labels.shape[1] == 2:
        return np.asarray(SOFT(labels[:, 1]))[:, :3]
    pure = np.array([to_rgb(color) for color in CLASSES[: labels.shape[1]]])
    mixed: NDArray[np.float64] = labels @ pure
    return mixed


def draw_made(
    axes: Axes, X: NDArray[np.float64], labels: NDArray[np.float64], size: float = 13
) -> None:
    """Rows of batches in the colours of their labels; a dark rim where the label is soft."""
    soft = labels.max(axis=1) < 0.99
    axes.scatter(
        X[:, 0],
        X[:, 1],
        s=size,
        c=soft_colors(labels),
        edgecolors=[INK if one else "white" for one in soft],
        linewidths=0.35,
        zorder=5,
    )


def label_scale(made: Figure, axes: Sequence[Axes], text: str, colors: Any = SOFT) -> None:
    """The colours of a share of the rare class, beside the panels."""
    from matplotlib.cm import ScalarMappable

    bar = made.colorbar(ScalarMappable(cmap=colors), ax=list(axes), shrink=0.75, aspect=24,
                        pad=0.015)  # fmt: skip
    bar.set_label(text)
    bar.set_ticks([0, 0.5, 1], labels=["0", "½", "1"])
    bar.outline.set_visible(False)


def legend_below(made: Figure, axes: Axes, columns: int = 4) -> None:
    """One legend for all panels, under them."""
    handles, labels = axes.get_legend_handles_labels()
    made.legend(handles, labels, loc="outside lower left", ncols=columns, handlelength=1.8,
                columnspacing=1.6)  # fmt: skip
