"""Serving optuna-dashboard: its database and artifacts, its application, where it listens.

It listens on this machine only, unless the user names another address.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from remix_study.errors import UsageError, mask_passwords
from remix_study.study.database_errors import database_errors
from remix_study.study.database_url import optuna_url
from remix_study.study.optuna_tables import check_names, registered_studies
from remix_study.study.signals import Signals
from remix_study.study.storage import closing, open_reader, open_storage, quiet_optuna

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class DashboardStorages:
    """One database, opened twice.

    Attributes:
        dashboard: What optuna-dashboard reads and writes; it locks nobody out while it reads.
        pages: What pages are written to; transactions lock the database from their beginning.
    """

    dashboard: RDBStorage
    pages: RDBStorage


@contextmanager
def open_storages(url: str) -> Iterator[DashboardStorages]:
    """Open an existing database, and close it in the end.

    Raises:
        StorageError: There is no such database, or it cannot be used.
    """
    from optuna.storages import RDBStorage

    with quiet_optuna(), database_errors(url):
        # A reader creates no database where there is none.
        open_reader(url).dispose()
        with closing(open_storage(url, upgrade=False)) as pages:
            is_sqlite = pages.engine.dialect.name == "sqlite"
            options = {"connect_args": {"timeout": 60}} if is_sqlite else {"pool_pre_ping": True}
            text = optuna_url(pages.engine.url)
            with closing(
                RDBStorage(text, engine_kwargs=options, skip_table_creation=True)
            ) as dashboard:
                yield DashboardStorages(dashboard, pages)


def study_ids(storage: RDBStorage, study: str | None) -> dict[str, int]:
    """Map ``<study>/<problem>`` to Optuna's study id, for one study or, where None, for all.

    Raises:
        UsageError: The database does not hold the study.
    """
    with storage.engine.connect() as connection:
        entries = registered_studies(connection)
    check_names(entries, [study] if study else [])
    return {entry.name: study_id for study_id, entry in entries if study in (None, entry.study)}


def artifact_folder(chosen: Path | None, storage: RDBStorage) -> Path | None:
    """Create the folder of artifacts: the chosen one, or ``<name>-artifacts`` by a SQLite file.

    Returns:
        The folder; None where none is chosen and the database is no SQLite file.

    Raises:
        UsageError: The folder cannot be created.
    """
    if chosen is None:
        database = storage.engine.url.database
        if storage.engine.dialect.name != "sqlite" or not database:
            return None
        path = Path(database)
        chosen = path.with_name(f"{path.stem}-artifacts")
    try:
        chosen.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{chosen}: cannot be a folder for artifacts ({error.strerror}); name another one "
            "with --artifacts"
        ) from error
    return chosen


def application(storage: RDBStorage, folder: Path | None) -> Application:
    """The dashboard of a database and a folder of artifacts, as a WSGI application."""
    from optuna.artifacts import FileSystemArtifactStore
    from optuna_dashboard import wsgi

    # It logs the traceback of every request that fails, as on damaged rows.
    logger = logging.getLogger("optuna_dashboard")
    logger.handlers, logger.propagate = [_FailedRequests()], False
    app: Application = wsgi(storage, artifact_store=folder and FileSystemArtifactStore(folder))
    return app


class _FailedRequests(logging.Handler):
    """Prints the first line of what the dashboard logs, once for each kind of failure."""

    def __init__(self) -> None:
        super().__init__()
        self._printed: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        failure = mask_passwords(record.getMessage().splitlines()[0])
        if failure not in self._printed:
            self._printed.add(failure)
            print(f"remix-study: the dashboard could not answer ({failure})", file=sys.stderr)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host of this name or address."""
    if host.strip("[]").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def restrict_to_localhost(app: Application) -> Application:
    """Refuse requests whose ``Host`` is not this machine.

    Any web page can let its own name resolve to 127.0.0.1, and a browser would then let it read
    and change studies, as the dashboard asks for no password (DNS rebinding).
    """

    def restricted(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        name = str(environ.get("HTTP_HOST", ""))
        name = name if name.endswith("]") else name.rpartition(":")[0] or name
        if not is_loopback(name):
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This dashboard answers to localhost only.\n"]
        return app(environ, start)

    return restricted


def refuse_other_pages(app: Application) -> Application:
    """Refuse requests that pages of other origins send, and to be shown in their frames."""

    def own_pages(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def start_unframed(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start(status, [*headers, ("X-Frame-Options", "DENY")], *error)

        # Browsers send it with whatever changes a study.
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin.partition("://")[2] != environ.get("HTTP_HOST"):
            start_unframed("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This dashboard answers to its own pages only.\n"]
        return app(environ, start_unframed)

    return own_pages


class _SilentHandler(WSGIRequestHandler):
    """A handler that prints no line for a request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


class Server(ThreadingMixIn, WSGIServer):
    """A server with one thread a request: browsers keep connections open that they do not use."""

    daemon_threads = True

    def __init__(self, host: str, port: int, app: Application, signals: Signals) -> None:
        """Listen on an address of this machine; port 0 is any that is free.

        Raises:
            UsageError: The port is in use, or the address is not of this machine.
        """
        self._signals = signals
        try:
            super().__init__((host, port), _SilentHandler)
        except OverflowError as error:
            raise UsageError(f"--port {port}: write a number from 0 to 65535") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UsageError(
                    f"port {port} of {host} is in use; name another one with --port"
                ) from error
            raise UsageError(
                f"cannot listen on {host}, port {port}: {error.strerror or error}; choose others "
                "with --host and --port"
            ) from error
        app = refuse_other_pages(app)
        self.set_app(restrict_to_localhost(app) if is_loopback(host) else app)

    def service_actions(self) -> None:
        """Stop if a signal has come; called between requests."""
        self._signals.check()
