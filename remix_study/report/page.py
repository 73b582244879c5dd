"""The report as a folder: one page that opens anywhere, its figures, tables and manifest."""

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

from remix_study import __version__
from remix_study.report.folder import MANIFEST, MARK, publish
from remix_study.report.formatting import SPACE, listing, sentence
from remix_study.report.latex import latex_text
from remix_study.report.page_model import Picture, Section
from remix_study.report.registry import SectionRegistry, make_context
from remix_study.report.sections import overview
from remix_study.report.standard_sections import standard_sections
from remix_study.report.table_files import csv_text, markdown_text
from remix_study.results.frames import StudyFrames

_TABLES = {"csv": csv_text, "md": markdown_text, "tex": latex_text}
_FORMATS = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX"}
# A longer table is data, which nobody reads or prints: CSV alone.
LONG = 400


def write_report(
    frames: StudyFrames,
    output: Path,
    *,
    command: str,
    registry: SectionRegistry | None = None,
) -> Path:
    """Write the report of the studies into a folder.

    A report that is there already is replaced; a folder that holds anything else is refused.

    Args:
        frames: the studies, read from a database.
        output: the folder; made with its parents where it is missing.
        command: the command line that makes this report, for the page and the manifest.
        registry: the sections of the page; :func:`standard_sections` when None.

    Returns:
        The path of `index.html`.

    Raises:
        UsageError: the folder holds files that no report wrote, is a file, or cannot be written.
    """
    sections = standard_sections() if registry is None else registry
    return publish(output, lambda folder: _write(frames, folder, sections, command))


def _write(frames: StudyFrames, folder: Path, registry: SectionRegistry, command: str) -> None:
    context = make_context(frames)
    compared = context.comparisons
    studies = list(dict.fromkeys(c.study for c in compared))
    status, complete = overview.progress(compared)
    fill(
        folder,
        registry.make_sections(context),
        title=f"ReMix study: {listing(studies)}" if studies else "ReMix study",
        status=sentence(status),
        complete=complete,
        command=command,
        about=_about(frames.manifests),
    )


def _about(manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How each problem was run, with the text of each study file once, by its hash."""
    texts, studies = {}, []
    for one in manifests:
        file = dict(one.get("file") or {})
        if "text" in file:
            texts[file.get("sha256", "")] = file.pop("text")
        studies.append({**one, "file": file} if file else one)
    return {"studies": studies, "study_files": texts}


def fill(
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
        folder: where.
        sections: what the page shows.
        title: of the page.
        status: a line below it.
        complete: whether everything that was planned is there.
        command: the command line that makes the page.
        about: what the manifest tells beside versions and hashes.
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
                path.write_text(_TABLES[ending](frame), encoding="utf-8")
    made = datetime.now(UTC).replace(microsecond=0).isoformat()
    page = _page(
        title=title,
        status=status,
        complete=complete,
        sections=sections,
        tables={
            name: [(ending, _FORMATS[ending]) for ending in _endings(frame)]
            for section in sections
            for name, frame in section.files.items()
        },
        command=command,
        made=made,
        version=__version__,
    )
    (folder / "index.html").write_text(page, encoding="utf-8")
    manifest: dict[str, Any] = {
        "made_by": MARK,
        "version": __version__,
        "made": made,
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
    return list(_TABLES) if len(frame) <= LONG else ["csv"]


def _page(*, sections: Sequence[Section], **values: Any) -> str:
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
    """Keep a number and its per cent sign on one line."""
    return re.sub(r"(?<=\d) (?=%)", SPACE, text)
