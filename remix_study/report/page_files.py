"""The files of a page (`index.html`, `README.md`, tables, figures, the manifest) in their folder.

A folder is written as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from remix_study.errors import UsageError
from remix_study.report.figures import Picture
from remix_study.report.formatting import SPACE
from remix_study.report.page_model import Section
from remix_study.report.readme import readme
from remix_study.report.table_files import csv_text, latex_text, markdown_text
from remix_study.results.whole_folders import folder_beside, locked, put_in_place
from remix_study.version import __version__

MANIFEST = "manifest.json"
SUMMARY = "summary.db.xz"  # A small database of the page's studies, without probabilities
_MEANWHILE = ".manifest.json"  # While files are replaced one by one: those of both reports
MARK = "remix_study report"  # Value of ``made_by`` in the manifest of a report
LONG = 400  # A longer table is data that nobody reads or prints; it is written as CSV only
VERY_LONG = 1000  # The CSV file of a longer table is compressed

_TEXTS = {"csv": csv_text, "csv.gz": csv_text, "md": markdown_text, "tex": latex_text}
_FORMAT_NAMES = {"csv": "CSV", "csv.gz": "CSV (gzip)", "md": "Markdown", "tex": "LaTeX"}


@dataclass(frozen=True)
class Formats:
    """What is written beside the page, its CSV tables and the manifest.

    LaTeX brings tables as Markdown, too; figures are SVG and PNG.
    """

    latex: bool = False
    figures: bool = False


PAGE_ONLY = Formats()


def write_page(
    folder: Path,
    sections: Sequence[Section],
    *,
    title: str,
    status: str,
    complete: bool,
    command: str,
    about: Mapping[str, Any],
    formats: Formats = PAGE_ONLY,
) -> None:
    """Write the page, its tables, the README and the manifest into a folder.

    Args:
        folder: empty, or with a summary of the database.
        sections: sections of the page with their figures and tables.
        title: title of the page.
        status: line below the title.
        complete: whether all that was planned is complete, for the colour of the status.
        command: the command line that makes the page.
        about: further entries of the manifest.
        formats: what else is written.
    """
    tables = {name: frame for section in sections for name, frame in section.files.items()}
    endings = {name: _endings(frame, formats) for name, frame in tables.items()}
    for name, frame in tables.items():
        for ending in endings[name]:
            content = _TEXTS[ending](frame).encode()
            # Without the time of day, so that the same table is the same file.
            content = gzip.compress(content, mtime=0) if ending.endswith(".gz") else content
            _write(folder / "tables" / f"{name}.{ending}", content)
    for name, document in ((n, d) for section in sections for n, d in section.documents.items()):
        _write(folder / name, f"{json.dumps(document, indent=2, ensure_ascii=False)}\n".encode())
    has_summary = (folder / SUMMARY).exists()
    text, readme_pictures = readme(sections, title, status, command, has_summary=has_summary)
    _write(folder / "README.md", text.encode())
    for picture in readme_pictures:
        _write(folder / "figures" / f"{picture.name}.png", picture.png())
    blocks = [block for section in sections for block in section.blocks]
    for picture in (p for block in blocks if formats.figures for p in block.pictures):
        _write(folder / "figures" / f"{picture.name}.svg", picture.svg)
        _write(folder / "figures" / f"{picture.name}.png", picture.png())
    timestamp = datetime.now(UTC).replace(microsecond=0).isoformat()
    origin = {"made": timestamp, "version": __version__, "command": command}
    page = _template().render(
        title=title,
        status=status,
        complete=complete,
        sections=[section for section in sections if section.blocks],
        formats=formats,
        summary=SUMMARY if has_summary else "",
        tables={name: [(e, _FORMAT_NAMES[e]) for e in ends] for name, ends in endings.items()},
        **origin,
    )
    _write(folder / "index.html", page.encode())
    manifest: dict[str, Any] = {
        "made_by": MARK,
        **origin,
        **about,
        "files": {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, default=str)
    _write(folder / MANIFEST, f"{text}\n".encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _endings(frame: pd.DataFrame, formats: Formats) -> list[str]:
    csv = "csv" if len(frame) <= VERY_LONG else "csv.gz"
    return [csv, "md", "tex"] if formats.latex and len(frame) <= LONG else [csv]


@cache
def _template() -> jinja2.Template:
    """The page's, compiled once for all pages of a process."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("remix_study.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["typeset"] = _typeset
    return environment.get_template("report.html")


