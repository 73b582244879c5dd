"""Leases: which worker works on which configuration, and which workers live.

A lease is taken by inserting its row: the database refuses the second. It counts only as long as
its worker lives, which is known at once on this machine, and elsewhere by its heartbeat.
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

import psutil
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from remix_study.errors import StorageError
from remix_study.study import tables
from remix_study.study.tables import utc_now
from remix_study.study.times import parse_time

HEARTBEAT = 30.0
"""Seconds between two heartbeats of a worker."""

GRACE = timedelta(seconds=300)
"""How long a worker on another machine may be silent before it counts as dead."""

# Start of a process that exists, where its start is unknown.
_RUNNING = "running"
_GONE = "gone"

_leases, _workers = tables.leases.c, tables.workers.c


class Worker:
    """This process as a worker in the database.

    Attributes:
        uuid: Its identity.
    """

    def __init__(
        self, engine: Engine, heartbeat: float = HEARTBEAT, *, identity: str | None = None
    ) -> None:
        """Register the worker, which signs every ``heartbeat`` seconds while it works.

        Whoever tries again gives the same identity: the first try may be in the database.

        Raises:
            StorageError: The database is a file that a worker on another machine uses.
        """
        self.uuid = identity or str(uuid.uuid4())
        self._engine, self._heartbeat = engine, heartbeat
        self.sign()

    def sign(self) -> None:
        """Note that the worker lives; register (again) where the database does not know it.

        A machine that slept was taken for dead meanwhile, and its worker removed.
        """
        with self._engine.begin() as connection:
            self._sign(connection)

    def _sign(self, connection: Connection) -> None:
        renewal = update(tables.workers).where(_workers.uuid == self.uuid).values(seen=utc_now())
        if connection.execute(renewal).rowcount:
            return
        if connection.dialect.name == "sqlite":
            _check_one_machine(connection)
        connection.execute(
            insert(tables.workers).values(
                uuid=self.uuid,
                host=host_name(),
                boot=boot_id(),
                pid=os.getpid(),
                started=process_start(os.getpid()),
                seen=utc_now(),
            )
        )

    @contextmanager
    def heartbeat(self, on_beat: Callable[[], object]) -> Iterator[None]:
        """Sign regularly while the block runs; ``on_beat()`` is called each time."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(self._heartbeat):
                try:
                    self.sign()
                    on_beat()
                except Exception:
                    # A database that is away for a moment must not end the heartbeat. An error
                    # that persists is met and reported by the thread that works.
                    continue

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def acquire(self, study_uuid: str, key: str) -> bool:
        """Try to lease a configuration; False where another worker has it."""
        row = {"study_uuid": study_uuid, "point": key, "worker_uuid": self.uuid}
        try:
            with self._engine.begin() as connection:
                self._sign(connection)
                connection.execute(insert(tables.leases).values(row))
        except IntegrityError:
            # Its own lease, where the connection was lost before the answer came.
            return self.holds(study_uuid, key)
        return True

    def assign_trial(self, study_uuid: str, key: str, trial: int) -> bool:
        """Note the trial of a leased configuration by number; False where the lease is lost."""
        is_lease = self._is_lease(study_uuid, key)
        with self._engine.begin() as connection:
            result = connection.execute(update(tables.leases).where(is_lease).values(trial=trial))
        return result.rowcount > 0

    def holds(self, study_uuid: str, key: str) -> bool:
        """Whether this worker still has a lease; it loses all when it is taken for dead."""
        query = select(tables.leases).where(self._is_lease(study_uuid, key))
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def others_at_work(self) -> int:
        """Number of other workers on this machine that hold a lease now, of any study here."""
        has_lease = tables.workers.c.uuid.in_(select(tables.leases.c.worker_uuid))
        query = select(tables.workers).where(has_lease, tables.workers.c.uuid != self.uuid)
        with self._engine.connect() as connection:
            return sum(is_here(row) and is_alive(row) for row in connection.execute(query))

    def release(self, study_uuid: str, key: str) -> None:
        """Give a lease back."""
        with self._engine.begin() as connection:
            connection.execute(delete(tables.leases).where(self._is_lease(study_uuid, key)))

    def unregister(self) -> None:
        """Remove the worker from the database with the leases that it still has."""
        with self._engine.begin() as connection:
            connection.execute(delete(tables.leases).where(_leases.worker_uuid == self.uuid))
            connection.execute(delete(tables.workers).where(_workers.uuid == self.uuid))

    def _is_lease(self, study_uuid: str, key: str) -> Any:
        is_study, is_key = _leases.study_uuid == study_uuid, _leases.point == key
        return is_study & is_key & (_leases.worker_uuid == self.uuid)


