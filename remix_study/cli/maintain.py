"""The commands that maintain a database: ``repair``, ``export`` and ``import``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.cli.arguments import add_json, add_storage, study_names
from remix_study.errors import DONE

if TYPE_CHECKING:
    from remix_study.study.signals import Signals

_REPAIR_CODES = (
    "exit codes: 0 nothing is wrong any more, 1 something is left to do, 2 bad input, 3 database"
)


def add_command(commands: Any) -> None:
    """Add the commands to the program's parser."""
    repair = commands.add_parser(
        "repair", help="free trials whose worker is gone, check the tables", epilog=_REPAIR_CODES
    )
    repair.add_argument(
        "--all", action="store_true",
        help="free every running trial; for when you know that no worker runs",
    )  # fmt: skip
    repair.add_argument(
        "--prune", action="store_true",
        help="also take out rows of studies that were deleted in Optuna's dashboard",
    )  # fmt: skip
    repair.add_argument("--dry-run", action="store_true", help="list what is wrong, and stop")
    repair.set_defaults(command=_repair)

    export = commands.add_parser("export", help="write studies of a database to files")
    export.add_argument("studies", nargs="*", metavar="STUDY", help="names or files; default: all")
    export.add_argument("--output", type=Path, required=True, metavar="PATH",
                        help="a new file (json) or folder (csv, parquet)")  # fmt: skip
    export.add_argument("--format", choices=("json", "csv", "parquet"), default="json",
                        help="default: json")  # fmt: skip
    export.set_defaults(command=_export)

    import_ = commands.add_parser("import", help="bring exported studies into a database")
    import_.add_argument("path", type=Path, metavar="PATH", help="what export wrote")
    import_.set_defaults(command=_import)
    for command in (repair, export, import_):
        add_storage(command)
        add_json(command)


def _repair(options: argparse.Namespace, signals: Signals) -> int:
    from remix_study.study.doctor.repair import repair_database

    findings = repair_database(
        options.storage,
        free_all=options.all,
        prune=options.prune,
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
    from remix_study.study.archive.files import write_archive
    from remix_study.study.archive.snapshot import open_source, read_studies
    from remix_study.study.database_errors import database_errors
    from remix_study.study.storage import closing

    names = study_names(options.studies)
    with database_errors(options.storage), closing(open_source(options.storage)) as storage:
        snapshots = list(read_studies(storage, names))
    write_archive(snapshots, options.output, options.format)
    names = [snapshot.name for snapshot in snapshots]
    _print_names(options, "exported", names, str(options.output))
    return DONE


def _import(options: argparse.Namespace, signals: Signals) -> int:
    from remix_study.study.archive.files import read_archive
    from remix_study.study.archive.restore import close_open_trials, restore_all
    from remix_study.study.database_errors import url_without_password
    from remix_study.study.runner import run_storage

    shown = url_without_password(options.storage)
    snapshots = [close_open_trials(snapshot) for snapshot in read_archive(options.path)]
    with run_storage(options.storage, signals) as storage, signals.critical():
        restore_all(storage, snapshots)
    _print_names(options, "imported", [snapshot.name for snapshot in snapshots], shown)
    return DONE


def _print_names(options: argparse.Namespace, verb: str, names: list[str], where: str) -> None:
    if options.json:
        print(json.dumps({verb: names, "in": where}, indent=2))
        return
    for name in names:
        print(f"{verb} {name}")
    print(f"{verb} {len(names)} in all: {where}")
