"""Several workers on one study: one parent begins it, follows them, and sums up."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from remix_study.errors import UsageError
from remix_study.study.checks import check_study
from remix_study.study.filesystem import check_place
from remix_study.study.nested_search import entered
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.runner import opened_storage
from remix_study.study.search_tasks import family
from remix_study.study.signals import Signals
from remix_study.study.task import prepare
from remix_study.study.worker_limits import WorkerLimits
from remix_study.studyfile.schema import Study
from remix_study.training import cores
from remix_study.workers.coordinator import Coordinator
from remix_study.workers.worker_process import WorkerProcess
from remix_study.workers.worker_spec import WorkerSpec

RECYCLE = 100
"""Trials of a worker process before another takes its place: TensorFlow's memory may grow."""

_PAUSE = 0.05
# What says a linear algebra library how many threads to start.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class WorkerPool:
    """How many work, and on what.

    Attributes:
        workers: Processes.
        devices: What each may see: numbers of accelerators that they take in turn, ``("cpu",)``
            for none, nothing for all.
        recycle: Trials of a process before another takes its place; 0 for no end.
        wait: Whether they stay while others still work, to take over what those leave.
    """

    workers: int
    devices: tuple[str, ...] = ()
    recycle: int = RECYCLE
    wait: bool = False

    def environment(self, position: int) -> dict[str, str]:
        """What the worker at a position finds in its environment."""
        found = dict.fromkeys(_THREADS, str(self.cores))
        if self.devices:
            found |= seen(self.devices[position % len(self.devices)])
        return found

    @property
    def cores(self) -> int:
        """Cores for each."""
        return max(1, cores.allowed() // self.workers)


def seen(device: str) -> dict[str, str]:
    """The environment in which a backend finds one device; it looks once, when imported."""
    found = {"CUDA_VISIBLE_DEVICES": "-1" if device == "cpu" else device}
    return found | ({"JAX_PLATFORMS": "cpu"} if device == "cpu" else {})


def check_worker_pool(study: Study, storage: str, crew: WorkerPool) -> None:
    """Refuse what several workers cannot do, before anything is loaded.

    Raises:
        UsageError: A problem has no data that another process could load.
        StorageError: A SQLite file where its locks may not hold.
    """
    if not all(spec.dataset or spec.file or spec.images for spec in study.problems):
        raise UsageError(
            f"{study.source}: workers load the data themselves; name a dataset, a file or images "
            "in every problem"
        )
    if crew.workers > 1 or crew.wait:
        check_place(storage)


Follow = Callable[[Coordinator, WorkerSpec], None]
"""Starts the workers of an order and follows them to the end."""


def run_worker_pool(
    study: Study,
    crew: WorkerPool,
    *,
    storage: str,
    reporter: Reporter | None = None,
    signals: Signals | None = None,
    command: str = "",
    follow: Follow | None = None,
) -> Summary:
    """Run every point of a study that is not complete, in processes of their own.

    Args:
        study: What to run.
        crew: Who works.
        storage: URL of the database.
        reporter: Told what happens.
        signals: One that comes is passed on to the workers.
        command: Command line for the manifest.
        follow: Starts the workers; as processes of this machine where None.

    Raises:
        StudyFileError: The study file or a change in it.
        DataError: The data.
        UsageError: A model of the user's own that cannot be built or does not fit the data.
        StorageError: The database.
        WorkersDied: Workers die before they begin a trial.
    """
    signals = signals or Signals()
    check_study(study)
    check_worker_pool(study, storage, crew)
    families = [family(task) for task in prepare(study)]
    signals.check()
    with opened_storage(storage, signals) as opened:
        problems = {trials.task.name: trials for trials in entered(opened, families, signals)}
        parent = Coordinator(problems, reporter or Reporter(), signals)
        if parent.begin():
            starts = {name: trials.start for name, trials in problems.items()}
            terms = WorkerLimits(most=crew.recycle, wait=crew.wait, starts=starts, patient=True)
            order = WorkerSpec.of(study, storage, command, crew.cores, terms)
            # Nobody needs this connection meanwhile, and a server may restart.
            opened.remove_session()
            opened.engine.dispose()
            (follow or (lambda parent, order: _follow(crew, parent, order)))(parent, order)
        parent.finish()
    return parent.summary


def _follow(crew: WorkerPool, parent: Coordinator, order: WorkerSpec) -> None:
    """Follow processes of this machine, or stop them all."""
    signals = parent.signals
    seats = [
        WorkerProcess(
            position, order if position == 0 else order.following(), crew.environment(position)
        )
        for position in range(crew.workers)
    ]
    try:
        for seat in seats:
            seat.start()
        while any(seat.taken for seat in seats):
            signals.check()
            for seat in seats:
                for event in seat.tend() if seat.taken else ():
                    parent.hear(event)
            time.sleep(_PAUSE)
    except BaseException:
        # A second Ctrl-C must not leave a worker behind.
        with signals.critical():
            stop(seats, signals.received or signal.SIGTERM)
        raise


def stop(seats: Sequence[WorkerProcess], number: int = signal.SIGTERM) -> None:
    """Stop the processes of all seats."""
    for seat in seats:
        seat.stop(number)
    for seat in seats:
        seat.wait()
