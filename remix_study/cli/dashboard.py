"""The command ``dashboard``: optuna-dashboard on a database, its pages renewed while it runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.cli.arguments import (
    add_json,
    add_storage,
    new_command,
    port_number,
    study_names,
)
from remix_study.errors import DONE

if TYPE_CHECKING:
    from remix_study.study.signals import Signals


def add_command(commands: Any) -> None:
    """Add the command to the program's parser."""
    dashboard = new_command(
        commands, "dashboard", "show studies in Optuna's dashboard, also while they run",
        "dashboard", "dashboard customers --port 0",
    )  # fmt: skip
    dashboard.add_argument(
        "study", nargs="?", metavar="STUDY", help="a name or file; default: all of the database"
    )
    dashboard.add_argument("--port", type=port_number, default=8080, metavar="N",
                           help="default: 8080; 0 for any that is free")  # fmt: skip
    dashboard.add_argument(
        "--host", default="127.0.0.1", metavar="H",
        help="where to listen (default: 127.0.0.1, this machine only)",
    )  # fmt: skip
    dashboard.add_argument(
        "--artifacts", type=Path, metavar="DIR",
        help="folder for files of trials (default: beside a SQLite file, <name>-artifacts)",
    )  # fmt: skip
    add_storage(dashboard)
    add_json(dashboard)
    dashboard.set_defaults(command=_dashboard)


def _dashboard(options: argparse.Namespace, signals: Signals) -> int:
    from remix_study.dashboard import server
    from remix_study.dashboard.pages import Pages, RenewalThread

    with server.open_storages(options.storage) as storages:
        study = study_names([options.study])[0] if options.study else None
        ids = server.study_ids(storages.pages, study)
        folder = server.artifact_folder(options.artifacts, storages.pages)
        app = server.application(storages.dashboard, folder)
        with server.Server(options.host, options.port, app, signals) as listening:
            _print_addresses(options, listening.server_port, ids, folder)
            studies = [study] if study else []
            renewal = RenewalThread(
                Pages(storages.dashboard, storages.pages.engine, folder, studies)
            )
            renewal.start()
            try:
                listening.serve_forever(poll_interval=0.2)
            finally:
                with signals.critical():
                    renewal.end()
    return DONE


def _print_addresses(
    options: argparse.Namespace, port: int, ids: dict[str, int], folder: Path | None
) -> None:
    """Print where the dashboard is, and the notes of the chosen studies, to be read first."""
    from remix_study.dashboard.server import is_loopback

    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"http://{host}:{port}/dashboard"
    pages = {study: f"{address}/studies/{study_id}/note" for study, study_id in ids.items()}
    if options.json:
        artifacts = None if folder is None else str(folder)
        answer = {"address": address, "studies": pages, "artifacts": artifacts}
        print(json.dumps(answer), flush=True)
    else:
        width = max(map(len, pages), default=0)
        for study, page in pages.items() if options.study else ():
            print(f"{study:{width}}  {page}")
        print(f"dashboard: {address} (Ctrl-C ends it)", flush=True)
    if not is_loopback(options.host):
        print(
            f"remix-study: note: whoever reaches {host} can change and delete studies; the "
            "dashboard asks for no password",
            file=sys.stderr,
        )
