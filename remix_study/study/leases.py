"""Who works on which point, and whether it still lives.

A point is claimed by inserting its row: the database refuses the second. A claim counts only as
long as its worker lives; that is known at once on this machine, elsewhere by its heartbeat.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from remix_study.errors import StorageError
from remix_study.study import tables
from remix_study.study.tables import utc_now

HEARTBEAT = 30.0
"""Seconds between two signs of life."""

GRACE = timedelta(seconds=300)
"""How long a worker on another machine may be silent before its point is given away."""

_RUNNING = "running"


class Worker:
    """This process, as the database knows it."""

    def __init__(self, engine: Engine, heartbeat: float = HEARTBEAT) -> None:
        """Register the worker.

        Raises:
            StorageError: The database is a file that a worker on another machine uses.
        """
        self.uuid = str(uuid.uuid4())
        self._engine, self._heartbeat = engine, heartbeat
        self._show_up()

    def _show_up(self) -> None:
        with self._engine.begin() as connection:
            self._sign(connection)

    def _sign(self, connection: Connection) -> None:
        """Give a sign of life; register (again) where nobody knows this worker.

        A machine that slept was taken for dead meanwhile, and its worker struck off.
        """
        mine = tables.workers.c.uuid == self.uuid
        seen = update(tables.workers).where(mine).values(seen=utc_now())
        if connection.execute(seen).rowcount:
            return
        if connection.dialect.name == "sqlite":
            _refuse_other_machines(connection)
        connection.execute(
            insert(tables.workers).values(
                uuid=self.uuid,
                host=_host(),
                boot=_boot(),
                pid=os.getpid(),
                started=_started(os.getpid()),
                seen=utc_now(),
            )
        )

    @contextmanager
    def beating(self, beat: Callable[[], object]) -> Iterator[None]:
        """Give signs of life while the block runs; ``beat()`` is called with each."""
        done = threading.Event()

        def keep_on() -> None:
            while not done.wait(self._heartbeat):
                try:
                    self._show_up()
                    beat()
                except Exception:
                    # A database locked or away for a moment must not end the heartbeat. What
                    # stays wrong is met and named by the thread that works.
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
                self._sign(connection)
                connection.execute(
                    insert(tables.claims).values(
                        study_uuid=study_uuid, point=point, worker_uuid=self.uuid
                    )
                )
        except IntegrityError:
            # Its own, where the connection was lost before the answer came.
            return self.holds(study_uuid, point)
        return True

    def assign(self, study_uuid: str, point: str, trial: int) -> bool:
        """Note which trial works on a claimed point; False where the claim is lost."""
        with self._engine.begin() as connection:
            own = _is(study_uuid, point, self.uuid)
            found = connection.execute(update(tables.claims).where(own).values(trial=trial))
        return found.rowcount > 0

    def holds(self, study_uuid: str, point: str) -> bool:
        """Whether a point is still this worker's: one that was taken for dead loses its own."""
        with self._engine.connect() as connection:
            own = select(tables.claims).where(_is(study_uuid, point, self.uuid))
            return connection.execute(own).first() is not None

    def release(self, study_uuid: str, point: str) -> None:
        """Give a point back."""
        with self._engine.begin() as connection:
            connection.execute(delete(tables.claims).where(_is(study_uuid, point, self.uuid)))

    def leave(self) -> None:
        """Take the worker out of the database with whatever it still claims."""
        with self._engine.begin() as connection:
            connection.execute(
                delete(tables.claims).where(tables.claims.c.worker_uuid == self.uuid)
            )
            connection.execute(delete(tables.workers).where(tables.workers.c.uuid == self.uuid))


def machine() -> str:
    """Which machine this is; containers on one share it."""
    return _boot() or socket.gethostname()


def living(connection: Connection) -> set[str]:
    """UUIDs of the workers that live."""
    return {row.uuid for row in connection.execute(select(tables.workers)) if _lives(row)}


def bury(engine: Engine) -> None:
    """Take out dead workers and free what they claimed."""
    with engine.connect() as connection:
        known = connection.execute(select(tables.workers)).all()
    # Only those seen to be dead: others may be registering at this moment.
    for row in [row for row in known if not _lives(row)]:
        # One that comes back at this moment, and claims again, is left to the next burial.
        with suppress(IntegrityError), engine.begin() as connection:
            own, workers = tables.claims.c.worker_uuid == row.uuid, tables.workers.c
            connection.execute(delete(tables.claims).where(own))
            silent = (workers.uuid == row.uuid) & (workers.seen == row.seen)
            connection.execute(delete(tables.workers).where(silent))


def claimed(
    connection: Connection, study_uuid: str, *, but: Worker | None = None
) -> dict[str, int | None]:
    """Points of a study that are being worked on, each with its trial if it has one.

    Args:
        connection: To the database.
        study_uuid: The study.
        but: Whose claims are left out.
    """
    all_claims = tables.claims.c
    wanted = all_claims.study_uuid == study_uuid
    if but is not None:
        wanted &= all_claims.worker_uuid != but.uuid
    found = connection.execute(select(all_claims.point, all_claims.trial).where(wanted))
    return {row.point: row.trial for row in found}


def _is(study_uuid: str, point: str, worker_uuid: str) -> Any:
    claims = tables.claims.c
    return (
        (claims.study_uuid == study_uuid)
        & (claims.point == point)
        & (claims.worker_uuid == worker_uuid)
    )


def _lives(worker: Row[Any]) -> bool:
    heard = datetime.now(UTC) - datetime.fromisoformat(worker.seen) < GRACE
    if worker.host != _host():
        return heard
    # The same machine: a process is there or not, and after a reboot none is.
    same = bool(worker.boot == _boot() and worker.started == _started(worker.pid))
    return same and (heard or not (worker.started == _RUNNING or _is_stopped(worker.pid)))


def _refuse_other_machines(connection: Connection) -> None:
    """SQLite's locks and shared memory hold on one machine only.

    Containers on one machine have names of their own, and the same boot.
    """
    for row in connection.execute(select(tables.workers)):
        if row.host != _host() and row.boot != _boot() and _lives(row):
            raise StorageError(
                f"workers on {row.host.split()[0]} use this SQLite file, which is safe on one "
                "machine only; for more take PostgreSQL (where they ended, or the file is a copy, "
                f"try again in {GRACE.seconds // 60} minutes)"
            )


def _host() -> str:
    """The machine as far as its processes can be seen; containers cannot see each other's."""
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _boot() -> str:
    """Identity of this run of the machine, "" where the system does not tell."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def _started(pid: int) -> str:
    """When a process began, in the system's own count; "gone" where there is none.

    A process id is given out again: with its start it names one process only. Where the system
    does not tell the start, "running".
    """
    if Path("/proc/self/stat").exists():
        fields = _stat(pid)
        # A zombie has ended, only nobody has asked how.
        return "gone" if not fields or fields[0] == "Z" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        # Another user's process.
        return _RUNNING
    return _RUNNING


def _is_stopped(pid: int) -> bool:
    """Whether a process is held, as by Ctrl-Z: it is there, and may never go on."""
    fields = _stat(pid)
    return bool(fields) and fields[0] in "Tt"


def _stat(pid: int) -> list[str]:
    """What Linux tells of a process after its name, its state first; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
