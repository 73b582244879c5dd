"""Training the leased configurations of a worker whose trials are open."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.errors import RemixStudyError
from remix_study.study.configurations import configuration_of
from remix_study.study.evaluation import (
    Evaluation,
    MembersFailed,
    evaluate,
    evaluate_together,
)
from remix_study.study.pruning import pruning_rule
from remix_study.study.reporter import Reporter
from remix_study.study.retry import retry_transient
from remix_study.study.signals import Signals
from remix_study.study.trials import TakenOver, Trials

if TYPE_CHECKING:
    from optuna.trial import Trial


class TrainingCrashed(Exception):
    """Raised when training crashed, for example out of memory; a retry may succeed."""


@dataclass(eq=False)
class ActiveTrial:
    """A configuration this worker has leased, and its open Optuna trial.

    Attributes:
        key: Of the configuration, or of the slot of a search.
        slot: The slot; None for a configuration of a grid.
        label: Its name for people.
        trial: The trial, None before it begins and after it is closed.
        parameters: What it trains, once known.
    """

    key: str
    slot: int | None
    label: str
    trial: Trial | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


TrialResult = Evaluation | MembersFailed | TakenOver
"""Scores of a trial, or what ended this trial alone."""


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
    trials: Trials, active: Sequence[ActiveTrial], reporter: Reporter, signals: Signals
) -> Sequence[TrialResult]:
    """Train configurations, side by side if there are several.

    Args:
        trials: Of their task.
        active: With an open trial each.
        reporter: Receives the epochs.
        signals: Checked after every epoch.

    Raises:
        TrainingCrashed: Training raised something.
    """

    def on_epoch(members: int) -> None:
        signals.check()
        reporter.epoch(members)

    if not active:
        return ()
    try:
        if len(active) > 1:
            return _train_together(trials, active, reporter, on_epoch)
        return [_train_alone(trials, active[0], reporter, signals, on_epoch)]
    except (MembersFailed, TakenOver) as error:
        return [error]
    except RemixStudyError:
        raise
    except Exception as error:
        # Libraries may have turned a signal's exception into one of theirs.
        if signals.received is not None:
            raise
        # A program that failed may have left anything in memory.
        trials.task.free()
        raise TrainingCrashed(_describe_crash(error)) from error


def describe_error(error: BaseException) -> str:
    """An exception in one line."""
    if isinstance(error, RemixStudyError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()


def _train_alone(
    trials: Trials,
    active: ActiveTrial,
    reporter: Reporter,
    signals: Signals,
    on_epoch: Callable[[int], None],
) -> Evaluation:
    task, trial = trials.task, active.trial
    assert trial is not None
    configuration = configuration_of(active.parameters, task.spec.training, task.study.model)
    block, rule = trials.block(active.slot), pruning_rule(trials, trial, active.slot)
    members = len(task.folds if block is None else task.blocks[block])
    reporter.trial(active.label, members, configuration.training.epochs)

    def should_prune(scores: dict[int, float]) -> bool:
        return rule is not None and retry_transient(lambda: rule(scores), signals)

    return evaluate(
        task,
        active.parameters,
        configuration,
        on_epoch,
        block=block,
        should_prune=should_prune,
    )


def _train_together(
    trials: Trials,
    active: Sequence[ActiveTrial],
    reporter: Reporter,
    on_epoch: Callable[[int], None],
) -> list[Evaluation | MembersFailed]:
    task = trials.task
    training, model = task.spec.training, task.study.model
    configurations = [
        (trial.parameters, configuration_of(trial.parameters, training, model)) for trial in active
    ]
    label = f"{active[0].label} and {len(active) - 1} beside it"
    epochs = configurations[0][1].training.epochs
    reporter.trial(label, len(active) * len(task.folds), epochs)
    return evaluate_together(task, configurations, on_epoch)


def _describe_crash(error: Exception) -> str:
    """What training raised, and the line that raised it."""
    if isinstance(error, MemoryError):
        return "out of memory"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{describe_error(error)}{place}"
