"""Whether probabilities can be used at the natural class shares, and what a correction mends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from remix_study.metrics import NATURAL_METRICS, is_maximized
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import CorrectedMethod
from remix_study.results.intervals import Interval, paired_interval
from remix_study.results.methods import Method

Relation = Literal["better", "worse", "unclear"]
CorrectionOutcome = Literal[
    "not needed", "mended", "mended with temperature", "helped", "not mended", "unknown"
]


@dataclass(frozen=True)
class ProbabilityQuality:
    """Whether ReMix's probabilities can be used at the natural class shares.

    Attributes:
        as_trained: metric -> ReMix minus baseline.
        corrected: the same for ReMix carried back to the natural shares; empty if unknown.
        with_temperature: the same with a temperature on top.
        worse: metrics in which it is surely worse than the baseline.
        worse_corrected: metrics in which the corrected one is.
        correction_outcome: what the correction does about those.
        is_exact: whether the correction is exact.
        below_guessing: rows whose log-loss or Brier is worse than telling every row the class
            shares.
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
    """Better, worse, or unclear where the interval holds zero."""
    if not interval.excludes_zero:
        return "unclear"
    return "better" if (interval.mean > 0) == is_maximized(metric) else "worse"


def score_differences(
    comparison: Comparison, label: str, scores: Mapping[str, pd.Series[float]]
) -> dict[str, Interval]:
    """The row of this label minus the other scores, in each metric that both have."""
    found = {}
    for metric, other in scores.items():
        own = comparison.score(label, metric)
        if len(own) and len(other):
            found[metric] = paired_interval(own, other, comparison.ratio)
    return found


def assess_probabilities(
    comparison: Comparison, remix: Method, corrected: Sequence[CorrectedMethod]
) -> ProbabilityQuality | None:
    """The finding on one ReMix row; None without a baseline to hold it against."""
    baseline = next(
        (
            r
            for r in comparison.methods
            if r.strategy == "baseline" and r.settings == remix.settings
        ),
        None,
    )
    if baseline is None:
        return None
    reference = {metric: comparison.score(baseline.label, metric) for metric in NATURAL_METRICS}
    as_trained = score_differences(comparison, remix.label, reference)
    if not as_trained:
        return None
    by_name = {made.name: made for made in corrected}
    back = by_name.get(f"{remix.label} corrected")
    softened = by_name.get(f"{remix.label} corrected + temperature")
    worse = _worse(as_trained)
    after = _against(comparison, back, reference)
    after_temperature = _against(comparison, softened, reference)
    return ProbabilityQuality(
        as_trained=as_trained,
        corrected=after,
        with_temperature=after_temperature,
        worse=worse,
        worse_corrected=_worse(after),
        correction_outcome=_mending(comparison, remix, back, worse, after, after_temperature),
        is_exact=back.is_exact if back else False,
        below_guessing=tuple(
            row.label for row in (baseline, remix) if _below_guessing(comparison, row)
        ),
    )


def _worse(score_differences: Mapping[str, Interval]) -> tuple[str, ...]:
    return tuple(
        m for m, interval in score_differences.items() if relation(m, interval) == "worse"
    )


def _against(
    comparison: Comparison, made: CorrectedMethod | None, reference: Mapping[str, pd.Series[float]]
) -> dict[str, Interval]:
    if made is None:
        return {}
    return {
        metric: paired_interval(made.score(metric), scores, comparison.ratio)
        for metric, scores in reference.items()
        if len(scores) and len(made.score(metric))
    }


def _mending(
    comparison: Comparison,
    remix: Method,
    back: CorrectedMethod | None,
    worse: Sequence[str],
    after: Mapping[str, Interval],
    after_temperature: Mapping[str, Interval],
) -> CorrectionOutcome:
    if not worse:
        return "not needed"
    if back is None or not after:
        return "unknown"
    if not _worse(after):
        return "mended"
    if after_temperature and not _worse(after_temperature):
        return "mended with temperature"
    helped = any(
        relation(
            metric,
            paired_interval(
                back.score(metric), comparison.score(remix.label, metric), comparison.ratio
            ),
        )
        == "better"
        for metric in worse
    )
    return "helped" if helped else "not mended"


def _below_guessing(comparison: Comparison, row: Method) -> bool:
    """Whether telling every row the class shares has a lower Brier score or log-loss."""
    folds = comparison.folds[(comparison.folds["run"] == row.run)]
    folds = folds[folds["failed"] == ""]
    if folds.empty:
        return False
    shares = np.stack(folds["natural_prior"].to_list()).astype(np.float64)
    guess = {
        "brier": float((1 - (shares**2).sum(axis=1)).mean() / 2),
        "log_loss": float(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1).mean()),
    }
    return any(
        len(scores := comparison.score(row.label, metric)) and scores.mean() > value
        for metric, value in guess.items()
    )
