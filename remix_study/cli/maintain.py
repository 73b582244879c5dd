"""The commands that maintain a database: ``repair``, ``export`` and ``import``."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.cli.arguments import add_json, add_storage, new_command, study_names
from remix_study.errors import DONE

if TYPE_CHECKING:
    from remix_study.study.signals import Signals

_REPAIR_CODES = (
    "exit codes: 0 nothing is wrong any more, 1 some findings are left, 2 bad input, 3 database"
)


def add_command(commands: Any) -> None:
    """Add the commands to the program's parser."""
    repair = new_command(
        commands, "repair", "free trials whose worker is gone, check the tables",
        "repair --dry-run", exit_codes=_REPAIR_CODES,
    )  # fmt: skip
    repair.add_argument(
        "--all", action="store_true",
        help="free every running trial; only where no worker runs any more",
    )  # fmt: skip
    repair.add_argument(
        "--prune", action="store_true",
        help="also delete rows of studies that were deleted in Optuna's dashboard",
    )  # fmt: skip
    repair.add_argument(
        "--retrain", action="store_true",
        help="also give up trials whose rows are damaged: the next run trains them again",
    )  # fmt: skip
    repair.add_argument("--dry-run", action="store_true", help="list what is wrong, and stop")
    repair.set_defaults(command=_repair)

    export = new_command(
        commands, "export", "write results of studies to files, for reading",
        "export customers --output tables --format parquet",
    )  # fmt: skip
    export.add_argument("studies", nargs="*", metavar="STUDY", help="names or files; default: all")
    export.add_argument("--output", type=Path, required=True, metavar="PATH",
                        help="a new folder (csv, parquet) or file (json)")  # fmt: skip
    export.add_argument("--format", choices=("csv", "parquet", "json"), default="csv",
                        help="default: csv; json leaves probabilities out")  # fmt: skip
    export.set_defaults(command=_export)

    import_ = new_command(
        commands, "import", "bring in studies of another database",
        "import laptop.db --storage postgresql+psycopg://host/studies",
    )  # fmt: skip
    import_.add_argument("source", metavar="PATH_OR_URL",
                         help="the other database: an SQLite file or a URL")  # fmt: skip
    import_.add_argument(
        "studies", nargs="*", metavar="STUDY", help="names or files; default: all"
    )
    import_.set_defaults(command=_import)
    for command in (repair, export, import_):
        add_storage(command)
        add_json(command)


def _repair(options: argparse.Namespace, signals: Signals) -> int:
    from remix_study.study.doctor import repair_database

    findings = repair_database(
        options.storage,
        free_all=options.all,
        prune=options.prune,
        retrain=options.retrain,
        dry_run=options.dry_run,
        signals=signals,
    )
    unrepaired = [finding for finding in findings if not finding.repaired]
    if options.json:
        answer = {"findings": [vars(finding) for finding in findings], "left": len(unrepaired)}
        print(json.dumps(answer, indent=2))
    else:
        for finding in findings:
            print(finding.line())
        counts = f"{len(findings)} found, {len(unrepaired)} left"
        print(counts if findings else "nothing is wrong")
    return 1 if unrepaired else DONE


def _export(options: argparse.Namespace, _signals: Signals) -> int:
    from remix_study.results.export import write_export
    from remix_study.results.frames import load_frames
    from remix_study.study.database_errors import database_errors
    from remix_study.study.storage import open_reader

    names = study_names(options.studies)
    with database_errors(options.storage):
        engine = open_reader(options.storage)
        frames = load_frames(engine, names)
        write_export(frames, options.output, options.format)
        engine.dispose()
    problems = zip(frames.problems["study"], frames.problems["problem"], strict=True)
    names = [f"{study}/{problem}" for study, problem in problems]
    _print_names(options, "exported", names, str(options.output))
    return DONE


def _import(options: argparse.Namespace, signals: Signals) -> int:
    from remix_study.study.database_errors import url_without_password
    from remix_study.study.storage import quiet_optuna, run_storage
    from remix_study.study.transfer import open_source, source_url, transfer_studies

    names = study_names(options.studies)
    shown = url_without_password(options.storage)
    note = partial(print, "remix-study: note:", file=sys.stderr)
    with (
        quiet_optuna(),
        open_source(source_url(options.source), names) as (source, selected),
        run_storage(options.storage, signals, note) as target,
    ):
        transfer_studies(source, target.engine, selected, signals)
    _print_names(options, "imported", [row.name for _, row in selected], shown)
    return DONE


def _print_names(options: argparse.Namespace, verb: str, names: list[str], where: str) -> None:
    if options.json:
        print(json.dumps({verb: names, "in": where}, indent=2))
        return
    for name in names:
        print(f"{verb} {name}")
    print(f"{verb} {len(names)} in all: {where}")
