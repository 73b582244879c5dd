"""What the validation means of a point must fulfil to be worth choosing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from remix_study.errors import StudyFileError, did_you_mean
from remix_study.metrics import METRICS

_FORM = re.compile(
    r"(?P<metric>\w+)\s*(?P<sign><=|>=)\s*(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)"
    r"(?P<relative>\s*x\s*baseline)?"
)
_HINT = 'write for example "min_recall >= 0.5" or "brier <= 1.1 x baseline"'


@dataclass(frozen=True)
class Margin:
    """How far a mean lies beyond a bound; 0 or less where the constraint is met."""

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
        number: The bound, or the factor of the baseline's mean.
        relative: Whether the bound is a multiple of what the baseline has.
    """

    text: str
    metric: str
    at_most: bool
    number: float
    relative: bool

    def margin(self, means: Mapping[str, float], baseline: Mapping[str, float]) -> Margin:
        """How a point's validation means stand to the bound.

        Args:
            means: Validation mean of each metric.
            baseline: Those of the baseline; what it lacks makes a relative bound NaN.
        """
        bound = self.number
        if self.relative:
            bound *= baseline.get(self.metric, math.nan)
        mean = means[self.metric]
        return Margin(mean - bound if self.at_most else bound - mean, mean, bound)


def parse_constraint(text: str) -> Constraint:
    """Read a constraint.

    Raises:
        StudyFileError: It is none, or its metric is unknown.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise StudyFileError(f'search.constraints: cannot read "{text}"; {_HINT}')
    metric = found["metric"]
    if metric not in METRICS:
        raise StudyFileError(
            f'search.constraints: no metric "{metric}"{did_you_mean(metric, METRICS)}'
        )
    return Constraint(
        text=" ".join(text.split()),
        metric=metric,
        at_most=found["sign"] == "<=",
        number=float(found["number"]),
        relative=found["relative"] is not None,
    )
