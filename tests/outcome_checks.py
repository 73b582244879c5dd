"""Comparisons of the outcomes of two trainings, member by member."""

from __future__ import annotations

import numpy as np

ARRAYS = ("test", "validation", "loss", "monitor", "rates")


def assert_same_bits(outcomes, expected):
    """Every number of every member is the same, and so is why it ended."""
    for outcome, wanted in zip(outcomes, expected, strict=True):
        for part in ARRAYS:
            np.testing.assert_array_equal(
                getattr(outcome, part), getattr(wanted, part), err_msg=part
            )
        assert (outcome.epochs, outcome.stopped, outcome.failed) == (
            wanted.epochs,
            wanted.stopped,
            wanted.failed,
        )
        assert outcome.trained_on.as_dict() == wanted.trained_on.as_dict()


def assert_close(outcomes, expected, *, atol):
    """Probabilities differ by ``atol`` at most and losses by 1e-5 of them; epochs are the same."""
    for outcome, wanted in zip(outcomes, expected, strict=True):
        np.testing.assert_allclose(outcome.test, wanted.test, atol=atol)
        np.testing.assert_allclose(outcome.validation, wanted.validation, atol=atol)
        np.testing.assert_allclose(outcome.loss, wanted.loss, rtol=1e-5)
        assert (outcome.epochs, outcome.stopped) == (wanted.epochs, wanted.stopped)


def largest_difference(outcomes, expected):
    """The largest difference between test probabilities of the first member."""
    return np.abs(outcomes[0].test - expected[0].test).max()
