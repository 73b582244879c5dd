"""The style of all figures, their axes and marks, and rendering as SVG and PNG.

Colours are Okabe and Ito's, which readers with any common colour blindness can distinguish. A
strategy has the same colour in every figure and table.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.report.formatting import plain
from remix_study.results.intervals import Interval

COLORS = {
    "baseline": "#4d4d4d",
    "cost": "#e69f00",
    "smote": "#009e73",
    "mixup": "#56b4e9",
    "balance": "#0072b2",
    "remix": "#d55e00",
    "logit-adjusted": "#cc79a7",
    "augment": "#5d3fd3",
    "remix-aug": "#8b1a1a",
}
OTHER_COLOR = "#999999"
INK = "#222222"
FAINT = "#d9d9d9"
PANEL_SIZE = (4.5, 3.1)
_MOST_LEGEND_LINES = 6  # Of a legend above a panel
_STYLE: Any = {
    "font.size": 9.5,
    "font.family": "sans-serif",
    # Named in the SVG for its text; Verdana has the same width if DejaVu is missing.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,
    "text.color": INK,
    # Names with dollar signs are not formulas.
    "text.parse_math": False,
    "xtick.color": "#666666",
    "ytick.color": "#666666",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "svg.hashsalt": "remix_study",
    "svg.fonttype": "none",
    "savefig.facecolor": "white",
}


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure of the page, rendered once it is asked for: most PNGs are never looked at.

    Attributes:
        name: file name without ending.
        on_page: whether the page shows it; otherwise it is a file of the folder only.
        wide: whether it has the whole width of the page.
        is_folded: whether the page shows it with the folded tables of its block.
    """

    name: str
    alt: str
    figure: Figure
    caption: str = ""
    on_page: bool = True
    wide: bool = False
    is_folded: bool = False

    @cached_property
    def svg(self) -> bytes:
        return render_svg(self.figure)

    def png(self) -> bytes:
        return render_png(self.figure)


def strategy_color(strategy: str) -> str:
    """Colour of a strategy, the same in every figure and table."""
    return COLORS.get(strategy, OTHER_COLOR)


@contextmanager
def figure(width: float, height: float) -> Iterator[Figure]:
    """Open a figure in the style of the reports; sizes in inches."""
    with mpl.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def picture_of(fig: Figure, name: str, alt: str, **options: Any) -> Picture:
    """A picture of the figure; options are further fields of a `Picture`."""
    return Picture(name, alt, fig, **options)


@contextmanager
def _laid_out(fig: Figure) -> Iterator[None]:
    """The style of the reports for a figure that is laid out once, instead of once a format."""
    with mpl.rc_context(_STYLE):
        if layout := fig.get_layout_engine():
            layout.execute(fig)
            # A figure that has a layout is drawn twice when it is saved.
            fig.set_layout_engine(None)
        yield


def render_svg(fig: Figure) -> bytes:
    """Render the figure as SVG; the same figure gives the same bytes."""
    svg = io.BytesIO()
    with _laid_out(fig):
        fig.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return _compact(svg.getvalue())


def render_png(fig: Figure) -> bytes:
    """Render the figure as PNG with 64 colours, a fifth of the bytes of all colours."""
    full, small = io.BytesIO(), io.BytesIO()
    with _laid_out(fig):
        fig.savefig(full, format="png", dpi=120, metadata={"Software": None})
    full.seek(0)
    image = Image.open(full).convert("RGB")
    # This method keeps the colours of few pixels, such as those of one strategy's dots.
    colours = image.quantize(64, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    colours.save(small, format="png", optimize=True)
    return small.getvalue()


def alpha_axis(axes: Axes, alphas: Sequence[float]) -> None:
    """Set a square-root scale, which has a zero and separates small alphas."""
    axes.set_xscale("function", functions=(signed_root, signed_square))
    top = max(alphas)
    axes.set_xlim(-0.0016 * top, top * 1.06)
    labelled = _label_alphas(sorted(set(alphas)), top)
    axes.set_xticks(labelled, [plain(alpha) for alpha in labelled])
    axes.set_xticks([alpha for alpha in sorted(set(alphas)) if alpha not in labelled], minor=True)
    axes.set_xlabel("alpha (square-root scale)")


def draw_interval(
    axes: Axes, point: Interval, height: float, color: str, fill: str | None = None
) -> None:
    """Draw a dot and its interval at a height; the dot is filled with its colour when None."""
    axes.plot([point.low, point.high], [height, height], color=color, lw=1.6, alpha=0.55)
    axes.plot(point.mean, height, marker="o", markersize=5, color=color,
              markerfacecolor=fill or color, zorder=3)  # fmt: skip


def name_lines(axes: Axes, names: Sequence[str]) -> None:
    """Write a name beside each height, the first on top."""
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def rule_lines(axes: Axes, n: int) -> None:
    """Draw a faint line at each height."""
    for height in range(n):
        axes.axhline(height, color=FAINT, lw=0.4, zorder=0)


def dot_legend(fig: Figure, axes: Axes, dots: Mapping[str, tuple[str, str]]) -> None:
    """Draw a legend of dots above the panels: name -> colour and filling."""
    for name, (color, fill) in dots.items():
        axes.plot([], [], ls="", marker="o", color=color, markerfacecolor=fill, label=name)
    fig.legend(loc="outside upper left", ncols=2)


def legend_below(fig: Figure, axes: Axes, columns: int = 4) -> None:
    """Draw one legend for all panels below them."""
    handles, labels = axes.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower left", ncols=columns, handlelength=1.8,
               columnspacing=1.6)  # fmt: skip


