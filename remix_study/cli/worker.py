"""The command ``worker``: join a study from this machine or another until nothing is left."""

from __future__ import annotations

from typing import Any

from remix_study.cli.arguments import (
    add_json,
    add_storage,
    device_list,
    new_command,
    worker_count,
)
from remix_study.cli.run import add_training_options, run_command


def add_command(commands: Any) -> None:
    """Add the command to the program's parser."""
    command = new_command(
        commands, "worker", "join a study, from this machine or another, until nothing is left",
        "worker customers.toml --workers 4 --storage postgresql+psycopg://host/studies",
    )  # fmt: skip
    command.add_argument(
        "study", metavar="STUDY", help="a study file, or the name of a built-in one"
    )
    command.add_argument(
        "--no-wait", action="store_true", help="end as soon as others train all that is left"
    )
    command.add_argument(
        "--devices", type=device_list, metavar="LIST", help="as for run; each worker sees one"
    )
    command.add_argument(
        "--workers", type=worker_count, metavar="N", default=1,
        help="number of processes that train (default: 1)",
    )  # fmt: skip
    add_training_options(command)
    add_storage(command)
    add_json(command)
    command.set_defaults(command=run_command, dry_run=False, dask=None, report=None, joins=True)
