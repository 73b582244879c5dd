"""Choosing a trial of a search by its validation means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A COMPLETE trial that may be chosen.

    Attributes:
        number: Optuna's number of the trial.
        values: Its validation means, one an objective.
        constraints: How far it lies beyond each constraint; 0 or less where it is fulfilled.
    """

    number: int
    values: tuple[float, ...]
    constraints: Mapping[str, float]

    @property
    def violation(self) -> float:
        """Sum of the excesses over the constraints, 0 where all are fulfilled."""
        return sum(max(0.0, beyond) for beyond in self.constraints.values())


def choose(candidates: Sequence[Candidate], objective: int, *, maximize: bool) -> Candidate | None:
    """Choose the best trial by one objective among those that fulfil the constraints.

    Where none fulfils them all, the choice is among those with the least violation. Of equal
    trials the first is chosen.

    Args:
        candidates: Trials, in any order.
        objective: Position of the objective.
        maximize: Whether a larger value is better.

    Returns:
        None without candidates.
    """
    if not candidates:
        return None
    least = min(candidate.violation for candidate in candidates)
    eligible = [candidate for candidate in candidates if candidate.violation <= least]
    sign = -1.0 if maximize else 1.0
    return min(
        eligible,
        key=lambda candidate: (sign * candidate.values[objective], candidate.number),
    )
