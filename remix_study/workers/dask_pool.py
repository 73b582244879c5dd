"""Workers on a Dask cluster that the user has: Dask places them, the database holds all state."""

from __future__ import annotations

import logging
import queue
import time
import uuid
from asyncio import CancelledError
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import make_url

from remix_study.errors import StorageError, UsageError, WorkersDied
from remix_study.study.leases import machine
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.signals import Signals
from remix_study.studyfile.schema import Study
from remix_study.workers.coordinator import Coordinator
from remix_study.workers.pool import WorkerPool, run_worker_pool
from remix_study.workers.worker_process import WorkerProcess
from remix_study.workers.worker_spec import Event, WorkerSpec

if TYPE_CHECKING:
    from distributed import Client, Future

# Seconds to find the scheduler, between two looks at it, and for workers to stop in.
_CONNECT, _LOOK, _PARTING = "10s", 1.0, 40.0
_PAUSE = 0.1


def run_on_dask(
    study: Study,
    crew: WorkerPool,
    address: str,
    *,
    storage: str,
    reporter: Reporter | None = None,
    signals: Signals | None = None,
    command: str = "",
) -> Summary:
    """Run a study with workers on a Dask cluster; each is a process beside a Dask worker.

    Args:
        study: What to run; its data and own models must be found on the cluster, too.
        crew: How many workers; one a Dask worker where it says 0.
        address: The scheduler's address, such as ``tcp://10.0.0.1:8786``.
        storage: URL of the database, which the cluster's machines must reach.
        reporter: Told what happens.
        signals: One that comes stops the workers.
        command: Command line for the manifest.

    Raises:
        UsageError: Dask is not installed, its scheduler does not answer or has no workers.
        StorageError: A SQLite file, and Dask workers on other machines.
        RemixStudyError: As :func:`remix_study.workers.pool.run_crew`.
    """
    client = _connect(address)
    try:
        places = _machines(client, address)
        if not places:
            raise UsageError(f"--dask {address}: the cluster has no workers yet; start some")
        if make_url(storage).get_backend_name() == "sqlite" and set(places.values()) - {machine()}:
            raise StorageError(
                f"{storage}: the Dask workers are on other machines, and SQLite is safe on one "
                "only; take PostgreSQL"
            )
        crew = replace(crew, workers=crew.workers or len(places))
        follow = partial(_follow, client, crew, list(places))
        return run_worker_pool(
            study,
            crew,
            storage=storage,
            reporter=reporter,
            signals=signals,
            command=command,
            follow=follow,
        )
    finally:
        client.close()


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            'Dask is not installed; install it with pip install "remix-study[dask]"'
        ) from error
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        return Client(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {address}: no scheduler answers ({error})") from error


def _machines(client: Client, address: str) -> dict[str, str]:
    """Which machine each Dask worker is on."""
    try:
        return dict(client.run(machine))
    except Exception as error:
        # Whatever goes wrong there comes back here.
        raise UsageError(
            f"--dask {address}: its workers cannot use remix_study ({error}); install the same "
            "version there"
        ) from error


def _outcomes(seats: list[Future]) -> None:
    for seat in seats:
        try:
            seat.result()
        except (Exception, CancelledError) as error:
            raise WorkersDied(
                f"Dask has lost a worker ({error}); run the same command to go on"
            ) from error


def _follow(
    client: Client, crew: WorkerPool, places: list[str], parent: Coordinator, order: WorkerSpec
) -> None:
    from distributed import Event as Flag

    heard: queue.Queue[Event] = queue.Queue()
    name = f"remix-study-{uuid.uuid4()}"
    client.subscribe_topic(name, lambda event: heard.put(event[1]))
    stop, signals = Flag(name, client=client), parent.signals
    seats = [
        client.submit(
            sit,
            name,
            position,
            order if position == 0 else order.following(),
            crew.environment(position),
            workers=[places[position % len(places)]],
            allow_other_workers=True,
            pure=False,
            key=f"{name}-{position}",
        )
        for position in range(crew.workers)
    ]
    try:
        while not all(seat.done() for seat in seats) or not heard.empty():
            signals.check()
            _tell(parent, heard)
        _outcomes(seats)
        # Dask brings events on another way than results.
        time.sleep(_PAUSE)
        _tell(parent, heard)
    except BaseException:
        with signals.critical():
            stop.set()
            end = time.monotonic() + _PARTING
            while not all(seat.done() for seat in seats) and time.monotonic() < end:
                time.sleep(_PAUSE)
        raise
    finally:
        client.unsubscribe_topic(name)


def _tell(parent: Coordinator, heard: queue.Queue[Event]) -> None:
    try:
        parent.hear(heard.get(timeout=_PAUSE))
    except queue.Empty:
        return


def sit(name: str, position: int, order: WorkerSpec, environment: dict[str, str]) -> None:
    """A task on a Dask worker: keep one worker process going to its end.

    Args:
        name: Where events go, and the flag that stops all.
        position: Which seat.
        order: What its processes do.
        environment: What they find in their environment.
    """
    from distributed import Event as Flag
    from distributed import get_client, get_worker

    worker: Any = get_worker()
    stop, looked = Flag(name, client=get_client()), time.monotonic()
    cores = replace(order, cores=worker.state.nthreads)
    seat = WorkerProcess(position, cores, environment)
    seat.start()
    try:
        while seat.taken:
            for event in seat.tend():
                worker.log_event(name, event)
            if time.monotonic() - looked > _LOOK:
                looked = time.monotonic()
                if stop.is_set():
                    return
            time.sleep(_PAUSE)
    finally:
        seat.stop()
        seat.wait()
