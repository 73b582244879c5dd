"""The files of a page: `index.html`, figures, tables and the manifest with their hashes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from remix_study.report.folder import MANIFEST, MARK
from remix_study.report.formatting import SPACE
from remix_study.report.latex import latex_text
from remix_study.report.page_model import Picture, Section
from remix_study.report.table_files import csv_text, markdown_text
from remix_study.version import __version__

LONG = 400
"""A longer table is data that nobody reads or prints; it is written as CSV only."""

_WRITERS = {"csv": csv_text, "md": markdown_text, "tex": latex_text}
_FORMAT_NAMES = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX"}


def write_page(
    folder: Path,
    sections: Sequence[Section],
    *,
    title: str,
    status: str,
    complete: bool,
    command: str,
    about: Mapping[str, Any],
) -> None:
    """Write the page, its figures and tables and the manifest into an empty folder.

    Args:
        folder: an empty folder.
        sections: sections of the page with their figures and tables.
        title: title of the page.
        status: line below the title.
        complete: whether all that was planned is complete, for the colour of the status.
        command: the command line that makes the page.
        about: further entries of the manifest.
    """
    for name in ("figures", "tables"):
        (folder / name).mkdir()
    for section in sections:
        for block in section.blocks:
            for picture in block.pictures:
                (folder / "figures" / f"{picture.name}.svg").write_bytes(picture.svg)
                (folder / "figures" / f"{picture.name}.png").write_bytes(picture.png)
        for name, frame in section.files.items():
            for ending in _endings(frame):
                path = folder / "tables" / f"{name}.{ending}"
                path.write_text(_WRITERS[ending](frame), encoding="utf-8")
    timestamp = datetime.now(UTC).replace(microsecond=0).isoformat()
    page = _render(
        title=title,
        status=status,
        complete=complete,
        sections=sections,
        tables={
            name: [(ending, _FORMAT_NAMES[ending]) for ending in _endings(frame)]
            for section in sections
            for name, frame in section.files.items()
        },
        command=command,
        made=timestamp,
        version=__version__,
    )
    (folder / "index.html").write_text(page, encoding="utf-8")
    manifest: dict[str, Any] = {
        "made_by": MARK,
        "version": __version__,
        "made": timestamp,
        "command": command,
        **about,
        "files": {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, default=str)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _endings(frame: pd.DataFrame) -> list[str]:
    return list(_WRITERS) if len(frame) <= LONG else ["csv"]


def _render(*, sections: Sequence[Section], **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("remix_study.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["typeset"] = _typeset
    template = environment.get_template("report.html")
    return template.render(sections=sections, **values)


def _data_uri(picture: Picture) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(picture.svg).decode("ascii")


def _typeset(text: str) -> str:
    """Replace the space between a number and its per cent sign by one that does not break."""
    return re.sub(r"(?<=\d) (?=%)", SPACE, text)
