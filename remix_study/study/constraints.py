"""Constraints of a search: bounds on the validation means of a configuration."""

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
    """How far a mean lies beyond a bound.

    Attributes:
        beyond: 0 or less where the constraint is fulfilled.
        mean: Validation mean of the metric.
        bound: The bound.
    """

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
        """Compare a configuration's validation means with the bound.

        Args:
            means: Validation mean of each metric.
            baseline: Those of the baseline; a relative bound is NaN where a metric is missing.
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
            f'search.constraints: no metric "{metric}"{did_you_mean(metric, METRICS)}'
        )
    return Constraint(
        text=" ".join(text.split()),
        metric=metric,
        at_most=match["sign"] == "<=",
        number=float(match["number"]),
        relative=match["relative"] is not None,
    )
