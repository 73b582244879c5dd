"""Serving optuna-dashboard, on this machine only unless the user names another address."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from remix_study.errors import UsageError
from remix_study.study.signals import Signals

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def application(storage: RDBStorage, folder: Path | None) -> Application:
    """The dashboard of a database and a folder of artifacts, as a WSGI application."""
    from optuna.artifacts import FileSystemArtifactStore
    from optuna_dashboard import wsgi

    store = None if folder is None else FileSystemArtifactStore(folder)
    app: Application = wsgi(storage, artifact_store=store)
    return app


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
        self.set_app(restrict_to_localhost(app) if is_loopback(host) else app)

    def service_actions(self) -> None:
        """Stop if a signal has come; called between requests."""
        self._signals.check()
