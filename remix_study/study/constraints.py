"""Constraints of a search, and the choice among the trials that fulfil them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remix_study.errors import StudyFileError
from remix_study.metrics import METRICS, metric_hint

_FORM = re.compile(
    r"(?P<metric>[\w.]+)\s*(?P<sign><=|>=)\s*(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)"
    r"(?P<relative>\s*x\s*baseline)?"
)
_HINT = 'write for example "min_recall >= 0.5" or "brier <= 1.1 x baseline"'


@dataclass(frozen=True)
class Margin:
    """How far a validation mean lies beyond a bound: 0 or less where the constraint is met."""

    beyond: float
    mean: float
    bound: float

    def __str__(self) -> str:
        state = "met" if self.beyond <= 0 else "not met"
        return f"{state}: {self.mean:.4f}, bound {self.bound:.4f}"


@dataclass(frozen=True)
class Constraint:
    """A bound on the validation mean of a metric.

    Attributes:
        text: As the study file has it.
        metric: A key of ``METRICS``.
        at_most: Whether the bound is an upper one.
        number: The bound, or the factor of the baseline's mean where ``relative``.
        relative: Whether the bound is a multiple of what the baseline has.
    """

    text: str
    metric: str
    at_most: bool
    number: float
    relative: bool

    def margin(self, means: Mapping[str, float], baseline: Mapping[str, float]) -> Margin:
        """Compare a configuration's validation means with the bound.

        A relative bound is NaN where the baseline's means lack the metric.
        """
        bound = self.number
        if self.relative:
            bound *= baseline.get(self.metric, math.nan)
        mean = means[self.metric]
        return Margin(mean - bound if self.at_most else bound - mean, mean, bound)


def parse_constraint(text: str) -> Constraint:
    """Read a constraint.

    Raises:
        StudyFileError: The text is no constraint, or its metric is unknown.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise StudyFileError(f'search.constraints: cannot read "{text}"; {_HINT}')
    metric = match["metric"]
    if metric not in METRICS:
        raise StudyFileError(
            f'search.constraints: no metric "{metric}"{metric_hint(metric, METRICS)}'
        )
    return Constraint(
        text=" ".join(text.split()),
        metric=metric,
        at_most=match["sign"] == "<=",
        number=float(match["number"]),
        relative=match["relative"] is not None,
    )


@dataclass(frozen=True)
class Candidate:
    """A COMPLETE trial that may be chosen, by Optuna's number.

    Attributes:
        number: Optuna's number of the trial.
        values: Its validation means, one an objective.
        constraints: How far it lies beyond each constraint.
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
    trials the first is chosen; None without candidates.
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
