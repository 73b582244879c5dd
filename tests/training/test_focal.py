"""The focal loss in the compiled step: Keras' own, soft labels, and gradients at the edges."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from remix_study.batches.losses import FOCAL_GAMMA, loss_vectors
from remix_study.training.problem_rows import Inputs
from remix_study.training.step import Step

K = 3


def loss_of(z, labels, weights, *, focal=True):
    """The loss of a batch of logits (rows, K) of one member, and its gradient."""
    network = SimpleNamespace(train=None, heads=1)
    step = Step(network, K, None, None, focal=focal)
    step._call = lambda _model, values, *_, **__: (values.trainable[0], (), 0.0)
    inputs = Inputs(None, None, None, tf.constant(weights[None]), tf.zeros((1, K)))
    z = tf.constant(z[None].astype("f4"))
    with tf.GradientTape() as tape:
        tape.watch(z)
        total, _ = step._loss((z,), (), inputs, None, tf.constant(labels[None]), [])
    return float(total), tape.gradient(total, z).numpy()[0]


@pytest.mark.parametrize("soft", [False, True])
def test_equals_the_loss_of_keras_with_a_vector_of_alphas(soft):
    rng = np.random.default_rng(0)
    z = rng.normal(scale=3, size=(64, K))
    y = rng.choice(K, 64, p=[0.8, 0.15, 0.05])
    labels = np.eye(K, dtype="f4")[y]
    if soft:
        share = rng.random((64, 1)).astype("f4")
        labels = share * labels + (1 - share) * labels[::-1]
    weights, _ = loss_vectors("focal", y, K)
    theirs = keras.losses.CategoricalFocalCrossentropy(
        alpha=weights.tolist(), gamma=FOCAL_GAMMA, from_logits=True
    )
    ours, gradient = loss_of(z, labels, weights)
    variable = tf.constant(z.astype("f4"))
    with tf.GradientTape() as tape:
        tape.watch(variable)
        expected = theirs(labels, variable)
    assert ours == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(gradient, tape.gradient(expected, variable), atol=1e-6)


@pytest.mark.parametrize("size", [0.0, 20.0, 1e3, 1e30])
def test_gradients_are_finite_however_sure_the_network_is(size):
    z = np.array([[size, 0, -size], [-size, 0, size], [0, 0, 0]])
    labels = np.array([[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0]], "f4")
    loss, gradient = loss_of(z, labels, np.ones(K, "f4"))
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()
    # A fitted row has no gradient; a row of the wrong class has a large one.
    if size >= 1e3:
        np.testing.assert_array_equal(gradient[0], 0)
        assert np.abs(gradient[1]).max() > 0.1


def test_a_small_remainder_is_not_lost():
    """1 - p of 1e-6 is below the digits of a float32 next to 1, but not of the loss."""
    z = np.array([[np.log(1e6), 0, -50.0]])
    loss, _ = loss_of(z, np.array([[1, 0, 0]], "f4"), np.ones(K, "f4"))
    p = 1 / (1 + 1e-6)
    assert loss == pytest.approx(-((1 - p) ** 2) * np.log(p), rel=1e-3)


def test_without_the_focal_loss_it_is_the_weighted_cross_entropy():
    z, labels = np.array([[0.3, -1.0, 2.0]]), np.array([[0.6, 0.4, 0.0]], "f4")
    weights = np.array([1, 2, 3], "f4")
    plain, _ = loss_of(z, labels, weights, focal=False)
    log_p = z - np.log(np.exp(z).sum())
    assert plain == pytest.approx(-(weights * labels * log_p).sum(), rel=1e-6)
