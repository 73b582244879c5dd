"""Serving optuna-dashboard: on this machine only, unless the user names another address."""

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
    """The dashboard over a database and a folder of artifacts."""
    from optuna.artifacts import FileSystemArtifactStore
    from optuna_dashboard import wsgi

    store = None if folder is None else FileSystemArtifactStore(folder)
    made: Application = wsgi(storage, artifact_store=store)
    return made


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host of this name."""
    if host.strip("[]").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def for_this_machine(app: Application) -> Application:
    """Refuse requests that were sent to another name than this machine's own.

    A page anywhere can let its own name lead to 127.0.0.1, and a browser would then let it read
    and change studies: the dashboard asks for no password.
    """

    def guarded(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        name = str(environ.get("HTTP_HOST", ""))
        name = name if name.endswith("]") else name.rpartition(":")[0] or name
        if not is_loopback(name):
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This dashboard answers to localhost only.\n"]
        return app(environ, start)

    return guarded


class _Handler(WSGIRequestHandler):
    """Writes no line for every request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingMixIn, WSGIServer):
    """One thread a request: a browser keeps connections open that it does not use."""

    daemon_threads = True

    def __init__(self, host: str, port: int, app: Application, signals: Signals) -> None:
        """Listen.

        Raises:
            UsageError: Somebody else listens there, or the address is none of this machine's.
        """
        self._signals = signals
        try:
            super().__init__((host, port), _Handler)
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
        self.set_app(for_this_machine(app) if is_loopback(host) else app)

    def service_actions(self) -> None:
        """Between requests: stop if a signal has come."""
        self._signals.check()
