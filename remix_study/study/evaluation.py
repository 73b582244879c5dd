"""Evaluating configurations: trained on every fold, scored on validation and test rows."""

from __future__ import annotations

import resource
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from remix_study.metrics import METRICS
from remix_study.study.configurations import Configuration
from remix_study.study.extensions import Earlier
from remix_study.study.fold_blocks import Blocks
from remix_study.study.scoring import MembersFailed, score_part, worst_scores
from remix_study.study.tables import utc_now
from remix_study.study.task import Task

PARTS = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores, probabilities and curves of one trial, one entry per trained fold.

    Attributes:
        uuid: Identity of the run.
        configuration: What was trained.
        parameters: The same as Optuna holds it.
        positions: Positions of the folds that were trained, in order.
        outcomes: One a trained fold.
        scores: One (part -> metric -> value) a trained fold.
        pruned: Whether the trial was ended before its last block.
        values: Mean of each objective on the validation part, over the trained folds and those
            that it extends.
        network_parameters: Trainable parameters of the networks of a fold.
        seconds: Wall time; of trials that trained side by side each has its share.
        started: UTC, ISO 8601.
        finished: UTC, ISO 8601.
        trials_in_program: Trials that trained side by side in one program, this one included.
        earlier: The folds that it extends; None for all trials but those that add repeats.
    """

    uuid: str
    configuration: Configuration
    parameters: dict[str, Any]
    positions: tuple[int, ...]
    outcomes: tuple[Any, ...]
    scores: tuple[dict[str, dict[str, float]], ...]
    values: tuple[float, ...]
    network_parameters: int
    seconds: float
    started: str
    finished: str
    pruned: bool = False
    trials_in_program: int = 1
    earlier: Earlier | None = None

    def validation(self, metric: str) -> np.ndarray[Any, Any]:
        """A metric's validation score on every fold, earlier ones first, NaN where undefined."""
        scores = [fold["validation"].get(metric, np.nan) for fold in self.scores]
        return np.array([*(self.earlier.scores[metric] if self.earlier else ()), *scores])

    def extending(self, earlier: Earlier, objectives: Sequence[str]) -> Evaluation:
        """The same with the folds that it extends, and means over all of them."""
        joined = replace(self, earlier=earlier)
        values = tuple(float(np.mean(joined.validation(name))) for name in objectives)
        return replace(joined, values=values)

    def means(self) -> dict[str, float]:
        """Mean validation score of each metric, NaN where it could not be computed."""
        return {name: float(np.mean(self.validation(name))) for name in METRICS}


def evaluate(
    task: Task,
    parameters: dict[str, Any],
    on_epoch: Callable[[int], None] | None = None,
    *,
    blocks: Blocks = (),
    should_prune: Callable[[dict[int, float]], bool] | None = None,
) -> Evaluation:
    """Train and score one configuration, block by block.

    The value that Optuna gets is made of validation scores alone: the test scores go into the
    project's own tables, and only reports read them.

    Args:
        task: The task.
        parameters: The configuration as Optuna holds it.
        on_epoch: Called after every epoch of a stack with its running members.
        blocks: The blocks of folds to train; those of the task when empty.
        should_prune: Called with each block's validation scores of the first objective by fold
            position; returns whether the trial ends there.

    Raises:
        MembersFailed: Some member diverged, under ``on_nan = "fail"``, or an objective cannot
            be computed.
    """
    configuration, objective = task.configuration(parameters), task.study.objectives[0]
    started, clock = utc_now(), time.perf_counter()
    trained: list[_Fold] = []
    pruned, blocks = False, blocks or task.blocks
    for number, positions in enumerate(blocks, start=1):
        outcomes = task.fit(configuration, on_epoch, positions)
        block = _score_folds(task, configuration, positions, outcomes)
        trained += block
        scores = {position: parts["validation"][objective] for position, _, parts in block}
        if should_prune and should_prune(scores) and number < len(blocks):
            pruned = True
            break
    times = started, utc_now(), time.perf_counter() - clock
    return _make_evaluation(task, parameters, configuration, trained, times, pruned=pruned)


