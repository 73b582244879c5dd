"""Worker processes on a Dask cluster of the user's: Dask places them, the database holds state."""

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
from remix_study.study.leases import machine_id
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.signals import Signals
from remix_study.studyfile.schema import Study
from remix_study.workers.coordinator import Coordinator
from remix_study.workers.pool import WorkerPool, run_worker_pool, thread_environment
from remix_study.workers.worker_process import WorkerProcess
from remix_study.workers.worker_spec import Event, WorkerSpec

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_TIMEOUT = "10s"
# Seconds between two looks of a worker at the flag that stops it.
_STOP_POLL_SECONDS = 1.0
# Seconds for the processes on the cluster to stop.
_STOP_SECONDS = 40.0
_POLL_SECONDS = 0.1


def run_on_dask(
    study: Study,
    pool: WorkerPool,
    address: str,
    *,
    storage: str,
    reporter: Reporter | None = None,
    signals: Signals | None = None,
    command: str = "",
) -> Summary:
    """Run a study with worker processes on a Dask cluster, each beside a Dask worker.

    Args:
        study: What to run; its data and own models must be found on the cluster, too.
        pool: The worker processes; one for each Dask worker where ``pool.workers`` is 0.
        address: The scheduler's address, such as ``tcp://10.0.0.1:8786``.
        storage: URL of the database, which the cluster's machines must reach.
        reporter: Receives the events of all workers.
        signals: A signal stops the workers.
        command: Command line for the manifest.

    Raises:
        UsageError: Dask is not installed, or its scheduler does not answer or has no workers.
        StorageError: The database is a SQLite file, and Dask workers are on other machines.
        RemixStudyError: As :func:`remix_study.workers.pool.run_worker_pool`.
    """
    client = _connect(address)
    try:
        machines = _machines_of_workers(client, address)
        if not machines:
            raise UsageError(f"--dask {address}: the cluster has no workers yet; start some")
        is_elsewhere = bool(set(machines.values()) - {machine_id()})
        if make_url(storage).get_backend_name() == "sqlite" and is_elsewhere:
            raise StorageError(
                f"{storage}: the Dask workers are on other machines, and SQLite is safe on one "
                "only; take PostgreSQL"
            )
        pool = replace(pool, workers=pool.workers or len(machines))
        return run_worker_pool(
            study,
            pool,
            storage=storage,
            reporter=reporter,
            signals=signals,
            command=command,
            run_workers=partial(_run_on_cluster, client, pool, list(machines)),
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
        return Client(address, timeout=_CONNECT_TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {address}: no scheduler answers ({error})") from error


def _machines_of_workers(client: Client, address: str) -> dict[str, str]:
    """Map the address of each Dask worker to its machine."""
    try:
        return dict(client.run(machine_id))
    except Exception as error:
        # Dask raises here whatever its workers raised.
        raise UsageError(
            f"--dask {address}: its workers cannot use remix_study ({error}); install the same "
            "version there"
        ) from error


def _run_on_cluster(
    client: Client,
    pool: WorkerPool,
    addresses: list[str],
    coordinator: Coordinator,
    spec: WorkerSpec,
) -> None:
    """Run the pool's slots as Dask tasks to their end; stop them all on any error."""
    from distributed import Event as Flag

    events: queue.Queue[Event] = queue.Queue()
    topic = f"remix-study-{uuid.uuid4()}"
    client.subscribe_topic(topic, lambda message: events.put(message[1]))
    stop, signals = Flag(topic, client=client), coordinator.signals
    futures = [
        client.submit(
            run_worker_process,
            topic,
            position,
            spec if position == 0 else spec.without_manifest(),
            pool.environment(position),
            workers=[addresses[position % len(addresses)]],
            allow_other_workers=True,
            pure=False,
            key=f"{topic}-{position}",
        )
        for position in range(pool.workers)
    ]
    try:
        while not all(future.done() for future in futures) or not events.empty():
            signals.check()
            _handle_next_event(coordinator, events)
        _raise_lost_workers(futures)
        # Dask sends events on another way than results: the last may come later.
        time.sleep(_POLL_SECONDS)
        _handle_next_event(coordinator, events)
    except BaseException:
        with signals.critical():
            stop.set()
            end = time.monotonic() + _STOP_SECONDS
            while not all(future.done() for future in futures) and time.monotonic() < end:
                time.sleep(_POLL_SECONDS)
        raise
    finally:
        client.unsubscribe_topic(topic)


def _handle_next_event(coordinator: Coordinator, events: queue.Queue[Event]) -> None:
    try:
        coordinator.handle_event(events.get(timeout=_POLL_SECONDS))
    except queue.Empty:
        return


def _raise_lost_workers(futures: list[Future]) -> None:
    for future in futures:
        try:
            future.result()
        except (Exception, CancelledError) as error:
            raise WorkersDied(
                f"Dask has lost a worker ({error}); run the same command to go on"
            ) from error


def run_worker_process(
    topic: str, position: int, spec: WorkerSpec, environment: dict[str, str]
) -> None:
    """Keep one slot of the pool filled to its end, as a task on a Dask worker.

    Args:
        topic: Dask topic of the events, and name of the flag that stops all slots.
        position: The slot's position in the pool, from 0.
        spec: What its processes do.
        environment: Environment variables of its processes.
    """
    from distributed import Event as Flag
    from distributed import get_client, get_worker

    dask_worker: Any = get_worker()
    stop, last_look = Flag(topic, client=get_client()), time.monotonic()
    # Its threads, not a share of the cores of the machine that the command runs on.
    cores = dask_worker.state.nthreads
    environment = environment | thread_environment(cores)
    process = WorkerProcess(position, replace(spec, cores=cores), environment)
    process.start()
    try:
        while process.is_active:
            for event in process.poll_events():
                dask_worker.log_event(topic, event)
            if time.monotonic() - last_look > _STOP_POLL_SECONDS:
                last_look = time.monotonic()
                if stop.is_set():
                    return
            time.sleep(_POLL_SECONDS)
    finally:
        process.stop()
        process.wait()
