"""The command ``status``: configurations of the studies in a database, by their status."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from remix_study.cli.arguments import add_json, add_storage, new_command
from remix_study.errors import DONE, join_names

if TYPE_CHECKING:
    from remix_study.study.signals import Signals

_GIVEN = {"test": "one test file", "time": "test blocks in time"}
_COLUMNS = ("planned", "complete", "running", "failed", "dead", "missing")


def add_command(commands: Any) -> None:
    """Add the command to the program's parser."""
    command = new_command(
        commands, "status", "count the configurations of studies by status",
        "status", "status --storage sqlite:///results.db --json",
    )  # fmt: skip
    add_storage(command)
    add_json(command)
    command.set_defaults(command=_status, only_prints=True)


def _status(options: argparse.Namespace, _signals: Signals) -> int:
    from remix_study.study.database_errors import database_errors
    from remix_study.study.decision_lines import read_lines
    from remix_study.study.optuna_tables import read_progress
    from remix_study.study.storage import open_reader

    with database_errors(options.storage):
        engine = open_reader(options.storage)
        problems = read_progress(engine)
        with engine.connect() as connection:
            stored = read_lines(connection)
        lines = {f"{study}/{problem}": line for (study, problem), line in stored.items()}
        engine.dispose()
    if options.json:
        answers = [asdict(problem) | {"decision": lines.get(problem.name)} for problem in problems]
        print(json.dumps(answers, indent=2))
        return DONE
    width = max([len(problem.name) for problem in problems], default=5)
    print(" ".join([f"{'study':{width}}", *(f"{name:>8}" for name in _COLUMNS)]))
    for problem in problems:
        counts = (f"{getattr(problem, name):>8}" for name in _COLUMNS)
        print(" ".join([f"{problem.name:{width}}", *counts]))
    for problem in problems:
        if problem.split in _GIVEN:
            print(f"{problem.name}: {_GIVEN[problem.split]}; its intervals are bootstrapped")
    finished = [problem.name for problem in problems if problem.complete == problem.planned]
    for name in finished:
        if name in lines:
            print(f"{name}: {lines[name]}")
    with_lines = {study for study, _ in stored}
    without_lines = dict.fromkeys(
        s for name in finished if (s := name.partition("/")[0]) not in with_lines
    )
    if without_lines:
        print(
            f"for decisions on the present trials of {join_names(without_lines)}, "
            "run the study again; nothing is trained twice"
        )
    return DONE