def legend_columns(
    names: Sequence[str], most: int = 3, inches: float = PANEL_SIZE[0], line: int = 0
) -> int:
    """Columns in which a legend of these names fits a figure.

    Args:
        names: Its entries.
        most: No more columns than this.
        inches: Width of the figure.
        line: Letters that the line beside a name takes the room of.
    """
    letters = int(54 * inches / PANEL_SIZE[0])
    longest = max(map(len, names), default=1)
    return max(1, min(most, letters // (longest + line)))


def legend(axes: Axes, fewest: int = 2, inches: float = PANEL_SIZE[0]) -> None:
    """Draw a legend above a panel of that width if there are enough lines."""
    _, names = axes.get_legend_handles_labels()
    if len(names) >= fewest:
        fitting = legend_columns(names, inches=inches, line=8)
        # Names may reach beyond the figure sooner than take the panel's height.
        columns = max(fitting, -(-len(names) // _MOST_LEGEND_LINES))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.1,
                    borderpad=0.2, handlelength=2.6, columnspacing=1.4)  # fmt: skip


def signed_root(x: ArrayLike) -> NDArray[np.float64]:
    """The square root of the size, with the sign."""
    array = np.asarray(x, dtype=np.float64)
    return np.sign(array) * np.sqrt(np.abs(array))


def signed_square(x: ArrayLike) -> NDArray[np.float64]:
    """The square of the size, with the sign."""
    array = np.asarray(x, dtype=np.float64)
    return np.sign(array) * np.square(array)


def _label_alphas(alphas: Sequence[float], top: float) -> list[float]:
    # The ends and the published alpha are labelled first, then alphas that do not overlap.
    preferred = [alphas[0], alphas[-1], *(alpha for alpha in alphas if alpha == PUBLISHED_ALPHA)]
    chosen: list[float] = []
    for alpha in [*preferred, *alphas]:
        position = np.sqrt(alpha / top)
        if all(abs(position - np.sqrt(labelled / top)) > 0.068 for labelled in chosen):
            chosen.append(alpha)
    return sorted(chosen)


# Lengths are rounded to a tenth of a point; scales and colours are left alone.
_LONG = re.compile(rb"(?<![\d.])(-?\d+\.\d)\d+(?![\d.e])")
_LENGTHS = re.compile(rb' (?:d|x|y|width|height|transform)="[^"]*"')
_NO_TURN = re.compile(rb' transform="rotate\(-0 [^"]*\)"')
_FONT = b"font-family: 'DejaVu Sans', 'Verdana', sans-serif; "
_STYLES = re.compile(rb' style="[^"]*"')
_GROUPS = re.compile(rb"<g\b[^>]*>|</g>")
_EMPTY = re.compile(rb"<g\b[^>]*/>")
_IDS = re.compile(rb'<g id="[^"]*"')


def _compact(svg: bytes) -> bytes:
    """The same drawing in fewer bytes: tenths of a point, no comments, no line breaks.

    Text between tags is left as it is.
    """
    svg = re.sub(rb"<!--.*?-->|<metadata>.*?</metadata>", b"", svg, flags=re.DOTALL)
    svg = re.sub(rb"<[^>]+>", lambda tag: _LENGTHS.sub(_shorten, tag[0]), svg)
    svg = _IDS.sub(b"<g", svg)
    svg = _NO_TURN.sub(b"", svg).replace(_FONT, b"")
    svg = svg.replace(b"<svg ", b'<svg style="%s" ' % _FONT.strip(b"; ").replace(b"'", b""), 1)
    svg = _STYLES.sub(lambda style: style[0].replace(b": ", b":").replace(b"; ", b";"), svg)
    svg = _without_bare_groups(_EMPTY.sub(b"", svg))
    svg = re.sub(rb"\n\s*", b" ", re.sub(rb">\n\s*<", b"><", svg)).strip()
    return re.sub(rb"<[^>]+>", _with_single_quotes, svg) + b"\n"


def _shorten(lengths: re.Match[bytes]) -> bytes:
    if b"matrix(" in lengths[0]:
        # An image's size is its pixels times this factor.
        return lengths[0]
    return _LONG.sub(rb"\1", lengths[0]).replace(b" \n", b" ").replace(b" L ", b"L")


def _with_single_quotes(tag: re.Match[bytes]) -> bytes:
    """Attributes in single quotes: in the address of a picture, double ones take three bytes."""
    return tag[0] if b"'" in tag[0] else tag[0].replace(b'"', b"'")


def _without_bare_groups(svg: bytes) -> bytes:
    """Remove groups without attributes and keep their content."""
    bare: list[bool] = []

    def keep(tag: re.Match[bytes]) -> bytes:
        if tag[0] == b"</g>":
            return b"" if bare.pop() else tag[0]
        bare.append(tag[0] == b"<g>")
        return b"" if bare[-1] else tag[0]

    return _GROUPS.sub(keep, svg)
