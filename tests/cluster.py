"""A PostgreSQL server of the tests' own, on a socket of loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def programs() -> Path | None:
    """The folder of the newest server that is installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    path = shutil.which("initdb")
    return Path(path).parent if path else None


@contextmanager
def server() -> Iterator[str]:
    """Start a server that asks for a password with a slash; gives the URL of its database."""
    binaries = programs()
    assert binaries is not None
    # The server refuses to run as root.
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    as_user = user if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as name, socket.socket() as free:
        folder = Path(name)
        (folder / "password").write_text("quite/secret")
        if as_user:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()

        def call(program: str, *words: str) -> None:
            command = [*as_user, str(binaries / program), "-D", str(folder / "data"), *words]
            subprocess.run(command, check=True, capture_output=True, cwd=folder)

        call("initdb", "-U", "me", "--pwfile", "password", "-A", "scram-sha-256", "-E", "UTF8",
             "--locale", "C.UTF-8", "--no-sync")  # fmt: skip
        call("pg_ctl", "-o", f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off", "-l", "log",
             "-w", "start")  # fmt: skip
        try:
            yield f"postgresql+psycopg://me:quite%2Fsecret@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
