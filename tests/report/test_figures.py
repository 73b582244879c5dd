"""Figures as files: small, the same each time, and true to their text."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from remix_study.report.figures import (
    PANEL_SIZE,
    figure,
    legend,
    legend_columns,
    picture_of,
    render_svg,
)


def rendered():
    with figure(3, 2) as fig:
        axes = fig.add_subplot()
        axes.plot([0.123456, 0.5], [0.0, 1.0])
        # A line without points becomes an empty group.
        axes.plot([], [], marker="o", label="empty")
        axes.set_xticks([0.2, 0.4], ["IR 0.025", "0.12345 & <b>"])
        return picture_of(fig, "figure", "A figure.")


def test_text_keeps_every_digit_and_lines_do_not():
    svg = rendered().svg.decode()
    assert ">IR 0.025</text>" in svg
    assert ">0.12345 &amp; &lt;b&gt;</text>" in svg
    lengths = " ".join(re.findall(r" (?:d|x|y)='([^']*)'", svg))
    assert lengths
    assert not re.search(r"\d\.\d{2}", lengths)
    assert "<!--" not in svg
    tree = ElementTree.fromstring(svg)
    assert "DejaVu Sans" in tree.attrib["style"]
    assert not [group for group in tree.iter("{http://www.w3.org/2000/svg}g") if not group.attrib]


def test_the_same_figure_gives_the_same_bytes():
    first, second = rendered(), rendered()
    assert first.svg == second.svg
    assert first.png() == second.png() == first.png()


def test_a_picture_is_not_rendered_before_it_is_asked_for(monkeypatch):
    calls = []
    monkeypatch.setattr(Figure, "savefig", lambda *_, **options: calls.append(options["format"]))
    picture = rendered()
    assert not calls
    _ = picture.svg, picture.svg
    assert calls == ["svg"]


def test_either_format_may_come_first():
    first, second = rendered(), rendered()
    png, svg = first.png(), first.svg
    assert second.svg == svg
    assert second.png() == png


def test_a_png_keeps_its_size_and_colours():
    with figure(2, 1) as fig:
        fig.add_subplot().set_facecolor("#cc3311")
    picture = Image.open(io.BytesIO(picture_of(fig, "figure", "A figure.").png()))
    assert picture.size == (240, 120)
    assert picture.convert("RGB").getpixel((135, 45)) == (0xCC, 0x33, 0x11)


def test_an_image_fills_its_panel():
    with figure(3.37, 2.91) as fig:
        axes = fig.add_subplot()
        axes.imshow(np.eye(121), interpolation="none")
        svg = picture_of(fig, "figure", "A figure.").svg
        width = axes.get_window_extent().width * 72 / fig.dpi
    tag = re.search(rb"<image [^>]*>", svg)[0]
    factor = float(re.search(rb"transform='matrix\(([\d.]+) ", tag)[1])
    pixels = float(re.search(rb" width='([\d.]+)'", tag)[1])
    assert abs(factor * pixels - width) < 1


@pytest.mark.parametrize("length", [5, 16, 25, 46])
@pytest.mark.parametrize("n_lines", [2, 6])
def test_a_legend_stays_within_its_panel(length, n_lines):
    with figure(*PANEL_SIZE) as fig:
        axes = fig.add_subplot()
        for line in range(n_lines):
            axes.plot([0, 1], [line, line], label=f"{line} {'x' * (length - 2)}")
        legend(axes)
        # A figure that has no room warns, and warnings are errors.
        render_svg(fig)
        box = axes.get_legend().get_window_extent()
    assert box.x1 <= fig.bbox.x1
    assert box.y1 <= fig.bbox.y1
    assert axes.get_window_extent().height > 0.3 * fig.bbox.height


def test_a_legend_of_many_lines_leaves_room_for_the_panel():
    with figure(5.2, 3.3) as fig:
        axes = fig.add_subplot()
        for line in range(11):
            axes.plot([0, 1], [line, line], label=f"{line} {'x' * 18}")
        legend(axes, inches=5.2)
        # In one column its eleven lines would leave none: a warning, which is an error here.
        render_svg(fig)
    assert axes.get_window_extent().height > 0.3 * fig.bbox.height


@pytest.mark.parametrize(("length", "columns"), [(10, 3), (18, 3), (19, 2), (28, 1), (90, 1)])
def test_the_longer_the_names_the_fewer_columns_has_a_legend(length, columns):
    names = ["x", "x" * length, "x", "x"]
    assert legend_columns(names) == columns
    assert legend_columns(names, most=1) == 1
    assert legend_columns(names, most=4, inches=100.0) == 4
