"""A worker's active trials, trained alone or side by side."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.errors import RemixStudyError
from remix_study.study.background import in_background
from remix_study.study.database_errors import retry_transient
from remix_study.study.evaluation import (
    Evaluation,
    evaluate,
    evaluate_together,
)
from remix_study.study.extensions import Earlier
from remix_study.study.fold_blocks import Blocks
from remix_study.study.reporter import Reporter
from remix_study.study.schedule import Schedule
from remix_study.study.scoring import MembersFailed
from remix_study.study.signals import Signals
from remix_study.study.trials import TakenOver

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
