"""Who works on which point, and whether it still lives.

A point is claimed by inserting its row: the database refuses the second. A claim counts only as
long as its worker lives; that is known at once on this machine, elsewhere by its heartbeat.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from remix_study.study import tables
from remix_study.study.evaluation import utc_now

HEARTBEAT = 30.0
"""Seconds between two signs of life."""

GRACE = timedelta(seconds=300)
"""How long a worker on another machine may be silent before its point is given away."""


class Worker:
    """This process, as the database knows it."""

    def __init__(self, engine: Engine, heartbeat: float = HEARTBEAT) -> None:
        """Register the worker."""
        self.uuid = str(uuid.uuid4())
        self._engine, self._heartbeat = engine, heartbeat
        with engine.begin() as connection:
            connection.execute(
                insert(tables.workers).values(
                    uuid=self.uuid,
                    host=socket.gethostname(),
                    boot=_boot(),
                    pid=os.getpid(),
                    started=_started(os.getpid()),
                    seen=utc_now(),
                )
            )

    @contextmanager
    def beating(self, beat: Any = None) -> Iterator[None]:
        """Give signs of life while the block runs; ``beat()`` is called with each."""
        done = threading.Event()

        def keep_on() -> None:
            while not done.wait(self._heartbeat):
                try:
                    with self._engine.begin() as connection:
                        mine = tables.workers.c.uuid == self.uuid
                        connection.execute(
                            update(tables.workers).where(mine).values(seen=utc_now())
                        )
                    if beat:
                        beat()
                except DBAPIError:
                    # A database locked for a moment must not end the heartbeat.
                    continue

        thread = threading.Thread(target=keep_on, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def claim(self, study_uuid: str, point: str) -> bool:
        """Try to take a point; False where another worker has it."""
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    insert(tables.claims).values(
                        study_uuid=study_uuid, point=point, worker_uuid=self.uuid
                    )
                )
        except IntegrityError:
            return False
        return True

    def assign(self, study_uuid: str, point: str, trial: int) -> None:
        """Note which trial works on a claimed point."""
        with self._engine.begin() as connection:
            connection.execute(
                update(tables.claims).where(_is(study_uuid, point, self.uuid)).values(trial=trial)
            )

    def release(self, study_uuid: str, point: str) -> None:
        """Give a point back."""
        with self._engine.begin() as connection:
            connection.execute(delete(tables.claims).where(_is(study_uuid, point, self.uuid)))

    def leave(self) -> None:
        """Take the worker out of the database with whatever it still claims."""
        with self._engine.begin() as connection:
            for table in (tables.claims, tables.workers):
                key = "worker_uuid" if table is tables.claims else "uuid"
                connection.execute(delete(table).where(table.c[key] == self.uuid))


def living(connection: Connection) -> set[str]:
    """UUIDs of the workers that live."""
    return {row.uuid for row in connection.execute(select(tables.workers)) if _lives(row)}


def bury(engine: Engine) -> None:
    """Take out dead workers and free what they claimed."""
    with engine.begin() as connection:
        alive = living(connection)
        for table, key in ((tables.claims, "worker_uuid"), (tables.workers, "uuid")):
            connection.execute(delete(table).where(table.c[key].not_in(alive)))


def claimed(connection: Connection, study_uuid: str) -> dict[str, int | None]:
    """Points of a study that are being worked on, each with its trial if it has one."""
    found = connection.execute(
        select(tables.claims.c.point, tables.claims.c.trial).where(
            tables.claims.c.study_uuid == study_uuid
        )
    )
    return {row.point: row.trial for row in found}


def _is(study_uuid: str, point: str, worker_uuid: str) -> Any:
    claims = tables.claims.c
    return (
        (claims.study_uuid == study_uuid)
        & (claims.point == point)
        & (claims.worker_uuid == worker_uuid)
    )


def _lives(worker: Row[Any]) -> bool:
    if worker.host == socket.gethostname():
        # The same machine: a process is there or not, and after a reboot none is.
        return bool(worker.boot == _boot() and worker.started == _started(worker.pid))
    return datetime.now(UTC) - datetime.fromisoformat(worker.seen) < GRACE


def _boot() -> str:
    """Identity of this run of the machine, "" where the system does not tell."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def _started(pid: int) -> str:
    """When a process began, in the system's own count; "gone" where there is none.

    A process id is given out again: with its start it names one process only.
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return "gone"
        # A zombie has ended, only nobody has asked how.
        return "gone" if fields[0] == "Z" else fields[19]
    try:
        os.kill(pid, 0)
    except OSError:
        return "gone"
    return "running"
