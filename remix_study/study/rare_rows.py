"""Which methods of a problem are trained once more with fewer rare rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from remix_study.metrics import better_sign, rope_of
from remix_study.study.configurations import (
    ESTIMATOR,
    Parameters,
    grid_configurations,
    planned_configurations,
    strategy_of,
)
from remix_study.study.task import Task

Kind = Literal["baseline", "ReMix", "reference estimator", "other network"]
"""Kinds of methods, of each of which the best one by validation is compared."""

KINDS: tuple[Kind, ...] = ("baseline", "ReMix", "reference estimator", "other network")


@dataclass(frozen=True)
class TrainedMethod:
    """A configuration with its validation means, one an objective."""

    parameters: Parameters
    values: tuple[float, ...]


def kind_of_method(parameters: Parameters) -> Kind:
    """The kind that a configuration belongs to."""
    if ESTIMATOR in parameters:
        return "reference estimator"
    strategy = strategy_of(parameters)
    if strategy.name == "baseline":
        return "baseline"
    return "ReMix" if strategy.has_mixing and strategy.sampler != "natural" else "other network"


def compared_kinds(task: Task) -> tuple[Kind, ...]:
    """The kinds of methods that a problem's grid, and the search that follows it, can hold."""
    planned, following = planned_configurations(task.study), task.study.then
    if following and task.spec.search and not following.constraints:
        planned += grid_configurations(msgspec.structs.replace(following.space, settings={}))
    kinds = {kind_of_method(parameters) for parameters in planned}
    return tuple(kind for kind in KINDS if kind in kinds)


def best_of_kinds(
    methods: Sequence[TrainedMethod], kinds: Sequence[Kind], objectives: Sequence[str]
) -> list[TrainedMethod]:
    """The best method of each kind by validation means, each objective in units of its region of
    practical equivalence; for a kind that none is of, the best one that is left."""

    # Metrics of users' own may have no bounds.
    regions = {m: rope_of(m) if math.isfinite(rope_of(m)) else 1.0 for m in objectives}

    def utility(method: TrainedMethod) -> float:
        return sum(
            better_sign(metric) * value / regions[metric]
            for metric, value in zip(objectives, method.values, strict=True)
        )

    ranked = sorted(methods, key=utility, reverse=True)
    by_kind = {
        kind: next((m for m in ranked if kind_of_method(m.parameters) == kind), None)
        for kind in kinds
    }
    unchosen = iter([method for method in ranked if method not in by_kind.values()])
    chosen = [method or next(unchosen, None) for method in by_kind.values()]
    return [method for method in chosen if method is not None]
