"""Scores against the capacity of the network: how each method fares as networks grow.

Capacity is the number of trainable parameters. A line has one method, a strategy at one alpha with
the same training, on networks of several capacities. Only grids have lines: what Optuna suggested
differs in more than the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from remix_study.metrics import better_sign
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Score
from remix_study.results.methods import STRATEGY_KEYS, Method

_OF_NETWORK = "model."


@dataclass(frozen=True)
class CapacityPoint:
    """A method on one network: its score there."""

    method: Method
    network: str
    score: Score

    @property
    def capacity(self) -> int:
        return self.method.capacity


@dataclass(frozen=True, eq=False)
class CapacityLine:
    """One method in one metric over networks, the smallest first."""

    comparison: Comparison
    name: str
    metric: str
    points: tuple[CapacityPoint, ...]

    @property
    def strategy(self) -> str:
        return self.points[0].method.strategy

    def at(self, network: str) -> CapacityPoint | None:
        """The point on a network; None where the method was not trained on it."""
        return next((point for point in self.points if point.network == network), None)


def capacity_lines(comparison: Comparison) -> tuple[CapacityLine, ...]:
    """Lines of every method of a problem that was trained on networks of several capacities."""
    if not comparison.is_grid:
        return ()
    networks = [m for m in comparison.methods if m.capacity and not m.is_estimator]
    lines = []
    for metric in comparison.objectives:
        for group in grouped(networks, _key).values():
            if len({method.capacity for method in group}) < 2:
                continue
            points = [
                CapacityPoint(method, _network(method), score)
                for method in sorted(group, key=lambda method: method.capacity)
                if (score := comparison.effects.score(method.label, metric))
            ]
            lines.append(CapacityLine(comparison, _name(group[0]), metric, tuple(points)))
    return tuple(line for line in lines if len(line.points) > 1)


def best_lines(lines: Sequence[CapacityLine]) -> dict[str, CapacityLine]:
    """Network -> the line of one metric with the best mean score there, the smallest first."""
    points = sorted((p for line in lines for p in line.points), key=lambda p: p.capacity)
    best = {}
    for network in dict.fromkeys(point.network for point in points):
        point_of = {line: point for line in lines if (point := line.at(network))}
        sign = better_sign(lines[0].metric)
        best[network] = max(point_of, key=lambda line: sign * point_of[line].score.mean)
    return best


def table(lines: Sequence[CapacityLine]) -> pd.DataFrame:
    """Table of all points: one line a problem, method, metric and network."""
    return frame_of(
        (Record(line=line, point=point) for line in lines for point in line.points),
        """study=line.comparison.study problem=line.comparison.problem method=line.name
        metric=line.metric network=point.network parameters=point.capacity
        mean=point.score.mean low=point.score.interval.low high=point.score.interval.high
        folds=point.score.interval.folds""",
    )


def _key(method: Method) -> tuple[Any, ...]:
    """What makes two methods the same but for the network."""
    training = _other_settings(method.parameters)
    return method.family, method.alpha, tuple(sorted(training.items()))


def _other_settings(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: str(value)
        for key, value in parameters.items()
        if key not in STRATEGY_KEYS and not key.startswith(_OF_NETWORK)
    }


def _network(method: Method) -> str:
    """The network in words, such as "hidden [128, 64]"."""
    options = {k: v for k, v in method.parameters.items() if k.startswith(_OF_NETWORK)}
    return ", ".join(f"{k.removeprefix(_OF_NETWORK)} {v}" for k, v in options.items())


def _name(method: Method) -> str:
    """The method without its network."""
    alpha = "" if method.alpha is None else f" ({method.alpha:g})"
    training = _other_settings(method.parameters)
    settings = [f"{key} {value}" for key, value in training.items() if key in method.settings]
    return ", ".join((f"{method.family}{alpha}", *settings))
