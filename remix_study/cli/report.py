"""The command ``report``: the page of studies in a database, or the paper's demonstration."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.cli.arguments import add_json, add_storage, new_command, study_names
from remix_study.errors import DONE, UsageError

if TYPE_CHECKING:
    from remix_study.study.signals import Signals


_EXTRAS = {
    "latex": "tables as LaTeX and Markdown",
    "figures": "all figures as SVG and PNG files",
    "summary": "a small database, without probabilities, that makes the same tables",
}


def add_command(commands: Any) -> None:
    """Add the command to the program's parser."""
    command = new_command(
        commands, "report", "write the report of studies in a database",
        "report customers --output report", "report --demonstration",
    )  # fmt: skip
    command.add_argument(
        "studies", nargs="*", metavar="STUDY", help="names or files; default: all"
    )
    command.add_argument(
        "--specifications", nargs="+", default=[], metavar="STUDY",
        help="studies of one free choice at a time, shown as a curve of the paper's claims; "
        "alone they make a page of their own",
    )  # fmt: skip
    command.add_argument("--demonstration", action="store_true",
                         help="demonstrate ReMix on made-up data; needs no database")  # fmt: skip
    command.add_argument("--output", type=Path, metavar="DIR",
                         help="folder to write (default: report, or demonstration)")  # fmt: skip
    for name, description in _EXTRAS.items():
        command.add_argument(f"--{name}", action="store_true", help=f"also write {description}")
    add_storage(command)
    add_json(command)
    command.set_defaults(command=_report)


def report_command(
    studies: Sequence[str], storage: str, specifications: Sequence[str] = ()
) -> str:
    """The command line that writes the page of studies, without passwords."""
    from remix_study.study.database_errors import url_without_password

    shown = url_without_password(storage)
    words = ["--specifications", *specifications] if specifications else []
    return shlex.join(["remix-study", "report", *studies, *words, "--storage", shown])


def _report(options: argparse.Namespace, signals: Signals) -> int:
    if options.demonstration:
        return _demonstrate(options, signals)
    from remix_study.paper.sections import ALL_SECTIONS, CURVE_SECTIONS
    from remix_study.report.page import report_studies
    from remix_study.report.page_files import Formats

    names, varied = study_names(options.studies), study_names(options.specifications)
    index = report_studies(
        names,
        options.storage,
        options.output or Path("report"),
        command=report_command(names, options.storage, varied),
        makers=ALL_SECTIONS if names or not varied else CURVE_SECTIONS,
        formats=Formats(options.latex, options.figures),
        with_summary=options.summary,
        specifications=varied,
    )
    _print_index(options, index)
    return DONE


def _demonstrate(options: argparse.Namespace, signals: Signals) -> int:
    if options.studies:
        raise UsageError(
            f"--demonstration takes no study: leave out {' '.join(options.studies)}, or leave out "
            "--demonstration"
        )
    if options.summary:
        raise UsageError("--demonstration has no database to summarize; leave out --summary")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from remix_study.paper.demonstration.page import write_demonstration
    from remix_study.report.page_files import Formats
    from remix_study.training.backend import hidden_stderr, load_networks

    with hidden_stderr():
        load_networks()
    signals.check()
    output = options.output or Path("demonstration")
    command = shlex.join(["remix-study", "report", "--demonstration"])
    formats = Formats(options.latex, options.figures)
    _print_index(options, write_demonstration(output, command=command, formats=formats))
    return DONE


def _print_index(options: argparse.Namespace, index: Path) -> None:
    print(json.dumps({"index": str(index)}) if options.json else f"report: {index}")
