"""SVG files made small enough that many of them fit into one page."""

from __future__ import annotations

import re

# Beyond a tenth of a point nobody sees a difference; scales and colours are no lengths.
_LONG = re.compile(rb"(?<![\d.])(-?\d+\.\d)\d+(?![\d.e])")
_LENGTHS = re.compile(rb' (?:d|x|y|width|height|transform)="[^"]*"')
_NO_TURN = re.compile(rb' transform="rotate\(-0 [^"]*\)"')
_FONT = b"font-family: 'DejaVu Sans', 'Verdana', sans-serif; "
_STYLES = re.compile(rb' style="[^"]*"')
_GROUPS = re.compile(rb"<g\b[^>]*>|</g>")
_EMPTY = re.compile(rb"<g\b[^>]*/>")
_IDS = re.compile(rb'<g id="[^"]*"')


def compact(svg: bytes) -> bytes:
    """The same drawing in fewer bytes: tenths of a point, no comments, no indentation.

    What stands between the tags is text that a reader sees; it keeps every digit.
    """
    svg = re.sub(rb"<!--.*?-->|<metadata>.*?</metadata>", b"", svg, flags=re.DOTALL)
    svg = re.sub(rb"<[^>]+>", lambda tag: _LENGTHS.sub(_shorten, tag[0]), svg)
    svg = _IDS.sub(b"<g", svg)
    svg = _NO_TURN.sub(b"", svg).replace(_FONT, b"")
    svg = svg.replace(b"<svg ", b'<svg style="%s" ' % _FONT.strip(b"; "), 1)
    svg = _STYLES.sub(lambda style: style[0].replace(b": ", b":").replace(b"; ", b";"), svg)
    svg = _without_bare_groups(_EMPTY.sub(b"", svg))
    return re.sub(rb"\n\s*", b"\n", svg)


def _shorten(lengths: re.Match[bytes]) -> bytes:
    if b"matrix(" in lengths[0]:
        # An image's size is its pixels times this factor.
        return lengths[0]
    return _LONG.sub(rb"\1", lengths[0]).replace(b" \n", b" ").replace(b" L ", b"L")


def _without_bare_groups(svg: bytes) -> bytes:
    """Take out groups that say nothing; what is in them stays."""
    bare: list[bool] = []

    def keep(tag: re.Match[bytes]) -> bytes:
        if tag[0] == b"</g>":
            return b"" if bare.pop() else tag[0]
        bare.append(tag[0] == b"<g>")
        return b"" if bare[-1] else tag[0]

    return _GROUPS.sub(keep, svg)
