"""Networks that learned nothing, and others that only look like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

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
