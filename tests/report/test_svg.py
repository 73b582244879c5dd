"""Smaller files draw the same."""

from __future__ import annotations

import re

import numpy as np

from remix_study.report.figures import figure, render


def test_an_image_fills_its_panel():
    with figure(3.37, 2.91) as fig:
        axes = fig.add_subplot()
        axes.imshow(np.eye(121), interpolation="none")
        svg, _ = render(fig)
        width = axes.get_window_extent().width * 72 / fig.dpi
    tag = re.search(rb"<image [^>]*>", svg)[0]
    factor = float(re.search(rb"transform='matrix\(([\d.]+) ", tag)[1])
    pixels = float(re.search(rb" width='([\d.]+)'", tag)[1])
    assert abs(factor * pixels - width) < 1
