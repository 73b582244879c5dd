"""The command ``run``: train the configurations of a study file that the database lacks."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.cli.arguments import (
    add_json,
    add_storage,
    device_list,
    duration,
    new_command,
    stack_size,
    trial_count,
    worker_count,
)
from remix_study.cli.report import report_command
from remix_study.cli.tables import add_table_options, keep_study, planned_study, table_words
from remix_study.errors import DONE, SOME_CONFIGURATIONS_FAILED, StorageError, UsageError
from remix_study.studyfile.schema import DEFAULT_STORAGE

if TYPE_CHECKING:
    from remix_study.cli.display import RunConsole
    from remix_study.report.page import Outcome
    from remix_study.study.reporter import Summary
    from remix_study.study.signals import Signals
    from remix_study.studyfile.schema import Study


def add_command(commands: Any) -> None:
    """Add the command to the program's parser."""
    command = new_command(
        commands, "run", "train the configurations of a study that are not complete",
        "run --report report",
        "run customers.csv --label churned --report out",
        "run customers.toml --dry-run",
    )  # fmt: skip
    command.add_argument(
        "study", nargs="?", default="quickstart", metavar="STUDY",
        help="a study file, the name of a built-in one (default: quickstart), or a table",
    )  # fmt: skip
    add_table_options(command)
    command.add_argument("--dry-run", action="store_true", help="print what would run, and stop")
    command.add_argument(
        "--devices", type=device_list, metavar="LIST",
        help='accelerators that the run may see, as "0" or "0,1"; "cpu" for none (default: all)',
    )  # fmt: skip
    command.add_argument(
        "--dask", metavar="ADDRESS",
        help="let the workers run on the Dask cluster with this scheduler",
    )  # fmt: skip
    command.add_argument(
        "--report", type=Path, metavar="DIR",
        help="write the page of this study into this folder at the end; not with --dry-run",
    )  # fmt: skip
    command.add_argument(
        "--workers", type=worker_count, metavar="N", help="number of processes that train"
    )
    add_training_options(command)
    add_storage(command)
    add_json(command)
    command.set_defaults(command=run_command, joins=False)


def add_training_options(command: argparse.ArgumentParser) -> None:
    """Add the options that ``run`` and ``worker`` share."""
    command.add_argument(
        "--recycle", type=trial_count, metavar="TRIALS",
        help="trials of a worker before a fresh process takes its place (default: 100; "
        "0: never)",
    )  # fmt: skip
    command.add_argument(
        "--stack", type=stack_size, metavar="N",
        help="networks in one program, of several trials if it is large enough; auto: as many "
        "as pay on an accelerator (default: as the file says)",
    )  # fmt: skip
    command.add_argument(
        "--timeout", type=duration, metavar="SECONDS",
        help="begin no trial after this time, 10m and 2h too; one that has begun is finished, and "
        "the next run goes on (default: as the file says)",
    )  # fmt: skip
    command.add_argument(
        "--no-plugins", action="store_true",
        help="refuse a study file that names code of its own, such as a network",
    )  # fmt: skip


def run_command(options: argparse.Namespace, signals: Signals) -> int:
    """Run a study, or print what would run; returns the exit code.

    Raises:
        RemixStudyError: Bad input, or a database that cannot be used.
    """
    # Hides TensorFlow's messages about accelerators that it did not find.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.devices and not options.workers:
        from remix_study.workers.pool import device_environment

        # The backend looks for devices once, when it is imported.
        os.environ.update(device_environment(options.devices))
    from remix_study.cli.display import RunConsole, console_reporter
    from remix_study.studyfile.outside_files import outside_file_notes

    signals.check()
    if options.dry_run and options.report:
        raise UsageError("--dry-run trains nothing to report on; leave out --report or --dry-run")
    planned = planned_study(options)
    study = planned or _load_study(options)
    study = study.with_stack(options.stack).with_timeout(options.timeout)
    if options.dry_run:
        return _preview(study, as_json=options.json, is_planned=planned is not None)

    from remix_study.study.database_errors import url_without_password

    storage = url_without_password(options.storage)
    if options.report:
        from remix_study.report.page import check_report

        check_report(options.report, options.storage)
    console = RunConsole(signals, sys.stderr if options.json else sys.stdout)
    if planned is not None:
        console.print_plain(planned.text)
        if options.report:
            console.print_plain(f"study file: {keep_study(planned)}")
    for line in outside_file_notes(study):
        console.print_plain(f"note: {line}")
    # What a user's network prints is no part of the answer.
    out_of_answer = redirect_stdout(sys.stderr) if options.json else nullcontext()
    with out_of_answer, console_reporter(console) as reporter:
        summary = training_function(options)(
            study,
            storage=options.storage,
            reporter=reporter,
            signals=signals,
            command=_command_line(options, storage),
        )
    if options.json:
        _print_json(options, study.name, storage, summary)
    else:
        _print_summary(options, study.name, storage, summary, console)
    return SOME_CONFIGURATIONS_FAILED if summary.failures else DONE


