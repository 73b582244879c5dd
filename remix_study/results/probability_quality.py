"""Whether probabilities can be used at the natural class shares, and whether correcting helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from remix_study.metrics import NATURAL_METRICS
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import is_exact
from remix_study.results.effects import Difference, Score
from remix_study.results.methods import Method

CorrectionOutcome = Literal[
    "not needed", "sufficient", "sufficient with temperature", "partial", "none", "unknown"
]
"""What a correction does about metrics that are worse than the baseline's: it was not needed,
leaves none worse (alone, or with a temperature on top), makes one better, makes none better, or
could not be computed."""

Differences = Mapping[str, Difference]


@dataclass(frozen=True)
class ProbabilityQuality:
    """Whether ReMix's probabilities can be used at the natural class shares.

    Attributes:
        as_trained: metric -> ReMix minus baseline.
        corrected: the same for ReMix corrected to the natural shares; empty if unknown.
        with_temperature: the same with a temperature on top.
        change: metric -> corrected ReMix minus ReMix as trained.
        g_mean: of ReMix as trained, and corrected; None where unknown.
        is_exact: whether the correction is exact.
        below_guessing: labels of methods whose log-loss or Brier score is worse than that of
            predicting the class shares for every row.
    """

    as_trained: Differences
    corrected: Differences
    with_temperature: Differences
    change: Differences
    g_mean: tuple[Score | None, Score | None]
    is_exact: bool
    below_guessing: tuple[str, ...]

    @property
    def worse(self) -> tuple[str, ...]:
        """Metrics in which ReMix is worse than the baseline."""
        return _worse(self.as_trained)

    @property
    def worse_corrected(self) -> tuple[str, ...]:
        """Metrics in which the corrected one is."""
        return _worse(self.corrected)

    @property
    def correction_outcome(self) -> CorrectionOutcome:
        """What the correction does about `worse`."""
        if not self.worse:
            return "not needed"
        if not self.corrected:
            return "unknown"
        if not self.worse_corrected:
            return "sufficient"
        if self.with_temperature and not _worse(self.with_temperature):
            return "sufficient with temperature"
        changes = [self.change[metric] for metric in self.worse if metric in self.change]
        return "partial" if any(c.relation == "better" for c in changes) else "none"

    @property
    def costs_g_mean(self) -> bool:
        """Whether decisions by the corrected probabilities have a lower g-mean."""
        as_trained, corrected = self.g_mean
        return bool(as_trained and corrected and corrected.mean < as_trained.mean)


def _worse(differences: Differences) -> tuple[str, ...]:
    return tuple(metric for metric, d in differences.items() if d.relation == "worse")


def assess_probabilities(comparison: Comparison, remix: Method) -> ProbabilityQuality | None:
    """Compare a ReMix method's probabilities with the baseline's, as trained and corrected.

    None without a baseline of the same settings.
    """
    baseline = comparison.first_method("baseline", remix.settings)
    if baseline is None:
        return None
    effects, corrected = comparison.effects, f"{remix.label} corrected"

    def differences(label: str, against: Method) -> Differences:
        return effects.differences(label, against.label, NATURAL_METRICS)

    as_trained = differences(remix.label, baseline)
    if not as_trained:
        return None
    return ProbabilityQuality(
        as_trained=as_trained,
        corrected=differences(corrected, baseline),
        with_temperature=differences(f"{corrected} + temperature", baseline),
        change=differences(corrected, remix),
        g_mean=(effects.score(remix.label, "g_mean"), effects.score(corrected, "g_mean")),
        is_exact=is_exact(remix),
        below_guessing=tuple(
            method.label for method in (baseline, remix) if _is_below_guessing(comparison, method)
        ),
    )


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
        (score := comparison.effects.score(method.label, metric)) and score.mean > value
        for metric, value in guess.items()
    )
