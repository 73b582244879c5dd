"""A PostgreSQL server for tests and benchmarks, where Debian's or another is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import uuid
from pathlib import Path

import sqlalchemy


class Server:
    """A private PostgreSQL cluster on loopback; servers refuse to run as root."""

    def __init__(self, folder: Path, programs: Path, *, durable: bool = False) -> None:
        self.fsync = "on" if durable else "off"
        self.folder, self.programs = folder, programs
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.user = None
        if os.getuid() == 0:
            self.user = pwd.getpwnam("postgres")
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        self.do("initdb", "-A", "trust", "-U", "me", "--no-sync", "-E", "UTF8", "--locale=C")
        self.start()

    def do(self, program: str, *words: str) -> None:
        owner = {"user": self.user.pw_uid, "group": self.user.pw_gid} if self.user else {}
        subprocess.run(
            [self.programs / program, "-D", self.folder / "data", *words],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
            timeout=120,
            **owner,
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
        return f"postgresql+psycopg://me:secret@127.0.0.1:{self.port}/{name}"

    def create(self) -> str:
        """The URL of a new empty database."""
        name = f"x{uuid.uuid4().hex[:12]}"
        self.ask(f"CREATE DATABASE {name}")
        return self.url(name)

    def ask(self, sql: str, name: str = "postgres") -> None:
        engine = sqlalchemy.create_engine(self.url(name), poolclass=sqlalchemy.NullPool)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sqlalchemy.text(sql))


def programs() -> Path | None:
    """Where initdb and pg_ctl are."""
    found = shutil.which("initdb")
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if found:
        return Path(found).resolve().parent
    return known[-1] if known else None
