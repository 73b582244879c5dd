"""A worker's active trials: leased in the order of the plan, trained alone or side by side."""

from __future__ import annotations

import json
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Hashable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.errors import RemixStudyError
from remix_study.study import leases
from remix_study.study.background import in_background
from remix_study.study.configurations import program_key
from remix_study.study.database_errors import retry_transient
from remix_study.study.evaluation import (
    Evaluation,
    evaluate,
    evaluate_together,
)
from remix_study.study.extensions import Earlier
from remix_study.study.fold_blocks import Blocks
from remix_study.study.leases import Worker
from remix_study.study.optuna_tables import DIED
from remix_study.study.reporter import Reporter
from remix_study.study.schedule import MAX_TRIES, Schedule, finished, with_failures
from remix_study.study.scoring import MembersFailed
from remix_study.study.signals import Signals
from remix_study.study.trials import TakenOver, fail_trial

if TYPE_CHECKING:
    from optuna.trial import Trial


class TrainingCrashed(Exception):
    """Raised when training crashed, for example out of memory; a retry may succeed."""


@dataclass(eq=False)
class ActiveTrial:
    """A configuration this worker has leased, and its open Optuna trial.

    Attributes:
        key: Of the configuration, or of the slot of a search.
        label: Its name for people.
        trial: The trial, None before it begins and after it is closed.
        parameters: What it trains, once known.
        earlier: The repeats that it adds to; None where it trains all folds.
        result: Scores, once it is trained, or what ended this trial alone.
    """

    key: str
    label: str
    trial: Trial | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    earlier: Earlier | None = None
    result: Evaluation | MembersFailed | TakenOver | None = None


