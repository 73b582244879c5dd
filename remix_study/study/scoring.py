"""Scores of a fold: in all metrics that a study has, those of its own among them."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.problems import Problem
from remix_study.errors import StudyFileError
from remix_study.metrics import (
    BUILT_IN_METRICS,
    EXTRA_METRICS,
    STANDARD_METRICS,
    find_metric,
    metric_hint,
    score,
)
from remix_study.metrics.costs import cost_matrix
from remix_study.study.constraints import parse_constraint
from remix_study.study.task import Task
from remix_study.studyfile.metric_keys import OwnMetric
from remix_study.studyfile.schema import Study


class MembersFailed(Exception):
    """Raised when members diverged or cannot be scored, so that their trial fails."""


def check_metrics(study: Study) -> None:
    """Refuse metrics that are unknown, need not be named or lack their costs, and their functions.

    Raises:
        StudyFileError: Names the key, and what to write.
    """
    known = (*BUILT_IN_METRICS, *study.metrics)
    unasked = (*STANDARD_METRICS, *study.metrics)
    extra = [name for name in (*known, *EXTRA_METRICS) if name not in unasked]
    searches = filter(None, (study.search, study.then))
    bounds = [parse_constraint(text).metric for search in searches for text in search.constraints]
    for key, kind, names, known_names in (
        ("study.objectives", "metric", study.objectives, known),
        ("study.extra_metrics", "extra metric", study.extra_metrics, extra),
        ("search.constraints", "metric", bounds, known),
        ("report.rope", "metric", study.report.rope, (*known, *EXTRA_METRICS)),
    ):
        for name in names:
            if name in unasked and known_names is extra:
                raise StudyFileError(f"{key}: {name} is stored without being named; leave it out")
            if name not in known_names:
                raise StudyFileError(f'{key}: no {kind} "{name}"{metric_hint(name, known_names)}')
            if name == "cost" and not study.decision.costs:
                raise StudyFileError(
                    f"{key}: cost needs what errors cost; write [decision] costs = "
                    "{ fn = 20, fp = 1 }, or leave it out"
                )
    for name, metric in study.metrics.items():
        if not study.allow_plugins:
            raise StudyFileError(
                f'metrics.{name}.function: "{metric.function}" would run code of its own, which '
                "--no-plugins forbids; leave the metric out, or leave --no-plugins out"
            )
        import_metric(name, metric)


def requested_metrics(study: Study) -> tuple[str, ...]:
    """Built-in metrics that a study file names, beside the standard ones."""
    bounds = (parse_constraint(text).metric for text in study.search.constraints)
    names = dict.fromkeys((*study.objectives, *study.extra_metrics, *bounds))
    computed = (*STANDARD_METRICS, *study.metrics)
    return tuple(name for name in names if name not in computed)


def costs_of(study: Study, problem: Problem) -> NDArray[np.float64] | None:
    """(K, K) costs of errors, None where the study file gives none; raises as `cost_matrix`."""
    costs = study.decision.costs
    return cost_matrix(costs, problem.classes, problem.name) if costs else None


def score_part(
    task: Task, rows: NDArray[np.intp], probabilities: NDArray[Any]
) -> dict[str, float]:
    """Score the probabilities of a fold's part in every metric of the study.

    Args:
        task: The task.
        rows: (n,) positions of the part's rows in the problem.
        probabilities: (n, K).

    Raises:
        MembersFailed: A metric of the study's own raised an error, or returned no number.
    """
    y, study, weights = task.problem.y[rows], task.study, task.problem.weights
    weights = None if weights is None else weights[rows]
    scores = score(
        y,
        probabilities,
        task.problem.K,
        requested_metrics(study),
        sample_weight=weights,
        costs=costs_of(study, task.problem),
    )
    for name, metric in study.metrics.items():
        scores[name] = _own_score(name, metric, y, probabilities, weights)
    return scores


def worst_scores(task: Task) -> dict[str, float]:
    """What a member that diverged is scored with, in every metric of the study."""
    study = task.study
    names = (*STANDARD_METRICS, *requested_metrics(study), *study.metrics)
    scores = {name: find_metric(name).worst for name in names}
    costs = costs_of(study, task.problem)
    return (
        scores | {"cost": float(costs.max())} if costs is not None and "cost" in scores else scores
    )


def import_metric(name: str, metric: OwnMetric) -> Callable[..., Any]:
    """Import the function of a metric of a study's own.

    Raises:
        StudyFileError: It cannot be imported or called.
    """
    module, _, function = metric.function.partition(":")
    where = f'metrics.{name}.function: "{metric.function}"'
    try:
        imported = getattr(importlib.import_module(module), function)
    except (Exception, SystemExit) as error:
        # Importing runs the user's own code, which may raise anything.
        reason = f"{type(error).__name__}: {error}"
        raise StudyFileError(f"{where} cannot be imported ({reason})") from error
    if not callable(imported):
        raise StudyFileError(f"{where} is not a function")
    return imported  # type: ignore[no-any-return]


def _own_score(
    name: str,
    metric: OwnMetric,
    y: NDArray[Any],
    probabilities: NDArray[Any],
    weights: NDArray[np.float64] | None,
) -> float:
    function = import_metric(name, metric)
    keywords = {} if weights is None else {"sample_weight": weights.copy()}
    where = f'metric "{name}" ({metric.function})'
    try:
        # Copies: what it does to them must not reach other scores.
        value = function(y.copy(), np.array(probabilities), **keywords)
        number = float(value)
    except (Exception, SystemExit) as error:
        raise MembersFailed(f"{where}: {type(error).__name__}: {error}") from error
    if isinstance(value, str | bool) or math.isinf(number):
        raise MembersFailed(f"{where} returned {value!r}, which is no number")
    return number
