"""Whether probabilities can be used at the natural class shares, and whether correcting helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from remix_study.metrics import NATURAL_METRICS, better_or_worse
from remix_study.results.comparison import Comparison
from remix_study.results.intervals import Interval, paired_interval
from remix_study.results.methods import CorrectedMethod, Method

Relation = Literal["better", "worse", "unclear"]
"""How one method compares with another; "unclear" where the interval holds zero."""

CorrectionOutcome = Literal[
    "not needed", "sufficient", "sufficient with temperature", "partial", "none", "unknown"
]
"""What a correction does about metrics that are worse than the baseline's: it was not needed,
leaves none worse (alone, or with a temperature on top), makes one better, makes none better, or
could not be computed."""


@dataclass(frozen=True)
class ProbabilityQuality:
    """Whether ReMix's probabilities can be used at the natural class shares.

    Attributes:
        as_trained: metric -> ReMix minus baseline.
        corrected: the same for ReMix corrected to the natural shares; empty if unknown.
        with_temperature: the same with a temperature on top.
        worse: metrics in which ReMix is worse than the baseline.
        worse_corrected: metrics in which the corrected one is.
        correction_outcome: what the correction does about `worse`.
        is_exact: whether the correction is exact.
        below_guessing: labels of methods whose log-loss or Brier score is worse than that of
            predicting the class shares for every row.
    """

    as_trained: Mapping[str, Interval]
    corrected: Mapping[str, Interval]
    with_temperature: Mapping[str, Interval]
    worse: tuple[str, ...]
    worse_corrected: tuple[str, ...]
    correction_outcome: CorrectionOutcome
    is_exact: bool
    below_guessing: tuple[str, ...]


def relation(metric: str, interval: Interval) -> Relation:
    """Say what a difference in a metric means: better, worse, or unclear if it may be zero."""
    if not interval.excludes_zero:
        return "unclear"
    return better_or_worse(metric, interval.mean)


def score_differences(
    comparison: Comparison, label: str, scores: Mapping[str, pd.Series[float]]
) -> dict[str, Interval]:
    """Differences of a method and other scores, with intervals.

    Args:
        comparison: the problem.
        label: of the method.
        scores: metric -> the other scores by fold.

    Returns:
        Metric -> method minus other, for metrics that both have.
    """
    return _paired_intervals(
        {metric: comparison.score(label, metric) for metric in scores}, scores, comparison.ratio
    )


def assess_probabilities(
    comparison: Comparison, remix: Method, corrected: Sequence[CorrectedMethod]
) -> ProbabilityQuality | None:
    """Compare a ReMix method's probabilities with the baseline's, as trained and corrected.

    Args:
        comparison: the problem.
        remix: the method.
        corrected: corrected methods of the problem, that of `remix` among them if there is one.

    Returns:
        The finding; None without a baseline of the same settings.
    """
    baseline = comparison.first_method("baseline", remix.settings)
    if baseline is None:
        return None
    reference = {metric: comparison.score(baseline.label, metric) for metric in NATURAL_METRICS}
    as_trained = score_differences(comparison, remix.label, reference)
    if not as_trained:
        return None
    by_name = {method.label: method for method in corrected}
    at_natural_prior = by_name.get(f"{remix.label} corrected")
    softened = by_name.get(f"{remix.label} corrected + temperature")
    differences = _corrected_differences(comparison, at_natural_prior, reference)
    softened_differences = _corrected_differences(comparison, softened, reference)
    return ProbabilityQuality(
        as_trained=as_trained,
        corrected=differences,
        with_temperature=softened_differences,
        worse=_worse_metrics(as_trained),
        worse_corrected=_worse_metrics(differences),
        correction_outcome=_correction_outcome(
            as_trained,
            differences,
            softened_differences,
            _corrected_differences(
                comparison,
                at_natural_prior,
                {metric: comparison.score(remix.label, metric) for metric in reference},
            ),
        ),
        is_exact=at_natural_prior.is_exact if at_natural_prior else False,
        below_guessing=tuple(
            method.label for method in (baseline, remix) if _is_below_guessing(comparison, method)
        ),
    )


def _worse_metrics(differences: Mapping[str, Interval]) -> tuple[str, ...]:
    return tuple(
        metric for metric, interval in differences.items() if relation(metric, interval) == "worse"
    )


def _corrected_differences(
    comparison: Comparison,
    corrected: CorrectedMethod | None,
    reference: Mapping[str, pd.Series[float]],
) -> dict[str, Interval]:
    """Metric -> corrected method minus reference; empty without the method."""
    if corrected is None:
        return {}
    return score_differences(comparison, corrected.label, reference)


def _paired_intervals(
    scores: Mapping[str, pd.Series[float]],
    reference: Mapping[str, pd.Series[float]],
    ratio: float,
) -> dict[str, Interval]:
    return {
        metric: paired_interval(scores[metric], reference_scores, ratio)
        for metric, reference_scores in reference.items()
        if len(scores[metric]) and len(reference_scores)
    }


def _correction_outcome(
    as_trained: Mapping[str, Interval],
    corrected: Mapping[str, Interval],
    with_temperature: Mapping[str, Interval],
    change: Mapping[str, Interval],
) -> CorrectionOutcome:
    """What the correction does about metrics in which ReMix is worse than the baseline.

    Args:
        as_trained: metric -> ReMix minus baseline.
        corrected: metric -> corrected ReMix minus baseline.
        with_temperature: the same with a temperature on top.
        change: metric -> corrected ReMix minus ReMix.
    """
    worse = _worse_metrics(as_trained)
    if not worse:
        return "not needed"
    if not corrected:
        return "unknown"
    if not _worse_metrics(corrected):
        return "sufficient"
    if with_temperature and not _worse_metrics(with_temperature):
        return "sufficient with temperature"
    has_helped = any(
        metric in change and relation(metric, change[metric]) == "better" for metric in worse
    )
    return "partial" if has_helped else "none"


def _is_below_guessing(comparison: Comparison, method: Method) -> bool:
    """Whether predicting the class shares for every row has a lower Brier score or log-loss."""
    folds = comparison.trained_folds(method)
    if folds.empty:
        return False
    shares = np.stack(folds["natural_prior"].to_list()).astype(np.float64)
    guess = {
        "brier": float((1 - (shares**2).sum(axis=1)).mean() / 2),
        "log_loss": float(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1).mean()),
    }
    return any(
        len(scores := comparison.score(method.label, metric)) and scores.mean() > value
        for metric, value in guess.items()
    )
