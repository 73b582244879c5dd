"""Several worker processes on one study: the coordinator registers it, starts them and sums up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psutil
from sqlalchemy.engine import make_url

from remix_study.errors import StorageError, UsageError
from remix_study.study.background import in_background
from remix_study.study.checks import check_study
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.runner import register_tasks, with_deadline
from remix_study.study.signals import Signals
from remix_study.study.storage import run_storage
from remix_study.study.task_preparation import prepare_tasks, search_tasks
from remix_study.study.trial_loop import WorkerLimits
from remix_study.studyfile.schema import Study
from remix_study.training.stacks import allowed_cores
from remix_study.workers.coordinator import Coordinator
from remix_study.workers.worker_process import WorkerProcess, stop_all
from remix_study.workers.worker_spec import WorkerSpec

DEFAULT_RECYCLE = 100
"""Trials of a worker process before another takes its place: TensorFlow's memory may grow."""

_POLL_SECONDS = 0.05
_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "panfs", "pvfs2", "smb3", "smbfs",
}  # fmt: skip


@dataclass(frozen=True)
class WorkerPool:
    """How many worker processes share a study, and what each may use.

    Attributes:
        workers: Number of processes.
        devices: What each may see: numbers of accelerators, which they take in turn, ``("cpu",)``
            for none, empty for all.
        recycle: Trials of a process before another takes its place; 0 for no limit.
        wait: Whether they stay while others still work, to take over what those leave.
    """

    workers: int
    devices: tuple[str, ...] = ()
    recycle: int = DEFAULT_RECYCLE
    wait: bool = False

    def environment(self, position: int) -> dict[str, str]:
        """Environment variables of the worker in a slot: its share of cores and its device."""
        device = self.devices[position % len(self.devices)] if self.devices else None
        return thread_environment(self.cores) | (device_environment(device) if device else {})

    @property
    def cores(self) -> int:
        """Cores of each worker."""
        return max(1, allowed_cores() // self.workers)


def thread_environment(cores: int) -> dict[str, str]:
    """Environment variables that limit the threads of linear algebra libraries."""
    libraries = ("OMP", "OPENBLAS", "MKL")
    return {f"{library}_NUM_THREADS": str(cores) for library in libraries}


def device_environment(devices: str) -> dict[str, str]:
    """Environment variables that show a backend some accelerators only.

    Backends look once, when they are imported.

    Args:
        devices: Numbers of accelerators such as ``0,1``, or ``cpu`` for none.
    """
    if devices == "cpu":
        return {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    return {"CUDA_VISIBLE_DEVICES": devices}


def check_worker_pool(study: Study, storage: str, pool: WorkerPool) -> None:
    """Refuse what several workers cannot do, before anything is loaded.

    Raises:
        UsageError: A problem has no data that another process could load.
        StorageError: A SQLite file where its locks may not hold.
    """
    if not all(spec.has_data for spec in study.problems):
        raise UsageError(
            f"{study.source}: workers load the data themselves; name a dataset, a file or images "
            "in every problem"
        )
    if pool.workers > 1 or pool.wait:
        check_filesystem(storage)


def check_filesystem(storage: str) -> None:
    """Refuse a SQLite file on a network file system, for several workers.

    Raises:
        StorageError: The file lies on a network file system.
    """
    url = make_url(storage)
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    kind = file_system(url.database)
    if kind in _NETWORK:
        raise StorageError(
            f"{url.database}: lies on a network file system ({kind}), where SQLite is not safe "
            "for several workers; put it on a local disk, or take PostgreSQL"
        )


def file_system(path: str) -> str:
    """Type of the file system of a path, "" where the system has no list of mounts."""
    try:
        mounts = psutil.disk_partitions(all=True)
    except OSError:
        return ""
    # Of several mounts on one folder the last one is visible.
    kinds = {Path(mount.mountpoint): mount.fstype for mount in mounts}
    real_path = Path(os.path.realpath(path))
    return next((kinds[at] for at in (real_path, *real_path.parents) if at in kinds), "")


RunWorkers = Callable[[Coordinator, WorkerSpec], None]
"""Starts the worker processes of a spec and handles their events until all have ended."""


def run_worker_pool(
    study: Study,
    pool: WorkerPool,
    *,
    storage: str,
    reporter: Reporter | None = None,
    signals: Signals | None = None,
    command: str = "",
    run_workers: RunWorkers | None = None,
) -> Summary:
    """Run every configuration of a study that is not complete, in processes of their own.

    Args:
        study: What to run.
        pool: The worker processes.
        storage: URL of the database.
        reporter: Receives the events of all workers.
        signals: A signal is passed on to the workers.
        command: Command line for the manifest.
        run_workers: Starts the workers; as processes of this machine where None.

    Raises:
        StudyFileError: The study file is wrong, or has changed since the study began.
        DataError: The data are missing or wrong.
        UsageError: A model of the user's own cannot be built or does not fit the data.
        StorageError: The database cannot be used.
        WorkersDied: Workers died before they began a trial.
    """
    reporter, signals = reporter or Reporter(), signals or Signals()
    limits = with_deadline(
        WorkerLimits(max_trials=pool.recycle, waits=pool.wait, retries_opening=True), study
    )
    check_study(study)
    check_worker_pool(study, storage, pool)
    task_groups = in_background(lambda: [search_tasks(t) for t in prepare_tasks(study)], signals)
    signals.check()
    with run_storage(storage, signals, reporter.note) as opened:
        schedules = register_tasks(opened, task_groups, signals)
        coordinator = Coordinator(schedules, reporter, signals, limits)
        if coordinator.begin():
            starts = {s.trials.task.name: s.trials.start for s in schedules}
            limits = replace(limits, starts=starts)
            spec = WorkerSpec.of(study, storage, command, pool.cores, limits)
            # The connection is unused while workers run, and a server may restart.
            opened.remove_session()
            opened.engine.dispose()
            run_workers = run_workers or partial(_run_on_this_machine, pool)
            run_workers(coordinator, spec)
        coordinator.finish()
    return coordinator.summary


def _run_on_this_machine(pool: WorkerPool, coordinator: Coordinator, spec: WorkerSpec) -> None:
    """Run the pool's processes on this machine to their end; stop them all on any error."""
    signals = coordinator.signals
    processes = [
        WorkerProcess(
            position,
            spec if position == 0 else spec.without_manifest(),
            pool.environment(position),
        )
        for position in range(pool.workers)
    ]
    try:
        for process in processes:
            process.start()
        while any(process.is_active for process in processes):
            signals.check()
            for process in processes:
                for event in process.poll_events() if process.is_active else ():
                    coordinator.handle_event(event)
            time.sleep(_POLL_SECONDS)
    except BaseException:
        # A second Ctrl-C must not leave a worker behind.
        with signals.critical():
            stop_all(processes)
        raise
