"""``run`` with a table in place of a study file: the default study, printed and kept."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.errors import DataError, UsageError

if TYPE_CHECKING:
    from remix_study.studyfile.schema import Study

_OPTIONS = {
    "label": "the table's column with the class",
    "groups": "the table's column of groups, such as patients, that no split divides",
    "name": "name of the study of a table (default: the file's)",
}


def add_table_options(command: argparse.ArgumentParser) -> None:
    """Add the options that say what a table holds."""
    for name, description in _OPTIONS.items():
        value = "NAME" if name == "name" else "COLUMN"
        command.add_argument(f"--{name}", metavar=value, help=description)
    command.add_argument(
        "--no-header", action="store_true",
        help="the first line of the table is data: columns are named by number, -1 the last",
    )  # fmt: skip


def planned_study(options: argparse.Namespace) -> Study | None:
    """The default study of a table; None where the command names a study.

    Raises:
        UsageError: Options of a table beside a study.
        DataError: The table, or no label is named.
    """
    from remix_study.study.default_study import is_table, plan_file

    if not is_table(options.study):
        if words := table_words(options):
            raise UsageError(
                f"{words[0]} is for tables, and {options.study} is a study; write it into the "
                "study file"
            )
        return None
    if options.joins:
        raise UsageError(
            f"{options.study} is a table: a worker joins a study file; run prints one for a table"
        )
    try:
        return plan_file(
            options.study,
            _column(options, options.label),
            _column(options, options.groups),
            name=options.name,
            header=not options.no_header,
            folder=options.report.parent if options.report else Path(),
        )
    except DataError as error:
        if "header = false" not in str(error) or options.no_header:
            raise
        raise DataError(f"{error} (header = false is --no-header here)") from error


def table_words(options: argparse.Namespace) -> list[str]:
    """The options of a table as words of the command line."""
    words = {name: getattr(options, name, None) for name in _OPTIONS}
    words_shown = [part for name, word in words.items() if word for part in (f"--{name}", word)]
    return [*words_shown, *(["--no-header"] if getattr(options, "no_header", False) else [])]


def keep_study(study: Study) -> Path:
    """Write a planned study beside the report.

    Raises:
        UsageError: Another study file is there, or it cannot be written.
    """
    path = Path(study.source)
    try:
        if path.exists() and path.read_text(encoding="utf-8") != study.text:
            raise UsageError(
                f"{path} is there and differs from the planned study, which is kept there; run "
                f"that file, move it away, or give another --name"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(study.text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot write the planned study ({error})") from error
    return path


def _column(options: argparse.Namespace, word: str | None) -> Any:
    """A column as it is given: without a header, by its number."""
    is_number = options.no_header and word and re.fullmatch(r"-?\d{1,6}", word)
    return int(word) if word and is_number else word
