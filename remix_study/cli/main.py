"""The program: parses the command line, runs one command, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from remix_study.cli import (
    dashboard,
    datasets,
    faults,
    fit,
    maintain,
    report,
    run,
    status,
    study_files,
    worker,
)
from remix_study.cli.arguments import EXIT_CODES, Parser, PrintCompletion
from remix_study.errors import BAD_INPUT, DONE, INTERNAL_ERROR, RemixStudyError
from remix_study.study.signals import Signals
from remix_study.version import __version__

_COMMANDS = (run, study_files, worker, status, report, fit, datasets, maintain, dashboard)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Words after the program's name; those of the process when None.

    Returns:
        The exit code: 0 done, 1 some configurations failed, 2 bad input, 3 database, 4 a download
        failed, 70 a defect of the program, 130 or 143 stopped by SIGINT or SIGTERM, 141 by a
        reader of its output that went away.

    Raises:
        Exception: A defect, where arguments are given.
    """
    signals, options = Signals(), argparse.Namespace()
    try:
        with signals.installed():
            options = parser().parse_args(arguments)
            code: int = options.command(options, signals)
            sys.stdout.flush()
            return code or _check_output(options)
    except RemixStudyError as error:
        print(f"remix-study: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Nobody reads the output any more, as in `status | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (KeyboardInterrupt, Exception) as error:
        # A library may have turned the signal's exception into one of its own.
        if signals.received is None:
            fault = faults.explain(error, options)
            if fault is None and arguments is not None:
                raise
            line = fault or faults.report_defect(error)
            print(f"remix-study: {line}", file=sys.stderr)
            return fault.exit_code if fault else INTERNAL_ERROR
        if arguments is None:
            # Further ones would break off what is left to do.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
        print("remix-study: stopped; run the same command to go on", file=sys.stderr)
        return 128 + signals.received


def _check_output(options: argparse.Namespace) -> int:
    """Say that some output could not be written; an exit code other than 0 where it was all."""
    lost = getattr(sys.stdout, "lost", "")
    if not lost:
        return DONE
    print(f"remix-study: some output is lost, it could not be written ({lost})", file=sys.stderr)
    is_all = any(getattr(options, name, False) for name in ("json", "dry_run", "only_prints"))
    return BAD_INPUT if is_all else DONE


def parser() -> Parser:
    """The parser of all commands; it sets ``command`` to the function of the one that is given."""
    program = Parser(
        prog="remix-study",
        description="Which method for my imbalanced data? Compare methods, use the best.",
        epilog=EXIT_CODES,
    )
    program.add_argument("--version", action="version", version=f"remix-study {__version__}")
    program.add_argument(
        "--completion", action=PrintCompletion, choices=("bash", "zsh", "tcsh"),
        help="print a script that completes commands and options in this shell",
    )  # fmt: skip
    commands = program.add_subparsers(required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add_command(commands)
    return program