def living_workers(connection: Connection) -> set[str]:
    """UUIDs of the workers that live."""
    return {row.uuid for row in connection.execute(select(tables.workers)) if is_alive(row)}


def remove_dead_workers(engine: Engine) -> None:
    """Remove dead workers with their leases."""
    with engine.connect() as connection:
        rows = connection.execute(select(tables.workers)).all()
    # Only those seen to be dead: others may be registering at this moment.
    for row in [row for row in rows if not is_alive(row)]:
        # One that signs at this moment, and takes a lease again, is left to the next call.
        with suppress(IntegrityError), engine.begin() as connection:
            connection.execute(delete(tables.leases).where(_leases.worker_uuid == row.uuid))
            is_silent = (_workers.uuid == row.uuid) & (_workers.seen == row.seen)
            connection.execute(delete(tables.workers).where(is_silent))


def leased_configurations(
    connection: Connection, study_uuid: str, *, but: Worker | None = None
) -> dict[str, int | None]:
    """Leased configurations of a study: key -> number of the trial; without those of ``but``."""
    condition = _leases.study_uuid == study_uuid
    if but is not None:
        condition &= _leases.worker_uuid != but.uuid
    rows = connection.execute(select(_leases.point, _leases.trial).where(condition))
    return {row.point: row.trial for row in rows}


def _check_one_machine(connection: Connection) -> None:
    """Refuse a SQLite file that another machine works on: its locks hold on one machine only."""
    for row in connection.execute(select(tables.workers)):
        if not is_here(row) and is_alive(row):
            raise StorageError(
                f"workers on {row.host.split()[0]} use this SQLite file, which is safe on one "
                "machine only; for more take PostgreSQL (where they ended, or the file is a copy, "
                f"try again in {GRACE.seconds // 60} minutes)"
            )


def is_here(worker: Row[Any]) -> bool:
    """Whether a worker is or was on this machine; its containers share the boot alone."""
    return bool(worker.host == host_name() or worker.boot == boot_id())


def is_alive(worker: Row[Any]) -> bool:
    """Whether a worker lives, from its row in the table of workers."""
    # A time in the future is of a clock that was wrong, and would be recent for ever.
    is_recent = abs(datetime.now(UTC) - parse_time(worker.seen)) < GRACE
    if worker.host != host_name():
        return is_recent
    # A process of this machine exists or not, and after a reboot none does.
    start = process_start(worker.pid)
    # The start may have been unknown to the worker itself, or be unknown now.
    is_known = _RUNNING not in (start, worker.started)
    exists = worker.boot == boot_id() and start != _GONE
    if is_known:
        exists = exists and start == worker.started
    is_certain = is_known and not is_stopped(worker.pid)
    return bool(exists and (is_recent or is_certain))


def machine_id() -> str:
    """Identity of this machine; containers on one machine share it."""
    return boot_id() or socket.gethostname()


def host_name() -> str:
    """Name of the machine and of the namespace of its processes.

    Containers on one machine cannot see each other's processes.
    """
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def boot_id() -> str:
    """Identity of this boot of the machine, "" where the system has none."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def process_start(pid: int) -> str:
    """When a process began, in clock ticks since the boot: they stay when the clock is set.

    A process id is given out again: with its start it identifies one process.

    Returns:
        The ticks; "running" for a process whose start is unknown (not on Linux, or not readable
        for this user); "gone" where there is no such process, or a zombie.
    """
    try:
        while True:
            boot = psutil.boot_time()
            # Made after that look: psutil adds the boot time that it saw last.
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return _GONE
            if not psutil.LINUX:
                return _RUNNING
            seconds = process.create_time() - boot
            # Both are wall times, which differ when the clock was set between the two calls.
            if psutil.boot_time() == boot:
                return str(round(seconds * os.sysconf("SC_CLK_TCK")))
    except psutil.NoSuchProcess:
        return _GONE
    except (psutil.AccessDenied, OSError, RuntimeError):
        # Whether such a worker lives is left to its heartbeat, unless nothing has its process id.
        return _RUNNING if psutil.pid_exists(pid) else _GONE


def is_stopped(pid: int) -> bool:
    """Whether a process is suspended, as by Ctrl-Z: it exists, and may never continue."""
    try:
        status = psutil.Process(pid).status()
    except (psutil.Error, OSError):
        return False
    return status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
