"""The end of a run: the results in a few lines, and the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from remix_study.errors import UsageError
from remix_study.report.folder import check_folder
from remix_study.report.page import write_report
from remix_study.report.registry import SectionRegistry
from remix_study.report.sections.verdict import headline, tally_lines
from remix_study.results.comparison import comparisons
from remix_study.results.frames import StudyFrames, load_frames
from remix_study.results.study_roles import study_roles
from remix_study.results.verdict import problem_verdict
from remix_study.study.database_errors import database_errors
from remix_study.study.storage import open_reader

MOST_PROBLEMS = 5
"""With more problems than this, lines count problems instead of naming each."""


@dataclass(frozen=True)
class Outcome:
    """The results of a run.

    Attributes:
        lines: sentences, one a problem or one a metric.
        index: the path of the page's `index.html`; None where none was asked for.
    """

    lines: tuple[str, ...]
    index: Path | None = None


def check_report(output: Path, storage: str) -> None:
    """Refuse a folder that cannot become a report, before anything is trained.

    Args:
        output: the folder of the report.
        storage: URL of the run's database.

    Raises:
        UsageError: The folder holds files that no report wrote, is a file, cannot be written, or
            would hold the database.
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


def conclude(
    study: str,
    storage: str,
    output: Path | None = None,
    *,
    command: str,
    registry: SectionRegistry | None = None,
) -> Outcome:
    """Summarize the complete trials of a study, and write its page if a folder is given.

    Args:
        study: the study's name.
        storage: URL of the database.
        output: the folder of the page.
        command: the command line that makes the page, for the page and its manifest.
        registry: the sections of the page; those of every page when None.

    Raises:
        StorageError: The database cannot be read.
        UsageError: The folder cannot be written.
    """
    with database_errors(storage):
        engine = open_reader(storage)
        try:
            frames = load_frames(engine, [study])
            index = (
                write_report(frames, output, command=command, registry=registry)
                if output
                else None
            )
            return Outcome(outcome_lines(frames), index)
        finally:
            engine.dispose()


def outcome_lines(frames: StudyFrames) -> tuple[str, ...]:
    """The headline of each problem's verdict, or counts over problems if there are many.

    Nothing if no problem belongs to the headline, such as with variants alone.
    """
    compared = comparisons(frames)
    if not any(len(comparison.methods) for comparison in compared):
        return ("No configuration is complete yet, so there are no results.",)
    verdicts = [
        problem_verdict(comparison)
        for comparison in study_roles(compared).headline
        if comparison.methods
    ]
    if len(verdicts) > MOST_PROBLEMS:
        counts = tally_lines([verdict for verdict in verdicts if verdict.remix is not None])
        if counts:
            return counts
    lines = [
        f"{verdict.comparison.title}, {verdict.comparison.imbalance_name}: {headline(verdict)}"
        for verdict in verdicts[:MOST_PROBLEMS]
    ]
    n_more = len(verdicts) - len(lines)
    return (*lines, f"And {n_more} more problems: see the report.") if n_more else tuple(lines)
