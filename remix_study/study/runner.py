"""Running a study: everything its file plans and the database does not hold yet."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from remix_study.data.dataset import Dataset
from remix_study.study.checks import check_study
from remix_study.study.leases import Worker
from remix_study.study.nested_search import entered
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.retry import patiently
from remix_study.study.search_tasks import family
from remix_study.study.signals import Signals
from remix_study.study.storage import database_errors, open_storage
from remix_study.study.task import prepare
from remix_study.study.trial_loop import TrialLoop
from remix_study.study.trial_status import complete
from remix_study.study.trials import Trials
from remix_study.study.worker_limits import WorkerLimits
from remix_study.studyfile.schema import DEFAULT_STORAGE, Study
from remix_study.training.backend import load_networks

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

# Seconds between two looks at what others still work on.
_LOOK = 3.0


def run(
    study: Study,
    *,
    storage: str = DEFAULT_STORAGE,
    data: Dataset | None = None,
    reporter: Reporter | None = None,
    signals: Signals | None = None,
    command: str = "",
    terms: WorkerLimits | None = None,
    cores: int = 0,
) -> Summary:
    """Run every point of a study that is not complete.

    Args:
        study: What to run.
        storage: URL of the database.
        data: Data for problems that name none.
        reporter: Told what happens.
        signals: Keeps signals away while results are written.
        command: Command line for the manifest.
        terms: When this process has done its part; when nothing is left to claim.
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
    families = [family(task) for task in prepare(study, data, cores=cores)]
    told, signals, terms = reporter or Reporter(), signals or Signals(), terms or WorkerLimits()
    summary = Summary()
    signals.check()
    with opened_storage(storage, signals, patient=terms.patient) as opened:
        # All problems are entered first, so that a change is refused before any training.
        problems = entered(opened, families, signals, terms.starts)
        _load(study, problems, told, signals)
        with _employed(opened.engine, signals) as worker:
            works = [
                TrialLoop(trials, worker, told, signals, summary, terms) for trials in problems
            ]
            while _others_work(works, command) and not summary.recycled:
                if not (terms.wait or any(work.waits for work in works)):
                    break
                signals.check()
                time.sleep(_LOOK)
            for work in works:
                work.finish()
    return summary


def _others_work(works: list[TrialLoop], command: str) -> bool:
    """Do all that can be claimed; whether others still work on something."""
    left = False
    for work in works:
        left |= work.do(command)
        if work.trials.task.role != "references":
            # The search beside them has their rows and programs.
            work.trials.task.free()
        if work.summary.recycled:
            break
    return left


@contextmanager
def opened_storage(url: str, signals: Signals, *, patient: bool = False) -> Iterator[RDBStorage]:
    """The database of a run, closed in the end; what its driver says is a StorageError.

    Args:
        url: Where it is.
        signals: Kept away while tables are made.
        patient: Whether to wait where it is away.
    """
    with quiet_optuna(), database_errors(url):
        with signals.critical():
            opened = (
                patiently(lambda: open_storage(url), signals) if patient else open_storage(url)
            )
        try:
            yield opened
        finally:
            opened.remove_session()
            opened.engine.dispose()


def _load(study: Study, problems: list[Trials], told: Reporter, signals: Signals) -> None:
    """Load Keras if there is anything to train."""
    unfinished = [trials for trials in problems if len(complete(trials)) < trials.total]
    signals.check()
    if unfinished:
        with told.loading(), signals.critical():
            load_networks()
    for trials in unfinished:
        # A model of the user's own is found wanting before any trial begins.
        trials.task.network_parameters(study.model)


@contextmanager
def _employed(engine: Engine, signals: Signals) -> Iterator[Worker]:
    worker = patiently(lambda: Worker(engine), signals)
    try:
        yield worker
    finally:
        with signals.critical():
            patiently(worker.leave, signals)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Optuna tells of every study it creates or opens; what matters is told by the reporter."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    # A connection that breaks is an error of ours in one line; its pool would add a traceback.
    pools = logging.getLogger("sqlalchemy.pool")
    level = pools.level
    pools.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        pools.setLevel(level)
        optuna.logging.set_verbosity(before)
