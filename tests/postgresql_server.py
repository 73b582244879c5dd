"""A private PostgreSQL server for tests and benchmarks, where the programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import sqlalchemy


def programs() -> Path | None:
    """The folder of the newest server's programs; None where none is installed."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda path: int(path.parent.name))
    path = shutil.which("initdb")
    return Path(path).resolve().parent if path else None


class Server:
    """A server on loopback, whose password has to be escaped in a URL."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        program_folder = programs()
        assert program_folder is not None
        self.folder, self.programs = folder, program_folder
        self.fsync = "on" if durable else "off"
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.port = unused.getsockname()[1]
        (folder / "password").write_text("quite/secret")
        # Servers refuse to run as root.
        self.owner: dict[str, int] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self.owner = {"user": user.pw_uid, "group": user.pw_gid}
            for path in (folder, folder / "password"):
                os.chown(path, user.pw_uid, user.pw_gid)
        self.run_program("initdb", "-A", "scram-sha-256", "-U", "me", "--pwfile", "password",
                "-E", "UTF8", "--locale=C", "--no-sync")  # fmt: skip
        self.start()

    def run_program(self, program: str, *words: str) -> None:
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
        self.run_program("pg_ctl", "-l", str(self.folder / "log"), "-o", options, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop as ``pg_ctl`` does in a mode; "kill" sends SIGKILL to all of its processes."""
        if mode == "kill":
            processes = self.processes()
            for process in processes:
                process.kill()
            psutil.wait_procs(processes, timeout=60)
        else:
            self.run_program("pg_ctl", "-m", mode, "-w", "stop")

    def processes(self) -> list[psutil.Process]:
        """The server's processes, that which started the others first."""
        number = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        process = psutil.Process(number)
        return [process, *process.children(recursive=True)]

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://me:quite%2Fsecret@127.0.0.1:{self.port}/{name}"

    def create(self, tablespace: str = "pg_default") -> str:
        """Create an empty database and return its URL."""
        name = f"x{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TABLESPACE {tablespace}")
        return self.url(name)

    def execute(self, sql: str, name: str = "postgres") -> None:
        engine = sqlalchemy.create_engine(self.url(name), poolclass=sqlalchemy.NullPool)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sqlalchemy.text(sql))

    def ask(self, sql: str, name: str = "postgres") -> Any:
        """The one value that a query gives."""
        engine = sqlalchemy.create_engine(self.url(name), poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            return connection.execute(sqlalchemy.text(sql)).scalar_one()


@contextmanager
def running(*, durable: bool = False, folder: Path | None = None) -> Iterator[Server]:
    """Run a server until the block ends.

    Args:
        durable: Whether it waits for its disk, as servers do outside tests.
        folder: An empty folder for its files; a temporary one where None.
    """
    # Not pytest's folder: names of sockets are short, and the server's user must get there.
    with nullcontext(folder) if folder else TemporaryDirectory(prefix="remix-pg-") as name:
        path = Path(name)
        path.chmod(0o755)
        server = Server(path, durable=durable)
        try:
            yield server
        finally:
            server.stop("immediate")
