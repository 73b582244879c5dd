"""Running a study: all configurations that its file plans and the database lacks."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import optuna
from sqlalchemy import Engine

from remix_study.data.dataset import Dataset
from remix_study.study.checks import check_study
from remix_study.study.database_errors import database_errors
from remix_study.study.leases import Worker
from remix_study.study.nested_search import register_tasks
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.retry import retry_transient
from remix_study.study.search_tasks import search_tasks
from remix_study.study.signals import Signals
from remix_study.study.storage import closing, open_storage
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.trial_loop import TrialLoop
from remix_study.study.trial_status import complete_configurations
from remix_study.study.trials import Trials
from remix_study.study.worker_limits import WorkerLimits
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
        all_trials = register_tasks(opened, task_groups, signals, limits.starts)
        _load_networks(study, all_trials, reporter, signals)
        with _registered_worker(opened.engine, signals) as worker:
            loops = [
                TrialLoop(trials, worker, reporter, signals, summary, limits)
                for trials in all_trials
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
    for loop in loops:
        others_work |= loop.run(command)
        if loop.trials.task.role != "references":
            # The search that follows references uses their rows and programs.
            loop.trials.task.free()
        if loop.summary.recycled:
            break
    return others_work


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
    study: Study, all_trials: list[Trials], reporter: Reporter, signals: Signals
) -> None:
    """Load Keras if there is anything to train."""
    unfinished = [
        trials for trials in all_trials if len(complete_configurations(trials)) < trials.total
    ]
    signals.check()
    if unfinished:
        with reporter.loading(), signals.critical():
            load_networks()
    for trials in unfinished:
        # Reports an unusable model of the user's own before any trial begins.
        trials.task.network_parameters(study.model)


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
