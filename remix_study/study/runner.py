"""Running a study: all configurations that its file plans and the database lacks."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import optuna
from sqlalchemy import Engine

from remix_study.data.dataset import Dataset
from remix_study.study.checks import check_study
from remix_study.study.database_errors import database_errors
from remix_study.study.leases import Worker
from remix_study.study.registration import register_study
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.retry import retry_transient
from remix_study.study.schedule import Schedule
from remix_study.study.schedules import make_schedules
from remix_study.study.search_tasks import search_tasks
from remix_study.study.signals import Signals
from remix_study.study.storage import closing, open_storage
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.trial_loop import TrialLoop, WorkerLimits
from remix_study.study.trials import Start, Trials
from remix_study.studyfile.schema import DEFAULT_STORAGE, Study
from remix_study.training.backend import load_networks

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

# Seconds between two looks at what others still work on.
_POLL_SECONDS = 3.0


def run(
    study: Study,
    *,
    storage: str = DEFAULT_STORAGE,
    data: Dataset | None = None,
    reporter: Reporter | None = None,
    signals: Signals | None = None,
    command: str = "",
    limits: WorkerLimits | None = None,
    cores: int = 0,
) -> Summary:
    """Run every configuration of a study that is not complete.

    Args:
        study: What to run.
        storage: URL of the database.
        data: Data for problems that name none.
        reporter: Receives the events.
        signals: Keeps signals away while results are written.
        command: Command line for the manifest.
        limits: When this process ends; when nothing is left to lease by default.
        cores: Cores that training may use on a CPU; 0 for all that this process may use.

    Returns:
        What was done; nothing where the study is finished.

    Raises:
        StudyFileError: The study file or a change in it.
        DataError: The data.
        UsageError: A model of the user's own that cannot be built or does not fit the data.
        StorageError: The database.
    """
    check_study(study)
    task_groups = [search_tasks(task) for task in prepare_tasks(study, data, cores=cores)]
    reporter, signals = reporter or Reporter(), signals or Signals()
    limits, summary = limits or WorkerLimits(), Summary()
    signals.check()
    with run_storage(storage, signals, retry=limits.retries_opening) as opened:
        # All tasks are registered first, so that a change is refused before any training.
        schedules = register_tasks(opened, task_groups, signals, limits.starts)
        _load_networks(study, schedules, reporter, signals)
        with _registered_worker(opened.engine, signals) as worker:
            loops = [
                TrialLoop(schedule, worker, reporter, signals, summary, limits)
                for schedule in schedules
            ]
            while _run_loops(loops, command) and not summary.recycled:
                if not (limits.waits or any(loop.waits_for_baseline for loop in loops)):
                    break
                signals.check()
                time.sleep(_POLL_SECONDS)
            for loop in loops:
                loop.finish()
    return summary


def _run_loops(loops: list[TrialLoop], command: str) -> bool:
    """Train all that can be leased; returns whether others still work on something."""
    others_work = False
    for loop, following in zip(loops, [*loops[1:], None], strict=True):
        others_work |= loop.run(command)
        task = loop.trials.task
        # The search that follows its references uses their rows and programs.
        if following is None or not task.shares_engines(following.trials.task):
            task.free()
        if loop.summary.recycled:
            break
    return others_work


def register_tasks(
    storage: RDBStorage,
    task_groups: Sequence[Sequence[Task]],
    signals: Signals,
    starts: Mapping[str, Start] | None = None,
) -> list[Schedule]:
    """Register the tasks of all problems in the database.

    Args:
        storage: The database.
        task_groups: One group a problem, as :func:`remix_study.study.search_tasks.search_tasks`
            returns it.
        signals: Checked while the program waits for a database.
        starts: State of the tasks when the run began, by name; the present state for others.

    Returns:
        The schedule of each task, in the order in which they run.

    Raises:
        StudyFileError: A change in the study file that its studies do not allow.
    """
    schedules = []
    for tasks in task_groups:
        group = [
            Trials(storage, task, retry_transient(partial(register_study, storage, task), signals))
            for task in tasks
        ]
        schedules += make_schedules(group, starts)
    return schedules


@contextmanager
def run_storage(url: str, signals: Signals, *, retry: bool = False) -> Iterator[RDBStorage]:
    """Open a database for a run and close it in the end; errors of its driver become StorageError.

    Args:
        url: Where it is.
        signals: Kept away while tables are made.
        retry: Whether to wait for a database that cannot be opened yet.
    """
    with quiet_optuna(), database_errors(url):
        with signals.critical():
            storage = (
                retry_transient(lambda: open_storage(url), signals) if retry else open_storage(url)
            )
        with closing(storage):
            yield storage


def _load_networks(
    study: Study, schedules: list[Schedule], reporter: Reporter, signals: Signals
) -> None:
    """Load Keras if there is anything to train."""
    unfinished = [schedule for schedule in schedules if schedule.n_complete() < schedule.total]
    signals.check()
    if unfinished:
        with reporter.loading(), signals.critical():
            load_networks()
    for schedule in unfinished:
        # Reports an unusable model of the user's own before any trial begins.
        schedule.trials.task.network_parameters(study.model)


@contextmanager
def _registered_worker(engine: Engine, signals: Signals) -> Iterator[Worker]:
    worker = retry_transient(lambda: Worker(engine), signals)
    try:
        yield worker
    finally:
        with signals.critical():
            retry_transient(worker.unregister, signals)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hide Optuna's messages on studies it creates or opens; reporters tell what matters."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(verbosity, optuna.logging.WARNING))
    # A connection that breaks is a one-line error of ours; its pool would add a traceback.
    pools = logging.getLogger("sqlalchemy.pool")
    level = pools.level
    pools.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        pools.setLevel(level)
        optuna.logging.set_verbosity(verbosity)
