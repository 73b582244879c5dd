"""The report page of studies: from frames to a folder that opens anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from remix_study.report.folder import publish
from remix_study.report.formatting import listing
from remix_study.report.page_files import PAGE_ONLY, Formats, write_page
from remix_study.report.registry import SectionRegistry, make_context
from remix_study.report.sections import overview
from remix_study.report.sentences import SENTENCES
from remix_study.report.standard_sections import standard_sections
from remix_study.results.frames import StudyFrames


def write_report(
    frames: StudyFrames,
    output: Path,
    *,
    command: str,
    registry: SectionRegistry | None = None,
    formats: Formats = PAGE_ONLY,
) -> Path:
    """Write the report of the studies into a folder.

    A report that is there already is replaced; a folder that holds anything else is refused.

    Args:
        frames: the studies, read from a database.
        output: the folder; made with its parents if it is missing.
        command: the command line that makes this report, for the page and the manifest.
        registry: the sections of the page; :func:`standard_sections` when None.
        formats: what is written beside the page and its CSV tables.

    Returns:
        The path of `index.html`.

    Raises:
        UsageError: the folder holds files that no report wrote, is a file, or cannot be written.
    """
    sections = standard_sections() if registry is None else registry
    return publish(output, lambda folder: _write(frames, folder, sections, command, formats))


def _write(
    frames: StudyFrames, folder: Path, registry: SectionRegistry, command: str, formats: Formats
) -> None:
    context = make_context(frames)
    compared = context.comparisons
    studies = list(dict.fromkeys(c.study for c in compared))
    progress = overview.progress(compared)
    write_page(
        folder,
        registry.make_sections(context),
        title=f"ReMix study: {listing(studies)}" if studies else "ReMix study",
        status=SENTENCES.text("overview.progress", progress),
        complete=progress.is_complete,
        command=command,
        about=study_facts(frames.manifests),
        formats=formats,
    )


def study_facts(manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Entries of the manifest on how each problem was run, with each study file's text once.

    Returns:
        `studies`: the manifests without texts; `study_files`: SHA-256 -> text of a study file.
    """
    texts, studies = {}, []
    for manifest in manifests:
        file = dict(manifest.get("file") or {})
        if "text" in file:
            texts[file.get("sha256", "")] = file.pop("text")
        studies.append({**manifest, "file": file} if file else manifest)
    return {"studies": studies, "study_files": texts}
