"""Leases: which worker works on which configuration, and which workers live.

A lease is taken by inserting its row: the database refuses the second. It counts only as long as
its worker lives; see :mod:`remix_study.study.liveness`.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from remix_study.errors import StorageError
from remix_study.study import liveness, tables
from remix_study.study.tables import utc_now

HEARTBEAT = 30.0
"""Seconds between two heartbeats of a worker."""


class Worker:
    """This process as a worker in the database.

    Attributes:
        uuid: Its identity.
    """

    def __init__(self, engine: Engine, heartbeat: float = HEARTBEAT) -> None:
        """Register the worker.

        Args:
            engine: To the database.
            heartbeat: Seconds between two heartbeats.

        Raises:
            StorageError: The database is a file that a worker on another machine uses.
        """
        self.uuid = str(uuid.uuid4())
        self._engine, self._heartbeat = engine, heartbeat
        self.sign()

    def sign(self) -> None:
        """Note that the worker lives; register (again) where the database does not know it.

        A machine that slept was taken for dead meanwhile, and its worker removed.

        Raises:
            StorageError: As for the constructor.
        """
        with self._engine.begin() as connection:
            self._sign(connection)

    def _sign(self, connection: Connection) -> None:
        is_own = tables.workers.c.uuid == self.uuid
        seen = update(tables.workers).where(is_own).values(seen=utc_now())
        if connection.execute(seen).rowcount:
            return
        if connection.dialect.name == "sqlite":
            _check_one_machine(connection)
        connection.execute(
            insert(tables.workers).values(
                uuid=self.uuid,
                host=liveness.host_name(),
                boot=liveness.boot_id(),
                pid=os.getpid(),
                started=liveness.process_start(os.getpid()),
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
        """Try to lease a configuration.

        Returns:
            Whether this worker has it now; False where another worker does.
        """
        try:
            with self._engine.begin() as connection:
                self._sign(connection)
                connection.execute(
                    insert(tables.leases).values(
                        study_uuid=study_uuid, point=key, worker_uuid=self.uuid
                    )
                )
        except IntegrityError:
            # Its own lease, where the connection was lost before the answer came.
            return self.holds(study_uuid, key)
        return True

    def assign_trial(self, study_uuid: str, key: str, trial: int) -> bool:
        """Note which trial, by Optuna's number, works on a leased configuration.

        Returns:
            False where the lease is lost.
        """
        with self._engine.begin() as connection:
            is_own = _is_lease(study_uuid, key, self.uuid)
            result = connection.execute(update(tables.leases).where(is_own).values(trial=trial))
        return result.rowcount > 0

    def holds(self, study_uuid: str, key: str) -> bool:
        """Whether this worker still has a lease; it loses all when it is taken for dead."""
        query = select(tables.leases).where(_is_lease(study_uuid, key, self.uuid))
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def others_at_work(self) -> int:
        """Number of other workers on this machine that hold a lease now, of any study here."""
        has_lease = tables.workers.c.uuid.in_(select(tables.leases.c.worker_uuid))
        query = select(tables.workers).where(has_lease, tables.workers.c.uuid != self.uuid)
        with self._engine.connect() as connection:
            return sum(
                liveness.is_here(row) and liveness.is_alive(row)
                for row in connection.execute(query)
            )

    def release(self, study_uuid: str, key: str) -> None:
        """Give a lease back."""
        with self._engine.begin() as connection:
            connection.execute(delete(tables.leases).where(_is_lease(study_uuid, key, self.uuid)))

    def unregister(self) -> None:
        """Remove the worker from the database with the leases that it still has."""
        with self._engine.begin() as connection:
            connection.execute(
                delete(tables.leases).where(tables.leases.c.worker_uuid == self.uuid)
            )
            connection.execute(delete(tables.workers).where(tables.workers.c.uuid == self.uuid))


def living_workers(connection: Connection) -> set[str]:
    """UUIDs of the workers that live."""
    rows = connection.execute(select(tables.workers))
    return {row.uuid for row in rows if liveness.is_alive(row)}


def remove_dead_workers(engine: Engine) -> None:
    """Remove dead workers with their leases."""
    with engine.connect() as connection:
        rows = connection.execute(select(tables.workers)).all()
    # Only those seen to be dead: others may be registering at this moment.
    for row in [row for row in rows if not liveness.is_alive(row)]:
        # One that signs at this moment, and takes a lease again, is left to the next call.
        with suppress(IntegrityError), engine.begin() as connection:
            workers = tables.workers.c
            connection.execute(
                delete(tables.leases).where(tables.leases.c.worker_uuid == row.uuid)
            )
            is_silent = (workers.uuid == row.uuid) & (workers.seen == row.seen)
            connection.execute(delete(tables.workers).where(is_silent))


def leased_configurations(
    connection: Connection, study_uuid: str, *, but: Worker | None = None
) -> dict[str, int | None]:
    """Keys of leased configurations of a study, each with its trial's number if it has one.

    Args:
        connection: To the database.
        study_uuid: The study.
        but: A worker whose leases are left out.
    """
    columns = tables.leases.c
    condition = columns.study_uuid == study_uuid
    if but is not None:
        condition &= columns.worker_uuid != but.uuid
    rows = connection.execute(select(columns.point, columns.trial).where(condition))
    return {row.point: row.trial for row in rows}


def _is_lease(study_uuid: str, key: str, worker_uuid: str) -> Any:
    columns = tables.leases.c
    return (
        (columns.study_uuid == study_uuid)
        & (columns.point == key)
        & (columns.worker_uuid == worker_uuid)
    )


def _check_one_machine(connection: Connection) -> None:
    """Refuse a SQLite file that another machine works on: its locks hold on one machine only."""
    for row in connection.execute(select(tables.workers)):
        if not liveness.is_here(row) and liveness.is_alive(row):
            raise StorageError(
                f"workers on {row.host.split()[0]} use this SQLite file, which is safe on one "
                "machine only; for more take PostgreSQL (where they ended, or the file is a copy, "
                f"try again in {liveness.GRACE.seconds // 60} minutes)"
            )
