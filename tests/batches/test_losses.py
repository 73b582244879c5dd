"""Weights and offsets of the losses, against scikit-learn and cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from remix_study.batches.losses import (
    FOCAL_GAMMA,
    LOSSES,
    class_weights,
    effective_weights,
    log_prior,
    loss_vectors,
)

Y = np.repeat([0, 1, 2], [70, 25, 5])


def test_class_weights_equal_scikit_learn():
    expected = compute_class_weight("balanced", classes=np.arange(3), y=Y)
    np.testing.assert_allclose(class_weights(Y, 3), expected)
    np.testing.assert_allclose(class_weights(Y, 3) @ [70, 25, 5], 100)


def test_absent_class():
    np.testing.assert_allclose(class_weights(Y, 4)[:3], class_weights(Y, 3))
    assert class_weights(Y, 4)[3] == 0
    assert log_prior(Y, 4)[3] == pytest.approx(np.log(1e-12))


def test_weights_of_rows_count_as_repeated_rows_do():
    weights = np.random.default_rng(0).integers(1, 5, len(Y))
    many = np.repeat(Y, weights)
    for scale in (1.0, 0.1):
        scaled = scale * weights
        np.testing.assert_allclose(class_weights(Y, 3, scaled), class_weights(many, 3))
        np.testing.assert_allclose(log_prior(Y, 3, scaled), log_prior(many, 3))
        chosen = loss_vectors("class-weighted", Y, 3, scaled, np.array([1.0, 2, 20]))[0]
        expected = loss_vectors("class-weighted", many, 3, None, np.array([1.0, 2, 20]))[0]
        np.testing.assert_allclose(chosen, expected, rtol=1e-6)
        np.testing.assert_allclose(chosen[2] / chosen[0], 20, rtol=1e-6)
        assert np.average(chosen[Y], weights=scaled) == pytest.approx(1)
    for loss in LOSSES:
        for vector, same in zip(
            loss_vectors(loss, Y, 3), loss_vectors(loss, Y, 3, np.ones(100)), strict=True
        ):
            np.testing.assert_array_equal(vector, same)


def test_effective_weights():
    weights = effective_weights(Y, 4)
    assert weights[3] == 0
    assert weights.sum() == pytest.approx(3)
    # Far below 1 / (1 - beta) rows: the inverse frequency, to within half a percent.
    np.testing.assert_allclose(weights[0] / weights[2], 5 / 70, rtol=5e-3)
    # Far above: a class counts as 1 / (1 - beta) rows, however many it has.
    many = effective_weights(np.repeat([0, 1], [200_000, 100_000]), 2)
    np.testing.assert_allclose(many, 1, atol=1e-4)


def test_log_prior():
    np.testing.assert_allclose(np.exp(log_prior(Y, 3)), [0.7, 0.25, 0.05])


@pytest.mark.parametrize("loss", LOSSES)
def test_each_loss_by_hand(loss):
    weights, offsets = loss_vectors(loss, Y, 3)
    assert weights.dtype == offsets.dtype == np.float32
    z, label = np.array([0.3, -1.0, 2.0]), np.array([0.6, 0.4, 0.0])

    effective_weight = (1 - 0.9999) / (1 - 0.9999 ** np.array([70, 25, 5]))
    effective_weight *= 3 / effective_weight.sum()

    def log_softmax(z):
        return z - np.log(np.exp(z).sum())

    expected = {
        "cross-entropy": -(label * log_softmax(z)).sum(),
        "class-weighted": -(
            np.array([100 / 210, 100 / 75, 100 / 15]) * label * log_softmax(z)
        ).sum(),
        "logit-adjusted": -(label * log_softmax(z + np.log([0.7, 0.25, 0.05]))).sum(),
        "focal": -(
            np.array([100 / 210, 100 / 75, 100 / 15])
            * (1 - np.exp(log_softmax(z))) ** 2
            * label
            * log_softmax(z)
        ).sum(),
        "class-balanced": -(effective_weight * label * log_softmax(z)).sum(),
        "class-weighted-inert": -(label * log_softmax(z)).sum(),
    }[loss]
    log_p = log_softmax(z + offsets)
    focal_factor = (1 - np.exp(log_p)) ** FOCAL_GAMMA if loss == "focal" else 1.0
    result = (weights * focal_factor * label * -log_p).sum()
    assert result == pytest.approx(expected, rel=1e-6)