_UNQUOTED = "".join(map(chr, range(32, 127))).translate(str.maketrans("", "", '#%"&'))


def _data_uri(picture: Picture) -> Markup:
    # A quarter smaller than base64; only what ends an address or starts an escape is quoted.
    return Markup("data:image/svg+xml," + quote(picture.svg.strip(), safe=_UNQUOTED))


def _typeset(text: str) -> Markup:
    """Escaped text with code between backticks, and no line break before a per cent sign."""
    html = re.sub(r"(?<=\d) (?=%)", SPACE, str(escape(text)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", html))


def check_folder(output: Path) -> None:
    """Refuse a folder that :func:`publish` would refuse, before a study is trained.

    Raises:
        UsageError: The folder holds files that no report wrote, is a file, or cannot be written.
    """
    try:
        _report_files(output)
        folder = output.absolute().parent
        while not folder.exists():
            folder = folder.parent
        for writable in (folder, output) if output.exists() else (folder,):
            tempfile.TemporaryDirectory(dir=writable, prefix=f".{output.name}-").cleanup()
    except OSError as error:
        raise _cannot_write(output, error) from error


def publish(output: Path, write: Callable[[Path], None]) -> Path:
    """Write a folder as a whole or not at all, in place of a report that is there.

    `write` writes `index.html` and all other files into an empty folder.

    Returns:
        The path of `index.html`.

    Raises:
        UsageError: The folder holds files that no report wrote, is a file, or cannot be written.
    """
    place = output.resolve()
    try:
        _report_files(output)
        with folder_beside(place) as folder:
            write(folder)
            # Again: files may have come meanwhile.
            old_files = _report_files(output)
            if Path.cwd().is_relative_to(place):
                # Whoever works in the folder keeps it.
                _replace_files(place, folder, old_files)
            else:
                for hidden in place.rglob(".*"):
                    if hidden.is_file():
                        _write(folder / hidden.relative_to(place), hidden.read_bytes())
                put_in_place(folder, place)
    except OSError as error:
        raise _cannot_write(output, error) from error
    return output / "index.html"


def _cannot_write(output: Path, error: OSError) -> UsageError:
    return UsageError(f"{output}: cannot write the report ({error.strerror})")


def _report_files(output: Path) -> list[Path]:
    """Files of a report in the folder, relative to it; hidden files are ignored.

    Raises:
        UsageError: The folder holds files that its manifest does not name, or is a file.
    """
    if not output.exists():
        return []
    if not output.is_dir():
        raise UsageError(f"{output} is a file; name a folder for the report")
    # Another report may take the place of this one meanwhile, with other files.
    with locked(output.resolve().parent):
        return _checked_files(output)


def _checked_files(output: Path) -> list[Path]:
    files = {
        path.relative_to(output)
        for path in output.rglob("*")
        if not path.is_dir() and not path.name.startswith(".")
    }
    if not files:
        return []
    report_files: set[Path] = set()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        manifest = json.loads((output / MANIFEST).read_text(encoding="utf-8"))
        if manifest["made_by"] == MARK:
            report_files = {Path(MANIFEST), *(Path(name) for name in manifest["files"])}
    foreign = sorted(files - report_files)
    if foreign:
        raise UsageError(
            f"{output} holds files that no report wrote ({foreign[0]}); name another folder"
        )
    return sorted(files)


def _replace_files(output: Path, folder: Path, old_files: Sequence[Path]) -> None:
    """Replace a report file by file; where it is stopped, the next report may replace the files.

    Args:
        output: The folder of the report.
        folder: The new report, whose files are moved.
        old_files: Files of the earlier report, relative to its folder.
    """
    manifest = (folder / MANIFEST).read_text(encoding="utf-8")
    document = json.loads(manifest)
    document["files"] |= {path.as_posix(): "" for path in old_files}
    _write(folder / _MEANWHILE, json.dumps(document).encode())
    os.replace(folder / _MEANWHILE, output / MANIFEST)
    new_files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    for path in sorted(new_files - {Path(MANIFEST)}):
        (output / path).parent.mkdir(exist_ok=True)
        os.replace(folder / path, output / path)
    for path in set(old_files) - new_files - {Path(MANIFEST)}:
        (output / path).unlink()
    os.replace(folder / MANIFEST, output / MANIFEST)
