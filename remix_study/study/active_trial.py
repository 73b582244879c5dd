"""Training the claimed points whose trials have begun."""

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
from remix_study.study.pruning import should_prune
from remix_study.study.reporter import Reporter
from remix_study.study.retry import patiently
from remix_study.study.signals import Signals
from remix_study.study.trials import TakenOver, Trials

if TYPE_CHECKING:
    from optuna.trial import Trial


class Crashed(Exception):
    """Training raised something, a lack of memory for one; it may go well another time."""


@dataclass(eq=False)
class ActiveTrial:
    """A claimed point.

    Attributes:
        point: Its key.
        slot: The slot of a search that it is; None for a point of a grid.
        label: How a person knows it.
        trial: Its trial while that is open.
        parameters: What it trains.
    """

    point: str
    slot: int | None
    label: str
    trial: Trial | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


Result = Evaluation | MembersFailed | TakenOver
"""What a point has scored, or what ended its trial alone."""


def each(going: Sequence[ActiveTrial], do: Callable[[ActiveTrial], None]) -> None:
    """Do something for each, whatever becomes of the others; the first error is raised then."""
    errors: list[Exception] = []
    for one in going:
        try:
            do(one)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]


def train(
    trials: Trials, going: Sequence[ActiveTrial], told: Reporter, signals: Signals
) -> Sequence[Result]:
    """Train points, side by side if there are several.

    Args:
        trials: Of their problem.
        going: With a trial each.
        told: Told what happens.
        signals: Looked at after every epoch.

    Raises:
        Crashed: Training raised something.
    """

    def on_epoch(members: int) -> None:
        signals.check()
        told.epoch(members)

    if not going:
        return ()
    try:
        if len(going) > 1:
            return _together(trials, going, told, on_epoch)
        return [_alone(trials, going[0], told, signals, on_epoch)]
    except (MembersFailed, TakenOver) as error:
        return [error]
    except RemixStudyError:
        raise
    except Exception as error:
        # Whatever a signal's exception became on its way, it was a signal.
        if signals.received is not None:
            raise
        # A program that failed may have left anything in memory.
        trials.task.free()
        raise Crashed(_where(error)) from error


def last_line(error: BaseException) -> str:
    """An exception in one line."""
    if isinstance(error, RemixStudyError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()


def _alone(
    trials: Trials,
    one: ActiveTrial,
    told: Reporter,
    signals: Signals,
    on_epoch: Callable[[int], None],
) -> Evaluation:
    task, trial = trials.task, one.trial
    assert trial is not None
    setting = configuration_of(one.parameters, task.spec.training, task.study.model)
    block, judge = trials.block(one.slot), should_prune(trials, trial, one.slot)
    members = len(task.folds if block is None else task.blocks[block])
    told.trial(one.label, members, setting.training.epochs)

    def behind(scores: dict[int, float]) -> bool:
        return judge is not None and patiently(lambda: judge(scores), signals)

    return evaluate(task, one.parameters, setting, on_epoch, block=block, should_prune=behind)


def _together(
    trials: Trials, going: Sequence[ActiveTrial], told: Reporter, on_epoch: Callable[[int], None]
) -> list[Evaluation | MembersFailed]:
    task = trials.task
    asked = [
        (one.parameters, configuration_of(one.parameters, task.spec.training, task.study.model))
        for one in going
    ]
    label = f"{going[0].label} and {len(going) - 1} beside it"
    told.trial(label, len(going) * len(task.folds), asked[0][1].training.epochs)
    return evaluate_together(task, asked, on_epoch)


def _where(error: Exception) -> str:
    """What training raised, and the line that raised it."""
    if isinstance(error, MemoryError):
        return "out of memory"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{last_line(error)}{place}"
