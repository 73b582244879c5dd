"""The report of studies: from frames to a folder that opens anywhere, and the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine, make_url

from remix_study.data.memory import few_collections
from remix_study.errors import UsageError
from remix_study.report.formatting import first_names, listing
from remix_study.report.page_files import (
    PAGE_ONLY,
    SUMMARY,
    Formats,
    check_folder,
    publish,
    write_page,
)
from remix_study.report.registry import (
    STANDARD_SECTIONS,
    PageContext,
    Sections,
    make_context,
    make_sections,
)
from remix_study.report.sections import overview
from remix_study.report.sections.decision import headline, remix_headline
from remix_study.report.sections.glance import tally_lines
from remix_study.report.sentences import SENTENCES
from remix_study.results.candidates import decide_problem
from remix_study.results.comparison import comparisons
from remix_study.results.decision import Decision
from remix_study.results.frames import StudyFrames, load_frames
from remix_study.results.search import search_summaries
from remix_study.results.study_roles import study_roles
from remix_study.study.database_errors import database_errors
from remix_study.study.decision_lines import study_states
from remix_study.study.storage import open_reader

_NAMED = 6  # Studies that the title names
MOST_PROBLEMS = 5
"""With more problems than this, the lines of a run count problems instead of naming each."""


@dataclass(frozen=True)
class Outcome:
    """What a run ends with.

    Attributes:
        lines: Sentences, one a problem or a metric.
        index: The page's `index.html`.
        decisions: Problem -> what to use on it.
        state: What the database held of the study when they were computed.
    """

    lines: tuple[str, ...]
    index: Path | None = None
    decisions: Mapping[str, str] = field(default_factory=dict)
    state: str = ""


def write_report(
    frames: StudyFrames,
    output: Path,
    *,
    command: str,
    makers: Sections = STANDARD_SECTIONS,
    formats: Formats = PAGE_ONLY,
    summarized: Engine | None = None,
    context: PageContext | None = None,
) -> Path:
    """Write the report of the studies into a folder.

    A report that is there already is replaced; a folder that holds anything else is refused.

    Args:
        frames: the studies, read from a database.
        output: the folder; made with its parents if it is missing.
        command: the command line that makes this report, for the page and the manifest.
        makers: what makes the sections of the page.
        formats: what is written beside the page and its CSV tables.
        summarized: the database of the studies, if the folder is to hold a summary of it.
        context: what the page is made from, where that has been computed.

    Returns:
        The path of `index.html`.

    Raises:
        UsageError: as :func:`publish`.
    """

    page = context or make_context(frames)

    def write(folder: Path) -> None:
        shown = page.comparisons or page.specifications
        titled = list(dict.fromkeys(c.study for c in shown))
        studies = list(dict.fromkeys([*titled, *(c.study for c in page.specifications)]))
        title = f"ReMix study: {listing(first_names(titled, _NAMED))}".rstrip(": ")
        if not page.comparisons and page.specifications:
            title = f"The specification curve of {len(studies)} studies"
        progress = overview.progress(shown, frames.searches)
        if summarized is not None:
            from remix_study.results.summary import write_summary

            parts = page.calibrations, page.decisions
            write_summary(summarized, studies, *parts, folder / SUMMARY)
        write_page(
            folder,
            make_sections(makers, page),
            title=title,
            status=SENTENCES.text("overview.progress", progress),
            complete=progress.is_complete,
            command=command,
            about=study_facts(frames.manifests),
            formats=formats,
        )

    return publish(output, write)


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


def check_report(output: Path, storage: str) -> None:
    """Refuse a folder that cannot become a report, before anything is trained.

    Raises:
        UsageError: The folder holds files that no report wrote, is a file, cannot be written, or
            would hold the run's database, whose URL is `storage`.
    """
    check_folder(output)
    url = make_url(storage)
    if url.get_backend_name() == "sqlite" and url.database:
        database = Path(url.database)
        if database.resolve().is_relative_to(output.resolve()):
            raise UsageError(
                f"{output}: the report needs a folder of its own, and the database {database} "
                "would be in this one; name another folder"
            )


def report_studies(
    studies: Sequence[str],
    storage: str,
    output: Path,
    *,
    command: str,
    makers: Sections = STANDARD_SECTIONS,
    formats: Formats = PAGE_ONLY,
    with_summary: bool = False,
    specifications: Sequence[str] = (),
) -> Path:
    """Write the report of studies in a database.

    Arguments and errors are those of :func:`conclude` and :func:`write_report`, but for
    `with_summary`: whether the folder is to hold a summary of the database, and `specifications`:
    further studies, whose problems are in a section of their own.
    """
    with _open_frames(storage, [*studies, *specifications]) as (engine, frames):
        summarized = engine if with_summary else None
        options: dict[str, Any] = {"formats": formats, "summarized": summarized}
        options["context"] = make_context(frames, specifications)
        return write_report(frames, output, command=command, makers=makers, **options)


def conclude(
    study: str,
    storage: str,
    output: Path | None = None,
    *,
    command: str,
    makers: Sections = STANDARD_SECTIONS,
) -> Outcome:
    """Summarize the complete trials of a study, and write its page if a folder is given.

    Args:
        study: the study's name.
        storage: URL of the database.
        output: the folder of the page, as the next two for :func:`write_report`.

    Raises:
        StorageError: The database cannot be read.
        UsageError: The folder cannot be written.
    """
    with _open_frames(storage, [study]) as (engine, frames):
        with engine.connect() as connection:
            state = study_states(connection)[study]
        index, decisions = None, None
        if output is not None:
            context = make_context(frames)
            index = write_report(frames, output, command=command, makers=makers, context=context)
            decisions = context.decisions
        else:
            decisions = headline_decisions(frames)
        lines = {d.comparison.problem: headline(d) for d in decisions}
        return Outcome(outcome_lines(frames, decisions), index, lines, state)


@contextmanager
def _open_frames(storage: str, studies: Sequence[str]) -> Iterator[tuple[Engine, StudyFrames]]:
    with database_errors(storage), few_collections():
        engine = open_reader(storage)
        try:
            yield engine, load_frames(engine, studies)
        finally:
            engine.dispose()


def headline_decisions(frames: StudyFrames, most: int = MOST_PROBLEMS) -> tuple[Decision, ...]:
    """The decisions on the problems that the lines of a run are of, of at most so many."""
    headlines = [c for c in study_roles(comparisons(frames)).headline if c.methods]
    decisions = (decide_problem(problem, frames)[1] for problem in headlines[:most])
    return tuple(decision for decision in decisions if decision)


def outcome_lines(
    frames: StudyFrames, decisions: Sequence[Decision] | None = None
) -> tuple[str, ...]:
    """What to use on each problem and what ReMix adds, or counts over problems if there are many.

    Nothing if no problem belongs to the headline, such as with variants alone.

    Args:
        frames: The studies.
        decisions: On their problems, where they have been computed.
    """
    compared = comparisons(frames)
    if not any(len(comparison.methods) for comparison in compared):
        return SENTENCES.paragraphs("decision.no_results")
    headlines = [c for c in study_roles(compared).headline if c.methods]
    if len(headlines) > MOST_PROBLEMS:
        counts = tally_lines(headlines)
        if counts:
            return counts
    shown = headlines[:MOST_PROBLEMS]
    lines = []
    decided = {
        (d.comparison.study, d.comparison.problem): d
        for d in (headline_decisions(frames) if decisions is None else decisions)
    }
    for comparison in shown:
        decision = decided.get((comparison.study, comparison.problem))
        sentences = (
            headline(decision) if decision else "",
            remix_headline(comparison),
            SENTENCES.text("decision.bootstrap_note", comparison),
        )
        lines += [f"{comparison.full_title}: {sentence}" for sentence in sentences if sentence]
    for search in search_summaries(compared, frames.searches)[:MOST_PROBLEMS]:
        if search.result.follows_grid and search.chosen:
            outcome = SENTENCES.text("search.outcome", search)
            lines.append(f"{search.comparison.full_title}: {outcome}")
    more = SENTENCES.paragraphs("decision.more_problems", len(headlines) - len(shown))
    return *lines, *more
