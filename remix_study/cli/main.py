"""The command line: arguments and exit codes; every command is one call into the package."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from remix_study import __version__
from remix_study.cli.dashboard import add_command as add_dashboard
from remix_study.cli.maintain import add_commands
from remix_study.errors import (
    BAD_INPUT,
    DONE,
    SOME_POINTS_FAILED,
    RemixStudyError,
    UsageError,
    masked,
)
from remix_study.study.signals import Signals
from remix_study.studyfile.schema import DEFAULT_STORAGE

if TYPE_CHECKING:
    from remix_study.report.outcome import Outcome
    from remix_study.study.reporter import Summary

_CODES = (
    "exit codes: 0 done, 1 some points failed, 2 bad input, 3 database, 130/143 stopped, 141 "
    "nobody reads the output any more"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Words after the program's name; those of the process when None.

    Returns:
        The exit code: 0 done, 1 some points failed, 2 bad input, 3 database, 130 or 143 stopped
        by SIGINT or SIGTERM, 141 by a reader of its output that went away.
    """
    signals = Signals()
    try:
        with signals.installed():
            options = _parser().parse_args(arguments)
            code: int = options.command(options, signals)
            sys.stdout.flush()
            return code
    except RemixStudyError as error:
        print(f"remix-study: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output has gone, as in `status | head`; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (KeyboardInterrupt, Exception):
        # Whatever a signal's exception became on its way through others' code, it was a signal.
        if signals.received is None:
            raise
        print("remix-study: stopped; run the same command to go on", file=sys.stderr)
        return 128 + signals.received


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every command does."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {masked(message)}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="remix-study", description="Does ReMix help on my imbalanced data?", epilog=_CODES
    )
    parser.add_argument("--version", action="version", version=f"remix-study {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run", help="run what a study file plans and is not done", epilog=_CODES
    )
    run.add_argument(
        "study", nargs="?", default="quickstart", metavar="STUDY",
        help="a study file, or the name of a built-in one (default: quickstart)",
    )  # fmt: skip
    run.add_argument("--dry-run", action="store_true", help="print what would run, and stop")
    run.add_argument(
        "--devices", type=_devices, metavar="LIST",
        help='accelerators that the run may see, as "0" or "0,1"; "cpu" for none (default: all)',
    )  # fmt: skip
    run.add_argument(
        "--dask", metavar="ADDRESS",
        help="let the workers run on the Dask cluster with this scheduler",
    )  # fmt: skip
    run.add_argument(
        "--report", type=Path, metavar="DIR",
        help="write the page of this study into this folder at the end; not with --dry-run",
    )  # fmt: skip
    run.set_defaults(command=_run, joins=False)

    worker = commands.add_parser(
        "worker", help="join a study, from this machine or another, until nothing is left",
        epilog=_CODES,
    )  # fmt: skip
    worker.add_argument(
        "study", metavar="STUDY", help="a study file, or the name of a built-in one"
    )
    worker.add_argument(
        "--no-wait", action="store_true", help="end as soon as others work on all that is left"
    )
    worker.add_argument("--devices", type=_devices, metavar="LIST",
                        help="as of run; each worker sees one")  # fmt: skip
    worker.set_defaults(command=_run, dry_run=False, dask=None, report=None, joins=True)
    for command in (run, worker):
        command.add_argument(
            "--workers", type=_count, metavar="N", default=1 if command is worker else None,
            help="processes that share the work" + (" (default: 1)" if command is worker else ""),
        )  # fmt: skip
        command.add_argument(
            "--recycle", type=_trials, metavar="TRIALS",
            help="trials of a worker before a fresh process takes its place (default: 100; "
            "0: never)",
        )  # fmt: skip
        command.add_argument(
            "--stack", type=_stack, metavar="N",
            help="networks in one program, of several trials where it holds them; auto: what "
            "pays on an accelerator (default: as the file says)",
        )  # fmt: skip
        command.add_argument(
            "--no-plugins", action="store_true",
            help="refuse a study file that names code of its own, such as a model",
        )  # fmt: skip

    status = commands.add_parser("status", help="how far the studies in a database are")
    status.set_defaults(command=_status)

    report = commands.add_parser("report", help="write the report of studies in a database")
    report.add_argument("studies", nargs="*", metavar="STUDY", help="names or files; default: all")
    report.add_argument("--demonstration", action="store_true",
                        help="demonstrate ReMix on made-up data; needs no database")  # fmt: skip
    report.add_argument("--output", type=Path, metavar="DIR",
                        help="folder to write (default: report, or demonstration)")  # fmt: skip
    report.set_defaults(command=_report)

    datasets = commands.add_parser("datasets", help="what data sets there are")
    datasets.add_argument(
        "name", nargs="?", help='one of them in full, or "check" to load and verify each'
    )
    datasets.set_defaults(command=_datasets)

    upkeep = [*add_commands(commands), add_dashboard(commands)]
    stored: list[argparse.ArgumentParser] = [run, worker, status, report, *upkeep]
    for one in stored:
        one.add_argument(
            "--storage", default=DEFAULT_STORAGE, metavar="URL",
            help="database (default: sqlite:///remix-study.db in this folder)",
        )  # fmt: skip
    for one in [*stored, datasets]:
        one.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def _devices(text: str) -> str:
    if text != "cpu" and not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f'"{text}": write numbers as in 0,1, or cpu')
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f'"{text}": write how many, such as 2')
    return int(text)