def training_function(options: argparse.Namespace) -> Callable[..., Summary]:
    """The function that runs the study: in this process, in a worker pool, or on Dask."""
    if not (options.joins or options.workers or options.dask):
        if options.recycle is not None:
            raise UsageError("--recycle needs worker processes; give --workers, too")
        from remix_study.study.runner import run

        return run
    from remix_study.workers.pool import DEFAULT_RECYCLE, WorkerPool, run_worker_pool

    recycle = DEFAULT_RECYCLE if options.recycle is None else options.recycle
    devices = tuple(options.devices.split(",")) if options.devices else ()
    wait = options.joins and not options.no_wait
    pool = WorkerPool(options.workers or 0, devices, recycle, wait)
    if not options.dask:
        return partial(run_worker_pool, pool=pool)
    from remix_study.workers.dask_pool import run_on_dask

    return partial(run_on_dask, pool=pool, address=options.dask)


def conclude_run(options: argparse.Namespace, study: str) -> Outcome:
    """What the run found, and its page where ``--report`` asks for it."""
    from remix_study.paper.sections import ALL_SECTIONS
    from remix_study.report.page import conclude

    command = report_command([study], options.storage)
    outcome = conclude(
        study, options.storage, options.report, command=command, makers=ALL_SECTIONS
    )
    _keep_decisions(options.storage, study, outcome)
    return outcome


def _keep_decisions(storage: str, study: str, outcome: Outcome) -> None:
    """Store the decisions' lines for ``status``, which says so where they could not be stored."""
    from sqlalchemy.exc import SQLAlchemyError

    from remix_study.study.decision_lines import store_lines
    from remix_study.study.storage import closing, open_storage

    with (
        suppress(StorageError, SQLAlchemyError),
        closing(open_storage(storage)) as opened,
        opened.engine.begin() as connection,
    ):
        store_lines(connection, study, outcome.decisions, outcome.state)


def _load_study(options: argparse.Namespace) -> Study:
    from remix_study.models.custom import add_plugin_folder
    from remix_study.studyfile.parsing import find_study, load_study

    study = load_study(find_study(options.study))
    if options.no_plugins:
        study = study.without_plugins()
    add_plugin_folder(study)
    return study


def _preview(study: Study, *, as_json: bool, is_planned: bool) -> int:
    from remix_study.cli.preview import preview, preview_text
    from remix_study.training.backend import hidden_stderr

    summary = preview(study, hidden_stderr())
    if as_json:
        planned = {"study_file": study.text} if is_planned else {}
        print(json.dumps({**summary, **planned}, indent=2))
    elif is_planned:
        # As comments, so that all of it is a study file.
        comments = [f"# {line}" for line in preview_text(summary).splitlines()]
        print("\n".join([study.text, *comments]))
    else:
        print(preview_text(summary))
    return DONE


def _print_json(options: argparse.Namespace, study: str, storage: str, summary: Summary) -> None:
    index = conclude_run(options, study).index if options.report else None
    answer = {"study": study, "storage": storage, **summary.as_json()}
    print(json.dumps({**answer, "report": str(index) if index else None}, indent=2))


def _print_summary(
    options: argparse.Namespace,
    study: str,
    storage: str,
    summary: Summary,
    console: RunConsole,
) -> None:
    """Print how much is complete, what was found, and where the page is or how to make it."""
    where = "not begun" if summary.timed_out else "in training elsewhere"
    elsewhere = f", {summary.open} {where}" if summary.open else ""
    print_line = console.print_plain
    print_line(
        f"{summary.complete} of {summary.configurations} configurations complete, "
        f"{summary.completed} of them new{elsewhere}, in {storage}"
    )
    for line in summary.remarks:
        print_line(line)
    if summary.timed_out:
        print_line(f"the time is up; to go on: {_command_line(options, storage)}")
    if options.joins or (summary.has_lost_all and not summary.complete):
        return
    outcome = conclude_run(options, study)
    for line in outcome.lines:
        print_line(line)
    if outcome.decisions:
        print_line(f"for the model: {_fit_command(options, study, storage, outcome)}")
    if outcome.index:
        print_line(f"report: {outcome.index}")
    else:
        print_line(f"for the page: {report_command([study], options.storage)}")


def _fit_command(options: argparse.Namespace, study: str, storage: str, outcome: Outcome) -> str:
    """The command line that makes a model of what was decided, without passwords."""
    word = options.study if options.study.endswith(".toml") else study
    if options.report and word != options.study and os.path.isfile(options.study):
        # The file of a planned study, beside the page.
        word = os.path.normpath(options.report.parent / f"{study}.toml")
    words = ["remix-study", "fit", word]
    words += ["--problem", "NAME"] if len(outcome.decisions) > 1 else []
    words += [] if options.storage == DEFAULT_STORAGE else ["--storage", storage]
    return shlex.join(words)


def _command_line(options: argparse.Namespace, storage: str) -> str:
    """The command line for the manifest, without passwords."""
    words = ["remix-study", "worker" if options.joins else "run", options.study]
    words += table_words(options)
    words += [] if options.storage == DEFAULT_STORAGE else ["--storage", storage]
    words += ["--workers", str(options.workers)] if options.workers else []
    words += ["--stack", str(options.stack)] if options.stack else []
    words += [f"--timeout={options.timeout:g}"] if options.timeout else []
    return shlex.join(words + (["--dask", options.dask] if options.dask else []))
