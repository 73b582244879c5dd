"""The command ``dashboard``: optuna-dashboard on a database, its pages renewed while it runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.cli.arguments import add_json, add_storage, port_number, study_names
from remix_study.errors import DONE, UsageError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

    from remix_study.study.signals import Signals


def add_command(commands: Any) -> None:
    """Add the command to the program's parser."""
    dashboard: argparse.ArgumentParser = commands.add_parser(
        "dashboard", help="look at studies in Optuna's dashboard, also while they run"
    )
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
    from remix_study.study.database_errors import database_errors
    from remix_study.study.runner import quiet_optuna
    from remix_study.study.storage import open_reader, open_storage

    url = options.storage
    with quiet_optuna(), database_errors(url):
        # A reader makes no database where there is none.
        open_reader(url).dispose()
        written = open_storage(url)
        try:
            shown = _as_shown(written)
            try:
                return _serve(options, signals, written, shown)
            finally:
                shown.remove_session()
                shown.engine.dispose()
        finally:
            written.remove_session()
            written.engine.dispose()


def _serve(
    options: argparse.Namespace, signals: Signals, written: RDBStorage, shown: RDBStorage
) -> int:
    from remix_study.dashboard.pages import Keeper, Pages
    from remix_study.dashboard.server import Server, application, is_loopback

    name, numbers = _chosen(options.study, written)
    folder = _folder(options.artifacts, written)
    with Server(options.host, options.port, application(shown, folder), signals) as server:
        host = f"[{options.host}]" if ":" in options.host else options.host
        address = f"http://{host}:{server.server_port}/dashboard"
        pages = {study: f"{address}/studies/{number}" for study, number in numbers.items()}
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
        keeper = Keeper(Pages(shown, written.engine, folder, [name] if name else []))
        keeper.start()
        try:
            server.serve_forever(poll_interval=0.2)
        finally:
            with signals.critical():
                keeper.end()
    return DONE


def _as_shown(written: RDBStorage) -> RDBStorage:
    """The database as the dashboard reads it: whoever reads must lock nobody out."""
    from optuna.storages import RDBStorage

    text = written.url.replace("{", "{{").replace("}", "}}")
    sqlite = written.engine.dialect.name == "sqlite"
    options = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True}
    return RDBStorage(text, engine_kwargs=options, skip_table_creation=True)


def _chosen(word: str | None, written: RDBStorage) -> tuple[str | None, dict[str, int]]:
    """The study's name and Optuna's id of each of its problems.

    Raises:
        UsageError: The database does not hold it.
    """
    from remix_study.study.study_selection import check_names, registered_studies

    name = study_names([word])[0] if word else None
    with written.engine.connect() as connection:
        entries = registered_studies(connection)
    check_names(entries, [name] if name else [])
    return name, {entry.name: number for number, entry in entries if name in (None, entry.study)}


def _folder(named: Path | None, written: RDBStorage) -> Path | None:
    """Where artifacts are kept, made if it is not there.

    Raises:
        UsageError: It cannot be.
    """
    if named is None:
        database = written.engine.url.database
        if written.engine.dialect.name != "sqlite" or not database:
            return None
        path = Path(database)
        named = path.with_name(f"{path.stem}-artifacts")
    try:
        named.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{named}: cannot be a folder for artifacts ({error.strerror}); name another one with "
            "--artifacts"
        ) from error
    return named
