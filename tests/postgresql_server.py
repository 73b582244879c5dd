"""A PostgreSQL server for tests and benchmarks, where Debian's or another is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import sqlalchemy


def programs() -> Path | None:
    """The folder of the newest server that is installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    path = shutil.which("initdb")
    return Path(path).resolve().parent if path else None


class Server:
    """A private cluster on loopback, whose password wants escaping in a URL."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        found = programs()
        assert found is not None
        self.folder, self.programs = folder, found
        self.fsync = "on" if durable else "off"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "password").write_text("quite/secret")
        # Servers refuse to run as root.
        self.owner: dict[str, int] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self.owner = {"user": user.pw_uid, "group": user.pw_gid}
            for path in (folder, folder / "password"):
                os.chown(path, user.pw_uid, user.pw_gid)
        self.do("initdb", "-A", "scram-sha-256", "-U", "me", "--pwfile", "password",
                "-E", "UTF8", "--locale=C", "--no-sync")  # fmt: skip
        self.start()

    def do(self, program: str, *words: str) -> None:
        subprocess.run(
            [self.programs / program, "-D", self.folder / "data", *words],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
            timeout=120,
            **self.owner,
        )

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} "
            f"-c fsync={self.fsync} -c shared_buffers=16MB -c max_connections=100"
        )
        self.do("pg_ctl", "-l", str(self.folder / "log"), "-o", options, "-w", "start")

    def stop(self, how: str = "fast") -> None:
        self.do("pg_ctl", "-m", how, "-w", "stop")

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://me:quite%2Fsecret@127.0.0.1:{self.port}/{name}"

    def create(self, tablespace: str = "pg_default") -> str:
        """The URL of a new empty database."""
        name = f"x{uuid.uuid4().hex[:12]}"
        self.ask(f"CREATE DATABASE {name} TABLESPACE {tablespace}")
        return self.url(name)

    def ask(self, sql: str, name: str = "postgres") -> None:
        engine = sqlalchemy.create_engine(self.url(name), poolclass=sqlalchemy.NullPool)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sqlalchemy.text(sql))


@contextmanager
def running(*, durable: bool = False, place: Path | None = None) -> Iterator[Server]:
    """A server in a folder of its own, until the block ends.

    Args:
        durable: Whether it waits for its disk, as one does that is not for tests.
        place: An empty folder for all it has.
    """
    # Sockets have short names, and the server's user must get there.
    with nullcontext(place) if place else tempfile.TemporaryDirectory(prefix="remix-pg-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = Server(folder, durable=durable)
        try:
            yield server
        finally:
            server.stop("immediate")