def _trials(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'"{text}": write how many, or 0 for no end')
    return int(text)


def _stack(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f'"{text}": write how many, up to 10,000, or auto')
    return int(text)


def _show_devices(devices: str) -> None:
    """Choose what the backend will find; it looks once, when it is imported."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1" if devices == "cpu" else devices
    if devices == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"


def _run(options: argparse.Namespace, signals: Signals) -> int:
    # TensorFlow speaks of devices it did not find; a person at a CPU need not read that.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.devices and not options.workers:
        _show_devices(options.devices)
    from remix_study.cli.display import Terminal, reporting
    from remix_study.studyfile.library import find_study
    from remix_study.studyfile.outside_files import outside_lines
    from remix_study.studyfile.parsing import load_study
    from remix_study.training.backend import hidden_stderr

    signals.check()
    if options.dry_run and options.report:
        raise UsageError("--dry-run trains nothing to report on; leave out --report or --dry-run")
    study = load_study(find_study(options.study)).stacked(options.stack)
    if options.no_plugins:
        study = study.without_plugins()
    if study.has_plugins and study.allow_plugins:
        # A network of the user's own is looked for beside the study file, too.
        sys.path.append(str(study.folder))
    if options.dry_run:
        from remix_study.study.preview import preview, preview_text

        found = preview(study, hidden_stderr())
        print(json.dumps(found, indent=2) if options.json else preview_text(found))
        return DONE

    from remix_study.study.storage import shown

    storage = shown(options.storage)
    if options.report:
        from remix_study.report.outcome import check_report

        check_report(options.report, options.storage)
    console = Terminal(signals, stderr=options.json)
    for line in outside_lines(study):
        console.print(f"note: {line}", highlight=False, markup=False, soft_wrap=True)
    with reporting(console) as reporter:
        summary = _working(options)(
            study,
            storage=options.storage,
            reporter=reporter,
            signals=signals,
            command=_words(options, storage),
        )
    code = SOME_POINTS_FAILED if summary.failures else DONE
    if options.json:
        report = _conclude(options, study.name).index if options.report else None
        answer: dict[str, Any] = {
            "study": study.name,
            "storage": storage,
            "points": summary.points,
            "complete_before": summary.done_before,
            "completed": summary.completed,
            "complete": summary.complete,
            "failures": [vars(failure) for failure in summary.failures],
            "report": str(report) if report else None,
        }
        print(json.dumps(answer, indent=2))
        return code
    left = summary.points - summary.complete - len(summary.failures)
    elsewhere = f", {left} being worked on elsewhere" if left > 0 else ""
    say = partial(console.print, highlight=False, markup=False, emoji=False, soft_wrap=True)
    say(
        f"{summary.complete} of {summary.points} points complete, {summary.completed} of them "
        f"new{elsewhere}, in {storage}"
    )
    if not options.joins:
        outcome = _conclude(options, study.name)
        for line in outcome.lines:
            say(line)
        if outcome.index:
            say(f"report: {outcome.index}")
        else:
            say(f"for the page: {_report_words([study.name], options.storage)}")
    return code


def _conclude(options: argparse.Namespace, study: str) -> Outcome:
    """What the run found, and its page if one is asked for."""
    from remix_study.report.outcome import conclude

    command = _report_words([study], options.storage)
    return conclude(study, options.storage, options.report, command=command)


def _report_words(studies: Sequence[str], storage: str) -> str:
    """The command that writes the page of studies, without passwords."""
    from remix_study.study.storage import shown

    return shlex.join(["remix-study", "report", *studies, "--storage", shown(storage)])


def _working(options: argparse.Namespace) -> Callable[..., Summary]:
    """What runs the study: this process, processes of its own, or a Dask cluster."""
    if not (options.joins or options.workers or options.dask):
        if options.recycle is not None:
            raise UsageError("--recycle is about worker processes; give --workers, too")
        from remix_study.study.runner import run

        return run
    from remix_study.workers.pool import RECYCLE, WorkerPool, run_worker_pool

    recycle = RECYCLE if options.recycle is None else options.recycle
    devices = tuple(options.devices.split(",")) if options.devices else ()
    wait = options.joins and not options.no_wait
    crew = WorkerPool(options.workers or 0, devices, recycle, wait)
    if not options.dask:
        return partial(run_worker_pool, crew=crew)
    from remix_study.workers.dask_pool import run_on_dask

    return partial(run_on_dask, crew=crew, address=options.dask)


def _words(options: argparse.Namespace, storage: str) -> str:
    """The command for the manifest, without passwords."""
    words = ["remix-study", "worker" if options.joins else "run", options.study]
    words += [] if options.storage == DEFAULT_STORAGE else ["--storage", storage]
    words += ["--workers", str(options.workers)] if options.workers else []
    words += ["--stack", str(options.stack)] if options.stack else []
    return shlex.join(words + (["--dask", options.dask] if options.dask else []))


def _status(options: argparse.Namespace, _signals: Signals) -> int:
    from dataclasses import asdict

    from remix_study.study.storage import database_errors, open_reader
    from remix_study.study.study_progress import read_progress

    with database_errors(options.storage):
        engine = open_reader(options.storage)
        found = read_progress(engine)
        engine.dispose()
    if options.json:
        print(json.dumps([asdict(progress) for progress in found], indent=2))
        return DONE
    columns = ("planned", "complete", "running", "failed", "dead", "missing")
    width = max([len(progress.name) for progress in found], default=5)
    print(" ".join([f"{'study':{width}}", *(f"{name:>8}" for name in columns)]))
    for progress in found:
        numbers = (f"{getattr(progress, name):>8}" for name in columns)
        print(" ".join([f"{progress.name:{width}}", *numbers]))
    return DONE


def _report(options: argparse.Namespace, signals: Signals) -> int:
    if options.demonstration:
        return _demonstrate(options, signals)
    from remix_study.report.page import write_report
    from remix_study.results.frames import load_frames
    from remix_study.study.storage import database_errors, open_reader
    from remix_study.studyfile.parsing import load_study

    names = [
        load_study(word).name if word.endswith(".toml") or os.path.isfile(word) else word
        for word in options.studies
    ]
    with database_errors(options.storage):
        engine = open_reader(options.storage)
        frames = load_frames(engine, names)
        output = options.output or Path("report")
        command = _report_words(names, options.storage)
        index = write_report(frames, output, command=command)
        engine.dispose()
    print(json.dumps({"index": str(index)}) if options.json else f"report: {index}")
    return DONE


def _demonstrate(options: argparse.Namespace, signals: Signals) -> int:
    if options.studies:
        raise UsageError(
            f"--demonstration takes no study: leave out {' '.join(options.studies)}, or leave out "
            "--demonstration"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from remix_study.paper.demonstration.page import write_demonstration
    from remix_study.training.backend import hidden_stderr, load_networks

    with hidden_stderr():
        load_networks()
    signals.check()
    output = options.output or Path("demonstration")
    words = ["remix-study", "report", "--demonstration"]
    index = write_demonstration(output, command=shlex.join(words))
    print(json.dumps({"index": str(index)}) if options.json else f"report: {index}")
    return DONE


def _datasets(options: argparse.Namespace, _signals: Signals) -> int:
    from remix_study.cli.datasets import check_text, describe_text, list_text

    if options.name == "check":
        code, text = check_text(as_json=options.json)
        print(text)
        return code
    print(
        describe_text(options.name, as_json=options.json)
        if options.name
        else list_text(as_json=options.json)
    )
    return DONE
