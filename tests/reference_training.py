"""Slow and obvious training of one network at a time, against which the engine is tested."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import tensorflow as tf

from remix_study.batches.losses import FOCAL, FOCAL_GAMMA, loss_vectors
from remix_study.batches.plan import plan_epoch
from remix_study.batches.random_bits import (
    MASK_KEYS,
    NUMPY,
    derive_keys,
    member_keys,
    random_bits,
)
from remix_study.batches.samplers import SMOTE_SAMPLERS

BATCH_SIZE = 16


class DenseReference:
    """Stock Keras layers and stock Adam, one batch after another."""

    def __init__(self, n_features, hidden, n_classes):
        self.hidden = hidden
        self.model = keras.Sequential(
            [keras.layers.Dense(units, activation="relu") for units in hidden]
            + [keras.layers.Dense(n_classes)]
        )
        self.model.build((None, n_features))
        self.adam = keras.optimizers.Adam(1e-3)
        self.adam.build(self.model.trainable_variables)
        self._step = tf.function(self._take_step)

    def fit(self, problem, member, strategy, *, epochs, weights, dropout=0.1):
        """Train a member's network from first weights; the losses of each epoch.

        Afterwards ``model`` holds the network.
        """
        self.model.set_weights([w[0] if w.shape[0] == 1 else w for w in weights])
        reset(self.adam)
        row_weights = np.ones(len(problem.y))
        if problem.row_weights is not None:
            row_weights = problem.row_weights / problem.row_weights[member.training.rows].mean()
        class_weight, offset = loss_vectors(
            strategy.loss, member.training.y, problem.n_classes, row_weights[member.training.rows]
        )
        X, Y = problem.prepared(), np.eye(problem.n_classes, dtype=np.float32)[problem.y]
        losses = []
        for epoch in range(epochs):
            plan = plan_epoch(
                strategy, member.training, batch_size=BATCH_SIZE, seed=member.seed, epoch=epoch
            )
            multipliers = self._multipliers(member.seed, epoch, plan.steps, dropout)
            total = 0.0
            for step in range(plan.steps):
                share, label_share = plan.weight[step][:, None], plan.label_weight[step][:, None]
                first, second = plan.first[step], plan.second[step]
                x = share * X[first] + (1 - share) * X[second]
                if plan.neighbours is not None:
                    x = problem.with_voted_categories(x, first, plan.neighbours[step])
                if strategy.sampler in SMOTE_SAMPLERS:
                    # Both rows are of one class.
                    label_share = share
                y = row_weights[first, None] * label_share * Y[first]
                y = y + row_weights[second, None] * (1 - label_share) * Y[second]
                y = y.astype(np.float32)
                keep = [tf.constant(layer[step]) for layer in multipliers]
                vectors = tf.constant(class_weight), tf.constant(offset)
                is_focal = strategy.loss == FOCAL
                total += float(
                    self._step(tf.constant(x), tf.constant(y), keep, *vectors, is_focal)
                )
            losses.append(total / plan.steps)
        return losses

    def _take_step(self, x, y, keep, class_weight, offset, is_focal):
        with tf.GradientTape() as tape:
            *layers, last = self.model.layers
            for position, layer in enumerate(layers):
                x = layer(x)
                if position < len(keep):
                    x = x * keep[position]
            log_p = tf.nn.log_softmax(last(x) + offset)
            focal = (1 - tf.exp(log_p)) ** FOCAL_GAMMA if is_focal else 1.0
            loss = tf.reduce_mean(-tf.reduce_sum(class_weight * focal * y * log_p, axis=1))
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.adam.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    def _multipliers(self, seed, epoch, steps, dropout):
        """For each layer with dropout float32 (steps, batch, units): 0, or 1 / (1 - rate)."""
        units = self.hidden[:-1]
        ends = np.cumsum([BATCH_SIZE * n for n in units])[:-1]
        width = BATCH_SIZE * sum(units)
        threshold = np.float32(dropout) * np.float32(2**32)
        keys, multipliers = member_keys([seed], MASK_KEYS, epoch), [[] for _ in units]
        for step in range(steps):
            step_keys = derive_keys(NUMPY, keys, np.array([step], np.uint32))
            bits = random_bits(NUMPY, step_keys, (width,))[0]
            keep = (bits >= np.uint32(threshold)) / np.float32(1 - dropout)
            layers = np.split(keep.astype(np.float32), ends)
            for layer, n, rows in zip(multipliers, units, layers, strict=True):
                layer.append(rows.reshape(BATCH_SIZE, n))
        return [np.array(layer) for layer in multipliers]


@cache
def dense_reference(n_features, hidden, n_classes):
    """The reference of these widths, kept for this process: TensorFlow traces its step once."""
    return DenseReference(n_features, hidden, n_classes)


def fit_by_keras(model, weights, *epochs, batch_size=BATCH_SIZE):
    """Train a compiled model by Keras' own ``fit`` on the batches (x, y) of each epoch.

    Returns:
        The mean loss of each epoch.
    """
    model.set_weights(weights)
    reset(model.optimizer)
    return [
        model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0).history["loss"][0]
        for x, y in epochs
    ]


def reset(optimizer):
    """Put an optimiser back to where it has taken no step."""
    for variable in optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape, variable.dtype))


def assert_same_weights(weights, model, *, atol):
    """A member's weights are those of a model, but for the member axis of biases."""
    for ours, theirs in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(np.reshape(ours, theirs.shape), theirs, atol=atol)
