"""Which trial of a search its validation means choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A COMPLETE trial as a choice sees it.

    Attributes:
        number: Optuna's number of the trial.
        values: Its validation means, one an objective.
        constraints: How far it lies beyond each constraint; 0 or less where it is met.
    """

    number: int
    values: tuple[float, ...]
    constraints: Mapping[str, float]

    @property
    def violation(self) -> float:
        """Sum of what lies beyond the constraints, 0 where all are met."""
        return sum(max(0.0, beyond) for beyond in self.constraints.values())


def choose(candidates: Sequence[Candidate], objective: int, *, maximize: bool) -> Candidate | None:
    """The best trial by one objective among those that meet the constraints.

    Where none meets them all, those that miss them least are left to choose from. Ties go to the
    trial that came first.

    Args:
        candidates: Trials, in any order.
        objective: Position of the objective.
        maximize: Whether more of it is better.
    """
    if not candidates:
        return None
    least = min(candidate.violation for candidate in candidates)
    left = [candidate for candidate in candidates if candidate.violation <= least]
    sign = -1.0 if maximize else 1.0
    return min(left, key=lambda one: (sign * one.values[objective], one.number))
