"""Trials: points trained on every fold, scored on validation and test rows."""

from __future__ import annotations

import resource
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from remix_study.metrics import METRICS, find_metric, score
from remix_study.study.configurations import Configuration
from remix_study.study.tables import utc_now
from remix_study.study.task import Task

PARTS = ("validation", "test")


class MembersFailed(Exception):
    """Members diverged or cannot be scored, and the study file says that the trial then fails."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a trial found.

    Attributes:
        uuid: Identity of the run.
        setting: What was trained.
        parameters: The point as Optuna holds it.
        places: Positions of the folds that were trained, in order.
        outcomes: One a trained fold.
        scores: One (part -> metric -> value) a trained fold.
        pruned: Whether the trial was ended before its last block.
        values: Mean over the trained folds of each objective on the validation part.
        network_parameters: Trainable parameters of one network.
        seconds: Wall time; of trials that trained side by side each has its share.
        started: UTC, ISO 8601.
        finished: UTC, ISO 8601.
    """

    uuid: str
    setting: Configuration
    parameters: dict[str, Any]
    places: tuple[int, ...]
    outcomes: tuple[Any, ...]
    scores: tuple[dict[str, dict[str, float]], ...]
    values: tuple[float, ...]
    network_parameters: int
    seconds: float
    started: str
    finished: str
    pruned: bool = False

    def validation(self, metric: str) -> np.ndarray[Any, Any]:
        """A metric's validation score on every trained fold."""
        return np.array([fold["validation"].get(metric, np.nan) for fold in self.scores])

    def means(self) -> dict[str, float]:
        """Mean validation score of each metric, NaN where it could not be computed."""
        return {name: float(np.mean(self.validation(name))) for name in METRICS}


def evaluate(
    task: Task,
    parameters: dict[str, Any],
    setting: Configuration,
    on_epoch: Callable[[int], None] | None = None,
    *,
    block: int | None = None,
    should_prune: Callable[[dict[int, float]], bool] | None = None,
) -> Evaluation:
    """Train and score one point, block by block.

    The value that Optuna gets is made of validation scores alone: the test scores go into the
    project's own tables, and only reports read them.

    Args:
        task: The problem.
        parameters: The point as Optuna holds it.
        setting: What it means.
        on_epoch: Called after every epoch of a stack with its running members.
        block: The only block of the task to train; all of them when None.
        hopeless: Told each block's validation scores of the first objective by fold, it says
            whether the trial ends there.

    Raises:
        MembersFailed: Some member diverged, under ``on_nan = "fail"``, or an objective cannot
            be computed.
    """
    started, clock = utc_now(), time.perf_counter()
    todo = task.blocks if block is None else (task.blocks[block],)
    trained = _Trained()
    pruned = False
    for number, part in enumerate(todo, start=1):
        trained += _judged(task, setting, part, task.fit(setting, on_epoch, part))
        first = task.study.objectives[0]
        scores = trained.scores[-len(part) :]
        seen = {at: one["validation"][first] for at, one in zip(part, scores, strict=True)}
        if should_prune and should_prune(seen) and number < len(todo):
            pruned = True
            break
    times = started, utc_now(), time.perf_counter() - clock
    return _evaluation(task, parameters, setting, trained, times, pruned=pruned)


def evaluate_together(
    task: Task,
    asked: Sequence[tuple[dict[str, Any], Configuration]],
    on_epoch: Callable[[int], None] | None = None,
) -> list[Evaluation | MembersFailed]:
    """Train points of a grid side by side, and score each; one that fails is no other's matter.

    Args:
        task: The problem.
        asked: Points as Optuna holds them, and what they mean.
        on_epoch: As for :func:`evaluate`.
    """
    started, clock = utc_now(), time.perf_counter()
    outcomes = task.fit_together([setting for _, setting in asked], on_epoch)
    times = started, utc_now(), (time.perf_counter() - clock) / len(asked)
    found: list[Evaluation | MembersFailed] = []
    for (parameters, setting), own in zip(asked, outcomes, strict=True):
        try:
            trained = _judged(task, setting, range(len(task.folds)), own)
            found.append(_evaluation(task, parameters, setting, trained, times))
        except MembersFailed as error:
            found.append(error)
    return found


@dataclass(frozen=True)
class _Trained:
    """Folds that were trained, with what they scored."""

    places: tuple[int, ...] = ()
    outcomes: tuple[Any, ...] = ()
    scores: tuple[dict[str, dict[str, float]], ...] = ()

    def __add__(self, more: _Trained) -> _Trained:
        return _Trained(
            self.places + more.places, self.outcomes + more.outcomes, self.scores + more.scores
        )


def _judged(
    task: Task, setting: Configuration, places: Sequence[int], outcomes: Sequence[Any]
) -> _Trained:
    trained = [_checked(outcome) for outcome in outcomes]
    failed = [outcome.failed for outcome in trained if outcome.failed]
    if failed and setting.training.on_nan == "fail":
        raise MembersFailed(f"{len(failed)} of {len(trained)} folds diverged: {failed[0]}")
    scores = [_scores(task, at, one) for at, one in zip(places, trained, strict=True)]
    return _Trained(tuple(places), tuple(trained), tuple(scores))


def _evaluation(
    task: Task,
    parameters: dict[str, Any],
    setting: Configuration,
    trained: _Trained,
    times: tuple[str, str, float],
    *,
    pruned: bool = False,
) -> Evaluation:
    values = tuple(
        float(np.mean([fold["validation"][name] for fold in trained.scores]))
        for name in task.study.objectives
    )
    for name, value in zip(task.study.objectives, values, strict=True):
        if not np.isfinite(value):
            raise MembersFailed(f"{name} cannot be computed: a validation part lacks classes")
    return Evaluation(
        uuid=str(uuid.uuid4()),
        setting=setting,
        parameters=parameters,
        places=trained.places,
        outcomes=trained.outcomes,
        scores=trained.scores,
        values=values,
        network_parameters=task.network_parameters(setting.model),
        # Taken at one place: reports tell by them who trained beside others.
        started=times[0],
        finished=times[1],
        seconds=times[2],
        pruned=pruned,
    )


def _checked(outcome: Any) -> Any:
    """Fail a member that the last step of all made useless: no loss was computed after it."""
    if outcome.failed or np.isfinite(outcome.validation).all() & np.isfinite(outcome.test).all():
        return outcome
    return replace(outcome, stopped="failed", failed="its probabilities are not finite")


def _scores(task: Task, position: int, outcome: Any) -> dict[str, dict[str, float]]:
    extra = task.study.extra_metrics
    if outcome.failed:
        worst = {name: find_metric(name).worst for name in (*METRICS, *extra)}
        return {part: dict(worst) for part in PARTS}
    y, n_classes, fold = task.problem.y, task.problem.K, task.folds[position]
    return {
        "validation": score(y[fold.validation], outcome.validation, n_classes, extra),
        "test": score(y[fold.test], outcome.test, n_classes, extra),
    }


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kibibytes on Linux, bytes on macOS.
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)
