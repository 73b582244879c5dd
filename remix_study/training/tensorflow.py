"""The compiled parts of training for the TensorFlow backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from remix_study.data.preprocessing import CLIP
from remix_study.models.network import Network, Weights
from remix_study.training.adam import MemberAdam

# Masks are 16-bit: a rate is met to within 1 / 65,536.
_LEVELS = 2**16
_SMALLEST = 1e-7


@dataclass(frozen=True, eq=False)
class Data:
    """What stays on the device for a whole study: X float32 (n, d), y int32 (n,)."""

    X: Any
    y: Any


@dataclass(frozen=True, eq=False)
class Inputs:
    """What differs between members: preprocessing (M, d), terms of the loss (M, K)."""

    fill: Any
    centre: Any
    scale: Any
    class_weight: Any
    offset: Any


class Program:
    """One compiled training step and one compiled forward pass, used for every trial.

    Compiled once for a network, a batch size, a chunk length and a number of rows. Weights and
    the state of the optimiser are swapped, never rebuilt.
    """

    def __init__(self, network: Network, *, n_classes: int, jit: bool) -> None:
        """Trace nothing yet: the first call of each function compiles it."""
        self.network = network
        self.n_classes = n_classes
        shape = (network.stack, 1, 1) if network.stacked else ()
        self._rate = keras.Variable(np.zeros(shape, np.float32), trainable=False)
        steps = keras.Variable(np.zeros(shape, np.float32), trainable=False)
        self._adam = MemberAdam(self._rate, steps)
        self._adam.build(network.train.trainable_variables)
        self._variables = list(network.train.variables)
        self._best = [tf.Variable(v.value) for v in self._variables]
        self._dropout = tf.constant(network.dropout, tf.float32)
        self._train = tf.function(self._train_chunk, jit_compile=jit)
        self._infer = tf.function(self._forward, jit_compile=jit)
        self._keep = tf.function(self._keep_best, jit_compile=jit)

    def data(self, X: NDArray[np.float32], y: NDArray[np.int32]) -> Data:
        """Put the rows of a problem on the device."""
        return Data(tf.constant(X, tf.float32), tf.constant(y, tf.int32))

    def inputs(
        self,
        fill: NDArray[Any],
        centre: NDArray[Any],
        scale: NDArray[Any],
        class_weight: NDArray[Any],
        offset: NDArray[Any],
    ) -> Inputs:
        """Put what differs between members on the device."""
        arrays = (fill, centre, scale, class_weight, offset)
        return Inputs(*(tf.constant(a, tf.float32) for a in arrays))

    def reset(self, weights: Sequence[Weights]) -> None:
        """Start the members from these weights, with an optimiser that has taken no step."""
        for position, variable in enumerate(self._variables):
            values = [member[position] for member in weights]
            variable.assign(np.stack(values) if self.network.stacked else values[0])
        for best, variable in zip(self._best, self._variables, strict=True):
            best.assign(variable.value)
        for variable in self._adam.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        self._adam.member_steps.assign(np.zeros(self._adam.member_steps.shape, np.float32))

    def set_dropout(self, dropout: float) -> None:
        """Set the share of units dropped; the masks stay the same numbers."""
        self._dropout = tf.constant(dropout, tf.float32)

    def set_rates(self, rates: NDArray[np.float64]) -> None:
        """Set the learning rate of each member, shape (M,)."""
        self._rate.assign(rates.astype(np.float32).reshape(self._rate.shape))

    def train(
        self,
        data: Data,
        inputs: Inputs,
        plan: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]],
        masks: NDArray[np.uint16],
        active: NDArray[np.float32],
        steps: int,
    ) -> NDArray[np.float32]:
        """Take ``steps`` steps of a chunk.

        Args:
            data: Rows of the problem.
            inputs: What differs between members.
            plan: first, second (int32), weight, label_weight (float32), each (chunk, M, batch).
            masks: uint16 (M, chunk, batch * sum of mask units); a width of 0 without dropout.
            active: (chunk, M), 1 where a member takes the step.
            steps: How many of the chunk's steps are real.

        Returns:
            Sum over the steps of each member's mean training loss, (M,).
        """
        first, second, weight, label_weight = plan
        losses = self._train(
            data.X,
            data.y,
            inputs.fill,
            inputs.centre,
            inputs.scale,
            inputs.class_weight,
            inputs.offset,
            tf.constant(first),
            tf.constant(second),
            tf.constant(weight),
            tf.constant(label_weight),
            tf.constant(masks),
            tf.constant(active),
            self._dropout,
            tf.constant(steps, tf.int32),
        )
        return losses.numpy()  # type: ignore[no-any-return]

    def forward(self, data: Data, inputs: Inputs, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logits (or log-probabilities) of the given rows (M, R), shape (M, R, K)."""
        return self._infer(  # type: ignore[no-any-return]
            data.X, inputs.fill, inputs.centre, inputs.scale, tf.constant(rows)
        ).numpy()

    def keep_best(self, improved: NDArray[np.bool_]) -> None:
        """Remember the present weights of the members where ``improved``, shape (M,)."""
        self._keep(tf.constant(improved))

    def restore_best(self) -> None:
        """Go back to the remembered weights of every member."""
        for best, variable in zip(self._best, self._variables, strict=True):
            variable.assign(best)

    def member_weights(self, member: int) -> Weights:
        """Present weights of one member, without the member axis."""
        values = [np.asarray(v) for v in self._variables]
        return [v[member] for v in values] if self.network.stacked else values

    def _keep_best(self, improved: Any) -> None:
        for best, variable in zip(self._best, self._variables, strict=True):
            shape = [-1] + [1] * (len(best.shape) - 1)
            on = tf.reshape(improved, shape) if self.network.stacked else improved[0]
            best.assign(tf.where(on, variable.value, best))

    def _prepare(self, x: Any, fill: Any, centre: Any, scale: Any) -> Any:
        """Impute, standardise and clip gathered rows (M, batch, d) as each member learned to."""
        x = tf.where(tf.math.is_nan(x), fill[:, None, :], x)
        return tf.clip_by_value((x - centre[:, None, :]) / scale[:, None, :], -CLIP, CLIP)

    def _call(self, model: Any, x: Any, keep: list[Any], *, training: bool) -> Any:
        if self.network.stacked:
            z = model([x, *keep] if keep else x, training=training)
        else:
            z = model(x[0], training=training)[None]
        return z if self.network.logits else tf.math.log(tf.maximum(z, _SMALLEST))

    def _forward(self, X: Any, fill: Any, centre: Any, scale: Any, rows: Any) -> Any:
        x = self._prepare(tf.gather(X, rows), fill, centre, scale)
        return self._call(self.network.infer, x, [], training=False)

    def _keep_multipliers(self, masks: Any, batch: int, dropout: Any) -> list[Any]:
        """Turn the masks of one step (M, batch * units) into multipliers of 0 or 1/(1-rate)."""
        threshold = tf.cast(tf.round(dropout * _LEVELS), tf.int32)
        multipliers, start = [], 0
        for units in self.network.mask_units:
            mask = masks[:, start : start + batch * units]
            mask = tf.cast(tf.reshape(mask, (self.network.stack, batch, units)), tf.int32)
            multipliers.append(tf.where(mask >= threshold, 1 / (1 - dropout), 0.0))
            start += batch * units
        return multipliers

    def _train_chunk(
        self,
        X: Any,
        y: Any,
        fill: Any,
        centre: Any,
        scale: Any,
        class_weight: Any,
        offset: Any,
        first: Any,
        second: Any,
        weight: Any,
        label_weight: Any,
        masks: Any,
        active: Any,
        dropout: Any,
        steps: Any,
    ) -> Any:
        batch = first.shape[2]
        trainable = self.network.train.trainable_variables

        def step(i: Any, losses: Any) -> tuple[Any, Any]:
            one, other, share = first[i], second[i], weight[i][..., None]
            x = share * self._prepare(tf.gather(X, one), fill, centre, scale)
            x += (1 - share) * self._prepare(tf.gather(X, other), fill, centre, scale)
            share = label_weight[i][..., None]
            labels = share * tf.one_hot(tf.gather(y, one), self.n_classes)
            labels += (1 - share) * tf.one_hot(tf.gather(y, other), self.n_classes)
            keep = self._keep_multipliers(masks[:, i], batch, dropout)
            with tf.GradientTape() as tape:
                z = self._call(self.network.train, x, keep, training=True)
                fit = tf.nn.log_softmax(z + offset[:, None, :])
                loss = -tf.reduce_sum(class_weight[:, None, :] * labels * fit, axis=2)
                loss = tf.reduce_mean(loss, axis=1)
                # Summed, not averaged: a mean would scale each member's gradient by 1 / M.
                total = tf.reduce_sum(loss)
            gradients = tape.gradient(total, trainable)
            on = active[i]
            self._adam.active = on[:, None, None] if self.network.stacked else on[0]
            self._adam.apply(gradients, trainable)
            return i + 1, losses + tf.where(on > 0, loss, 0.0)

        # A scalar bound: tf.range would be compiled anew for every length.
        start = (tf.constant(0), tf.zeros((self.network.stack,)))
        return tf.while_loop(lambda i, _: i < steps, step, start)[1]
