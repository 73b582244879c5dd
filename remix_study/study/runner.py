"""Running a study: everything its file plans and the database does not hold yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from remix_study.config import DEFAULT_STORAGE, Study
from remix_study.data.dataset import Dataset
from remix_study.loading import load_networks
from remix_study.signals import Signals
from remix_study.study.bench import prepare
from remix_study.study.catalog import enter
from remix_study.study.checks import check_study
from remix_study.study.claims import Worker
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.storage import database_errors, open_storage
from remix_study.study.trials import Trials
from remix_study.study.work import Work


def run(
    study: Study,
    *,
    storage: str = DEFAULT_STORAGE,
    data: Dataset | None = None,
    reporter: Reporter | None = None,
    signals: Signals | None = None,
    command: str = "",
) -> Summary:
    """Run every point of a study that is not complete.

    Args:
        study: What to run.
        storage: URL of the database.
        data: Data for problems that name none.
        reporter: Told what happens.
        signals: Keeps signals away while results are written.
        command: Command line for the manifest.

    Returns:
        What was done; nothing where the study is finished.

    Raises:
        StudyFileError: The study file or a change in it.
        DataError: The data.
        UsageError: A model of the user's own that cannot be built or does not fit the data.
        StorageError: The database.
    """
    check_study(study)
    benches = prepare(study, data)
    told, signals = reporter or Reporter(), signals or Signals()
    summary = Summary()
    signals.check()
    with _quiet_optuna(), database_errors(storage):
        with signals.critical():
            opened = open_storage(storage)
        try:
            # All problems are entered first, so that a change is refused before any training.
            problems = [Trials(opened, bench, enter(opened, bench)) for bench in benches]
            _load(study, problems, told, signals)
            with _employed(opened.engine, signals) as worker:
                for trials in problems:
                    Work(trials, worker, told, signals, summary).do(command)
                    trials.bench.free()
        finally:
            opened.remove_session()
            opened.engine.dispose()
    return summary


def _load(study: Study, problems: list[Trials], told: Reporter, signals: Signals) -> None:
    """Load Keras if there is anything to train."""
    unfinished = [trials for trials in problems if len(trials.complete()) < trials.total]
    signals.check()
    if unfinished:
        with told.loading(), signals.critical():
            load_networks()
    for trials in unfinished:
        # A model of the user's own is found wanting before any trial begins.
        trials.bench.network_parameters(study.model)


@contextmanager
def _employed(engine: Engine, signals: Signals) -> Iterator[Worker]:
    worker = Worker(engine)
    try:
        yield worker
    finally:
        with signals.critical():
            worker.leave()


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Optuna tells of every study it creates or opens; what matters is told by the reporter."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
