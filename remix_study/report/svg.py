"""Compact SVG, so that many figures fit into one page."""

from __future__ import annotations

import re

# Lengths are rounded to a tenth of a point; scales and colours are left alone.
_LONG = re.compile(rb"(?<![\d.])(-?\d+\.\d)\d+(?![\d.e])")
_LENGTHS = re.compile(rb' (?:d|x|y|width|height|transform)="[^"]*"')
_NO_TURN = re.compile(rb' transform="rotate\(-0 [^"]*\)"')
_FONT = b"font-family: 'DejaVu Sans', 'Verdana', sans-serif; "
_STYLES = re.compile(rb' style="[^"]*"')
_GROUPS = re.compile(rb"<g\b[^>]*>|</g>")
_EMPTY = re.compile(rb"<g\b[^>]*/>")
_IDS = re.compile(rb'<g id="[^"]*"')


def compact(svg: bytes) -> bytes:
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
