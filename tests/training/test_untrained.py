"""Networks that learned nothing, and others that only look like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from remix_study.training.untrained import why_untrained

LABELS = np.repeat([0, 1], [80, 20])
SHARES = np.array([0.8, 0.2])
RNG = np.random.default_rng(7)
FALLING = np.linspace(0.5, 0.1, 41)
FLAT = np.linspace(0.5, 0.49, 41)


@dataclass
class Trained:
    """What is read of an outcome."""

    validation: np.ndarray
    loss: np.ndarray
    monitor: np.ndarray


def two_columns(p: np.ndarray) -> np.ndarray:
    return np.stack([1 - p, p], axis=1).astype(np.float32)


NOISE = two_columns(RNG.uniform(0.1, 0.9, 100))
NATURAL = two_columns(np.where(LABELS == 1, 0.35, 0.15) + RNG.uniform(-0.05, 0.05, 100))
BALANCED = two_columns(np.where(LABELS == 1, 0.6, 0.45) + RNG.uniform(-0.05, 0.05, 100))
SURE = two_columns(np.where(RNG.uniform(size=100) < 0.5, 1e-6, 1 - 1e-6))
# It ranks rows, and is far too sure: worse than natural shares, and than equal ones.
RANKED = two_columns(np.where(np.arange(100) % 4 == 0, LABELS == 0, LABELS == 1) * 0.98 + 0.01)
# Each class has the same probabilities.
UNRANKED = two_columns(np.tile([0.1, 0.5, 0.9, 0.3], 25))
# Best at the 21st epoch, the first that may be chosen, or at the 30th.
AT_ONCE = np.arange(41.0)
LATE = np.abs(np.arange(41.0) - 29)
NONE = np.zeros(0)


@pytest.mark.parametrize(
    ("validation", "loss", "monitor", "reason"),
    [
        (two_columns(np.full(100, 0.2) + RNG.normal(0, 0.005, 100)), FALLING, LATE, "constant"),
        (NATURAL, FLAT, AT_ONCE, ""),
        # At natural shares it is worse than these, at equal ones better.
        (BALANCED, FLAT, LATE, ""),
        (NOISE, FALLING, AT_ONCE, "first epochs"),
        (NOISE, FLAT, LATE, "class shares"),
        (NOISE, FLAT, NONE, "class shares"),
        (UNRANKED, FALLING, AT_ONCE, "first epochs"),
        (RANKED, FALLING, AT_ONCE, ""),
        (RANKED, FLAT, LATE, ""),
        # Rows of the rare class are ranked last.
        (1 - RANKED, FALLING, AT_ONCE, "first epochs"),
        # It has learned its training rows by heart: that is no lack of training.
        (SURE, FALLING, NONE, ""),
        (SURE, FALLING, LATE, ""),
        # An estimator has no curves.
        (NOISE, NONE, NONE, ""),
    ],
)
def test_why(validation, loss, monitor, reason):
    assert why_untrained(Trained(validation, loss, monitor), LABELS, SHARES, 21) == reason


def test_the_loss_is_that_of_the_chosen_epoch():
    """The training loss falls only after the epoch whose weights are kept."""
    loss = np.concatenate([np.full(30, 0.5), np.full(11, 0.1)])
    assert why_untrained(Trained(NOISE, loss, LATE), LABELS, SHARES, 21) == "class shares"
    assert why_untrained(Trained(NOISE, loss, NONE), LABELS, SHARES, 21) == ""


def test_ranks_beyond_chance():
    """Far too sure networks that know something of 8 rare rows, or nothing, as a test says it."""
    labels, found = np.repeat([0, 1], [40, 8]), set()
    for signal in np.repeat([0.0, 0.5, 1.0], 20):
        p = 1 / (1 + np.exp(-9 * (signal * labels + RNG.normal(0, 1, 48))))
        outcome = Trained(two_columns(p), FALLING, AT_ONCE)
        p = outcome.validation[:, 1]
        test = mannwhitneyu(
            p[labels == 1], p[labels == 0], alternative="greater", use_continuity=False,
            method="asymptotic",
        )  # fmt: skip
        is_known = test.pvalue < 0.05 / 2
        assert why_untrained(outcome, labels, SHARES, 21) == ("" if is_known else "first epochs")
        found.add(is_known)
    assert found == {True, False}