@dataclass(eq=False)
class ConfigurationQueue:
    """Leases a task's configurations to one worker, in the order of the plan.

    Attributes:
        schedule: What the task trains.
        worker: This process.
        times_lost: How often another worker has taken over a trial of this one, by key.
    """

    schedule: Schedule
    worker: Worker
    times_lost: Counter[str] = field(default_factory=Counter)

    def lease(self, max_trials: int | None) -> list[ActiveTrial]:
        """Lease the first configuration that is neither finished nor another worker's.

        Args:
            max_trials: How many at most, with those that train beside it; None for as many as one
                program trains.

        Returns:
            Trials that have not begun; none where nothing can be leased.
        """
        with self.schedule.trials.one_look():
            closed, unfinished = self._closed(), self.schedule.unfinished()
        for key in unfinished:
            if not closed(key) and self.schedule.can_begin(key) and self._acquire(key):
                keys = [key, *self._lease_companions(key, max_trials)]
                return [ActiveTrial(key, key) for key in keys]
        return []

    def _lease_companions(self, first: str, max_trials: int | None) -> list[str]:
        """Lease more configurations that one program trains with the first.

        Workers share what is open. A configuration that has failed is tried alone: it may have
        been the reason why the others crashed.
        """
        task = self.schedule.trials.task
        limit = task.trials_per_program
        if max_trials is not None:
            limit = min(limit, max_trials)
        if limit == 1:
            return []
        with self.schedule.trials.one_look():
            failed = with_failures(self.schedule)
            closed, repeats = self._closed(failed | {first}), self.schedule.repeats()
            unfinished = self.schedule.unfinished()
        if first in failed:
            return []
        with self.schedule.trials.storage.engine.connect() as connection:
            n_workers = max(1, len(leases.living_workers(connection)))
        # Those train the same folds that lack as many repeats.
        candidates = [
            key for key in unfinished if not closed(key) and repeats.get(key) == repeats.get(first)
        ]
        limit = min(limit, -(-(len(candidates) + 1) // n_workers))

        def program_of(key: str) -> Hashable:
            return program_key(task.configuration(json.loads(key)), task.samplers_on_device)

        program = program_of(first)
        companions: list[str] = []
        for key in candidates:
            if len(companions) + 1 == limit:
                break
            if program_of(key) == program and self._acquire(key):
                companions.append(key)
        return companions

    def _closed(self, chosen: Set[str] = frozenset()) -> Callable[[str], bool]:
        """Whether a key is not to be leased: one of ``chosen``, or finished, leased or lost."""
        with self.schedule.trials.storage.engine.connect() as connection:
            # Between trials this worker holds no lease, unless the answer to one was lost.
            leased = leases.leased_configurations(
                connection, self.schedule.trials.registered.uuid, but=self.worker
            )
        self.schedule.trials.keys |= {n: key for key, n in leased.items() if n is not None}
        lost = {key for key, times in self.times_lost.items() if times == MAX_TRIES}
        sets = leased.keys(), finished(self.schedule), lost, chosen
        return lambda key: any(key in keys for keys in sets)

    def _acquire(self, key: str) -> bool:
        """Lease a configuration; False where another worker has it, or has just finished it."""
        trials = self.schedule.trials
        if not self.worker.acquire(trials.registered.uuid, key):
            return False
        with trials.one_look():
            left_open = self._open_trials(key)
            is_finished = key in finished(self.schedule)
        # Who began such a trial was silent for too long, and may just have ended it.
        for trial_id in left_open:
            fail_trial(trials.storage, trial_id, DIED)
        if left_open:
            is_finished = key in finished(self.schedule)
        if not is_finished:
            return True
        self.worker.release(trials.registered.uuid, key)
        return False

    def _open_trials(self, key: str) -> list[int]:
        """Ids of RUNNING trials of a configuration."""
        trials = self.schedule.trials
        running, keys = trials.running(), trials.keys
        if all(row.number in keys for row in running):
            return [row.trial_id for row in running if keys[row.number] == key]
        of_key = [t for t in trials.in_state("RUNNING") if self.schedule.key_of(t) == key]
        return [trial._trial_id for trial in of_key]


def for_each(active: Sequence[ActiveTrial], action: Callable[[ActiveTrial], None]) -> None:
    """Apply an action to all trials, also after one has raised; then raise the first error."""
    errors: list[Exception] = []
    for trial in active:
        try:
            action(trial)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]


def train_trials(
    schedule: Schedule, active: Sequence[ActiveTrial], reporter: Reporter, signals: Signals
) -> None:
    """Train open trials, side by side if there are several, and give each its result.

    Raises:
        TrainingCrashed: Training raised something.
    """

    is_left = threading.Event()

    def on_epoch(members: int) -> None:
        signals.check()
        if is_left.is_set():
            raise KeyboardInterrupt
        reporter.epoch(members)

    task = schedule.trials.task
    try:
        if len(active) > 1:
            label = f"{active[0].label} and {len(active) - 1} beside it"
            first = task.configuration(active[0].parameters)
            (positions,) = _blocks(schedule, active[0])
            reporter.trial(label, len(active) * len(positions) * first.networks, first.epochs)
            parameters = [trial.parameters for trial in active]
            results = in_background(
                lambda: evaluate_together(task, parameters, on_epoch, positions), signals
            )
            for trial, result in zip(active, results, strict=True):
                trial.result = result
        elif active:
            active[0].result = _train_alone(schedule, active[0], reporter, signals, on_epoch)
        for trial in active:
            if trial.earlier and isinstance(trial.result, Evaluation):
                trial.result = trial.result.extending(trial.earlier, task.study.objectives)
    except RemixStudyError:
        raise
    except KeyboardInterrupt:
        is_left.set()
        raise
    except Exception as error:
        # Libraries may have turned a signal's exception into one of theirs.
        if signals.received is not None:
            raise
        # A program that failed may have left anything in memory.
        task.free()
        raise TrainingCrashed(_describe_crash(error)) from error


def _train_alone(
    schedule: Schedule,
    active: ActiveTrial,
    reporter: Reporter,
    signals: Signals,
    on_epoch: Callable[[int], None],
) -> Evaluation | MembersFailed | TakenOver:
    task, trial = schedule.trials.task, active.trial
    assert trial is not None
    blocks, rule = _blocks(schedule, active), schedule.pruning_rule(trial, active.key)
    configuration = task.configuration(active.parameters)
    n_networks = sum(map(len, blocks)) * configuration.networks
    reporter.trial(active.label, n_networks, configuration.epochs)

    def should_prune(scores: dict[int, float]) -> bool:
        return rule is not None and retry_transient(lambda: rule(scores), signals)

    try:
        return in_background(
            lambda: evaluate(
                task, active.parameters, on_epoch, blocks=blocks, should_prune=should_prune
            ),
            signals,
        )
    except (MembersFailed, TakenOver) as error:
        return error


def _blocks(schedule: Schedule, active: ActiveTrial) -> Blocks:
    """Positions of the folds that an open trial trains, block by block."""
    if active.earlier is None:
        return schedule.blocks(active.key)
    return (active.earlier.added(schedule.trials.task.folds),)


def describe_error(error: BaseException) -> str:
    """An exception in one line."""
    if isinstance(error, RemixStudyError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()


def _describe_crash(error: Exception) -> str:
    """What training raised, and the line that raised it."""
    if isinstance(error, MemoryError):
        return "out of memory"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{describe_error(error)}{place}"
