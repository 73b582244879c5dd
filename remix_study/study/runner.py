"""Running what a study file plans and the database lacks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from remix_study.data.dataset import Dataset
from remix_study.study.background import in_background
from remix_study.study.checks import check_study
from remix_study.study.database_errors import OPENING_SECONDS, RETRY_SECONDS, retry_transient
from remix_study.study.leases import Worker
from remix_study.study.lost_studies import LostStudies
from remix_study.study.registration import add_work, open_study
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.schedule import Schedule
from remix_study.study.schedules import make_schedules
from remix_study.study.signals import Signals
from remix_study.study.size_check import size_notes
from remix_study.study.storage import run_storage
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks, search_tasks
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

    Raises:
        StudyFileError: The study file or a change in it.
        DataError: The data.
        UsageError: A model of the user's own that cannot be built or does not fit the data.
        StorageError: The database.
    """
    limits = with_deadline(limits or WorkerLimits(), study)
    check_study(study)
    task_groups = in_background(
        lambda: [search_tasks(task) for task in prepare_tasks(study, data, cores=cores)],
        signals,
    )
    reporter, signals = reporter or Reporter(), signals or Signals()
    summary = Summary()
    signals.check()
    seconds = RETRY_SECONDS if limits.retries_opening else OPENING_SECONDS
    with run_storage(storage, signals, reporter.note, seconds) as opened:
        # All tasks are registered first, so that a change is refused before any training.
        schedules = register_tasks(opened, task_groups, signals, limits.starts)
        _load_networks(schedules, reporter, signals)
        with _registered_worker(opened.engine, signals) as worker:
            loops = [
                TrialLoop(schedule, worker, reporter, signals, summary, limits)
                for schedule in schedules
            ]
            lost = LostStudies(schedules, reporter, summary)
            while _run_loops(loops, command, lost) and not (summary.recycled or summary.timed_out):
                if not (limits.waits or any(loop.waits_for_baseline for loop in loops)):
                    break
                signals.check()
                time.sleep(_POLL_SECONDS)
            for loop in loops:
                lost.attempt(loop.schedule, loop.finish, None)
    return summary


def with_deadline(limits: WorkerLimits, study: Study) -> WorkerLimits:
    """The limits with the deadline of a run that begins now, unless they have one."""
    timeout = study.search.timeout
    if timeout is None or limits.deadline is not None:
        return limits
    return replace(limits, deadline=time.time() + timeout)


def _run_loops(loops: list[TrialLoop], command: str, lost: LostStudies) -> bool:
    """Train all that can be leased; returns whether others still work on something."""
    others_work = False
    for loop, following in zip(loops, [*loops[1:], None], strict=True):
        others_work |= lost.attempt(loop.schedule, partial(loop.run, command), False)
        task = loop.trials.task
        # The search that follows its references uses their rows and programs.
        if following is None or not task.shares_engines(following.trials.task):
            task.free()
        if loop.summary.recycled or loop.summary.timed_out:
            break
    return others_work


def register_tasks(
    storage: RDBStorage,
    task_groups: Sequence[Sequence[Task]],
    signals: Signals,
    starts: Mapping[str, Start] | None = None,
) -> list[Schedule]:
    """Register the tasks of all problems in the database, one group a problem.

    Args:
        storage: The database.
        task_groups: The tasks of each problem, in the order in which they run.
        signals: Checked while the program waits for a database.
        starts: State of the tasks when the run began, by name; the present state for others.

    Raises:
        StudyFileError: A change in the study file that its studies do not allow.
    """
    # What a file adds is noted once nothing in it is refused.
    groups = [
        [
            Trials(storage, task, retry_transient(partial(open_study, storage, task), signals))
            for task in tasks
        ]
        for tasks in task_groups
    ]
    schedules = []
    for group in groups:
        for trials in group:
            added = partial(add_work, storage, trials.task, trials.registered)
            retry_transient(added, signals)
        schedules += retry_transient(partial(make_schedules, group, starts), signals)
    return schedules


def _load_networks(schedules: list[Schedule], reporter: Reporter, signals: Signals) -> None:
    """Load Keras if there is anything to train; refuse here what cannot be built or held."""
    unfinished = [
        schedule
        for schedule in schedules
        if retry_transient(schedule.n_complete, signals) < schedule.total
    ]
    signals.check()
    if not unfinished:
        return
    with reporter.loading():
        in_background(load_networks, signals)
    for note in size_notes([schedule.trials.task for schedule in unfinished]):
        reporter.note(note)


@contextmanager
def _registered_worker(engine: Engine, signals: Signals) -> Iterator[Worker]:
    identity = str(uuid.uuid4())
    worker = retry_transient(lambda: Worker(engine, identity=identity), signals)
    try:
        yield worker
    finally:
        with signals.critical():
            retry_transient(worker.unregister, signals)
