"""The commands ``init`` and ``schema``: a study file to begin with, and help to edit one."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from remix_study.cli.arguments import new_command
from remix_study.cli.tables import add_table_options, keep_study, planned_study
from remix_study.errors import DONE, UsageError
from remix_study.studyfile.validation import as_toml

if TYPE_CHECKING:
    import pandas as pd

    from remix_study.study.signals import Signals

_MOST_COLUMNS = 200
# Keys with examples; what the table suggests takes the place of an example.
_PROBLEM_KEYS = (
    ("drop", '["customer_id"]', "columns that are no features"),
    ("categorical", '["zip"]', "columns whose numbers are names"),
    ("missing", '["n.a.", "-1"]', "cells that stand for a missing value"),
    ("groups", '"household"', "rows that stay on one side of a split; also grouped = true below"),
    ("weights", '"weight"', "how much each row counts"),
    ("time", '"day"', "training rows lie before test rows; or fold, or test_file"),
    ("classes.merge.yes", '["Yes", "YES"]', "classes that become one; classes.drop leaves out"),
    ("imbalance", "[0.05, 0.01]", "makes the rare classes rarer: rare rows / other rows"),
)
_AIMS = """
[decision]                        # may be written after training, too
# costs = { fn = 20, fp = 1 }     # what a missed rare row and a false alarm cost
# floor = { recall = 0.9 }        # or what the threshold must reach

[model]
# dropout = 0.1"""


def add_command(commands: Any) -> None:
    """Add both commands to the program's parser."""
    command = new_command(
        commands, "init", "write a commented study file for a table, and run nothing",
        "init customers.csv --label churned",
    )  # fmt: skip
    command.add_argument("study", metavar="TABLE", help="the table; it is read, not changed")
    add_table_options(command)
    command.set_defaults(command=_init, joins=False, report=None)
    command = new_command(
        commands, "schema", "print the JSON schema of study files, for editors",
        "schema > study.schema.json",
    )  # fmt: skip
    command.set_defaults(command=_schema, only_prints=True)


def _schema(_options: argparse.Namespace, _signals: Signals) -> int:
    from remix_study.studyfile.json_schema import study_file_schema

    print(json.dumps(study_file_schema(), indent=1))
    return DONE


def _init(options: argparse.Namespace, _signals: Signals) -> int:
    from remix_study.data.label_choice import label_hint
    from remix_study.data.readers import read_tables
    from remix_study.study.default_study import is_table
    from remix_study.studyfile.table_format import TableFormat

    if not is_table(options.study):
        raise UsageError(f"{options.study}: is no table; name a file such as customers.csv")
    table_format = TableFormat(header=not options.no_header)
    table = read_tables([Path(options.study)], table_format, [])
    if options.label is None and table.label is None and sys.stdin.isatty():
        print(label_hint(table.frame))
        with suppress(EOFError):
            options.label = input("column with the class: ").strip() or None
    study = planned_study(options)
    assert study is not None
    comments = "\n".join(_comments(table.frame, study.text))
    text = study.text.replace("\n\n[cv]\n", f"\n{comments}\n\n[cv]\n", 1)
    text = text.replace("\n\n[model]\n", f"\n{_AIMS}\n", 1)
    path = keep_study(msgspec.structs.replace(study, text=text))
    print(f"study file: {path}; to run it: remix-study run {path} --report report")
    return DONE


def _comments(frame: pd.DataFrame, text: str) -> list[str]:
    """What the columns hold, and keys to take the # from."""
    n_values = {str(name): int(column.nunique()) for name, column in frame.items()}
    shown = [f"#   {as_toml(name)}: {n:,} values" for name, n in n_values.items()]
    floats = {str(name) for name in frame.select_dtypes("float").columns}
    suggested = {"drop": [n for n, k in n_values.items() if k == len(frame) and n not in floats]}
    keys = []
    for key, example, meaning in _PROBLEM_KEYS:
        if f"\n{key} = " not in text:
            value = as_toml(suggested[key]) if suggested.get(key) else example
            keys.append(f"# {f'{key} = {value}':32} # {meaning}")
    more = [f"#   and {len(shown) - _MOST_COLUMNS:,} more"] if len(shown) > _MOST_COLUMNS else []
    return ["# The columns:", *shown[:_MOST_COLUMNS], *more,
            "# Keys that this table may need; take the # away to use one:", *keys]  # fmt: skip
