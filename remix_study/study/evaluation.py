"""One trial: a point trained on every fold, scored on validation and test rows."""

from __future__ import annotations

import resource
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from remix_study.metrics import METRICS, find_metric, score
from remix_study.study.bench import Bench
from remix_study.study.points import Setting
from remix_study.study.tables import utc_now

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
        outcomes: One a fold.
        scores: One (part -> metric -> value) a fold.
        values: Mean over folds of each objective on the validation part.
        network_parameters: Trainable parameters of one network.
        seconds: Wall time.
        started: UTC, ISO 8601.
        finished: UTC, ISO 8601.
    """

    uuid: str
    setting: Setting
    parameters: dict[str, Any]
    outcomes: tuple[Any, ...]
    scores: tuple[dict[str, dict[str, float]], ...]
    values: tuple[float, ...]
    network_parameters: int
    seconds: float
    started: str
    finished: str

    def validation(self, metric: str) -> np.ndarray[Any, Any]:
        """A metric's validation score on every fold."""
        return np.array([fold["validation"].get(metric, np.nan) for fold in self.scores])


def evaluate(
    bench: Bench,
    parameters: dict[str, Any],
    setting: Setting,
    on_epoch: Callable[[int], None] | None = None,
) -> Evaluation:
    """Train and score one point.

    The value that Optuna gets is made of validation scores alone: the test scores go into the
    project's own tables, and only reports read them.

    Raises:
        MembersFailed: Some member diverged, under ``on_nan = "fail"``.
    """
    started, clock = utc_now(), time.perf_counter()
    outcomes = [_checked(outcome) for outcome in bench.fit(setting, on_epoch)]
    failed = [outcome.failed for outcome in outcomes if outcome.failed]
    if failed and setting.training.on_nan == "fail":
        raise MembersFailed(f"{len(failed)} of {len(outcomes)} folds diverged: {failed[0]}")
    scores = tuple(_scores(bench, i, outcome) for i, outcome in enumerate(outcomes))
    values = tuple(
        float(np.mean([fold["validation"][name] for fold in scores]))
        for name in bench.study.objectives
    )
    for name, value in zip(bench.study.objectives, values, strict=True):
        if not np.isfinite(value):
            raise MembersFailed(f"{name} cannot be computed: a validation part lacks classes")
    return Evaluation(
        uuid=str(uuid.uuid4()),
        setting=setting,
        parameters=parameters,
        outcomes=tuple(outcomes),
        scores=scores,
        values=values,
        network_parameters=bench.network_parameters(setting.model),
        seconds=time.perf_counter() - clock,
        started=started,
        finished=utc_now(),
    )


def _checked(outcome: Any) -> Any:
    """Fail a member that the last step of all made useless: no loss was computed after it."""
    if outcome.failed or np.isfinite(outcome.validation).all() & np.isfinite(outcome.test).all():
        return outcome
    return replace(outcome, stopped="failed", failed="its probabilities are not finite")


def _scores(bench: Bench, position: int, outcome: Any) -> dict[str, dict[str, float]]:
    extra = bench.study.extra_metrics
    if outcome.failed:
        worst = {name: find_metric(name).worst for name in (*METRICS, *extra)}
        return {part: dict(worst) for part in PARTS}
    y, n_classes, fold = bench.problem.y, bench.problem.K, bench.folds[position]
    return {
        "validation": score(y[fold.validation], outcome.validation, n_classes, extra),
        "test": score(y[fold.test], outcome.test, n_classes, extra),
    }


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kibibytes on Linux, bytes on macOS.
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)