def evaluate_together(
    task: Task,
    all_parameters: Sequence[dict[str, Any]],
    on_epoch: Callable[[int], None] | None = None,
    positions: Sequence[int] = (),
) -> list[Evaluation | MembersFailed]:
    """Train configurations of a grid side by side on folds, all of them by default; score each.

    Returns:
        One evaluation a configuration, or the error that ended this one alone.
    """
    configurations = [task.configuration(parameters) for parameters in all_parameters]
    positions = positions or range(len(task.folds))
    started, clock = utc_now(), time.perf_counter()
    all_outcomes = task.fit_together(configurations, on_epoch, positions)
    times = started, utc_now(), (time.perf_counter() - clock) / len(configurations)
    results: list[Evaluation | MembersFailed] = []
    for parameters, meaning, outcomes in zip(
        all_parameters, configurations, all_outcomes, strict=True
    ):
        try:
            trained = _score_folds(task, meaning, positions, outcomes)
            evaluation = _make_evaluation(task, parameters, meaning, trained, times)
            results.append(replace(evaluation, trials_in_program=len(configurations)))
        except MembersFailed as error:
            results.append(error)
    return results


_Fold = tuple[int, Any, dict[str, dict[str, float]]]
"""Position of a fold that was trained, its outcome and its scores."""


def _score_folds(
    task: Task, configuration: Configuration, positions: Sequence[int], outcomes: Sequence[Any]
) -> list[_Fold]:
    checked = [_fail_if_not_finite(outcome) for outcome in outcomes]
    failures = [outcome.failed for outcome in checked if outcome.failed]
    if failures and configuration.training.on_nan == "fail":
        raise MembersFailed(f"{len(failures)} of {len(checked)} folds diverged: {failures[0]}")
    return [
        (position, outcome, _scores(task, position, outcome))
        for position, outcome in zip(positions, checked, strict=True)
    ]


def _make_evaluation(
    task: Task,
    parameters: dict[str, Any],
    configuration: Configuration,
    trained: Sequence[_Fold],
    times: tuple[str, str, float],
    *,
    pruned: bool = False,
) -> Evaluation:
    positions, outcomes, scores = zip(*trained, strict=True)
    # Equal times tell reports which trials trained side by side.
    started, finished, seconds = times
    evaluation = Evaluation(
        uuid=str(uuid.uuid4()),
        configuration=configuration,
        parameters=parameters,
        positions=positions,
        outcomes=outcomes,
        scores=scores,
        values=tuple(
            float(np.mean([fold["validation"][name] for fold in scores]))
            for name in task.study.objectives
        ),
        network_parameters=task.network_parameters(configuration),
        started=started,
        finished=finished,
        seconds=seconds,
        pruned=pruned,
    )
    for name, value in zip(task.study.objectives, evaluation.values, strict=True):
        if not np.isfinite(value):
            is_own = name in task.study.metrics
            reason = "it returned NaN" if is_own else "a validation part lacks classes"
            raise MembersFailed(f"{name} cannot be computed: {reason}")
    return evaluation


def _fail_if_not_finite(outcome: Any) -> Any:
    """Fail a member that its very last step made useless: no loss was computed after it."""
    if outcome.failed or np.isfinite(outcome.validation).all() & np.isfinite(outcome.test).all():
        return outcome
    return replace(outcome, stopped="failed", failed="its probabilities are not finite")


def _scores(task: Task, position: int, outcome: Any) -> dict[str, dict[str, float]]:
    if outcome.failed:
        return {part: worst_scores(task) for part in PARTS}
    fold = task.folds[position]
    return {
        "validation": score_part(task, fold.validation, outcome.validation),
        "test": score_part(task, fold.test, outcome.test),
    }


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kibibytes on Linux, bytes on macOS.
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)
