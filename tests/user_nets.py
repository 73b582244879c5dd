"""Keras models that know no member axis, as a user would write them, good and bad."""

from __future__ import annotations

import keras
import numpy as np


def dense(input_shape, n_classes, width=8):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Dense(width, "relu"),
            keras.layers.Dense(n_classes),
        ]
    )


def conv(input_shape, n_classes):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Reshape((*input_shape, 1)),
            keras.layers.Conv1D(4, 3, activation="relu", padding="same"),
            keras.layers.MaxPooling1D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(n_classes),
        ]
    )


def batch_norm(input_shape, n_classes):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            # A bias before batch norm has no gradient but rounding, which Adam blows up.
            keras.layers.Dense(8, use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.Dense(n_classes, activation="softmax"),
        ]
    )


def attention(input_shape, n_classes):
    inputs = keras.Input(input_shape)
    x = keras.layers.Reshape((*input_shape, 1))(inputs)
    x = keras.layers.Dense(4)(x)
    x = x + keras.layers.MultiHeadAttention(2, 2)(x, x)
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(n_classes)(x))


def penalised(input_shape, n_classes):
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Dense(n_classes, kernel_regularizer="l2")]
    )


def dropout(input_shape, n_classes, rate=0.5):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Dense(8, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(rate),
            keras.layers.Dense(n_classes),
        ]
    )


class Subclassed(keras.Model):
    """Learns its input's shape when it is called; hands on whether it trains."""

    def __init__(self, n_classes):
        super().__init__()
        self.inner = keras.layers.Dense(8, "relu", use_bias=False)
        self.norm = keras.layers.BatchNormalization()
        self.outer = keras.layers.Dense(n_classes)

    def call(self, x, training=None):
        return self.outer(self.norm(self.inner(x), training=training))


def subclassed(input_shape, n_classes):  # noqa: ARG001
    return Subclassed(n_classes)


def two_inputs(input_shape, n_classes):
    one, other = keras.Input(input_shape), keras.Input(input_shape)
    return keras.Model([one, other], keras.layers.Dense(n_classes)(one + other))


def two_outputs(input_shape, n_classes):
    x = keras.Input(input_shape)
    return keras.Model(x, [keras.layers.Dense(n_classes)(x), keras.layers.Dense(1)(x)])


def one_column(input_shape, n_classes):  # noqa: ARG001
    return dense(input_shape, 1)


def images(input_shape, n_classes):  # noqa: ARG001
    return dense((8, 8), n_classes)


def sigmoids(input_shape, n_classes):
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Dense(n_classes, activation="sigmoid")]
    )


class _Raising(keras.Model):
    def call(self, rows):  # noqa: ARG002
        raise RuntimeError("no rows today")


def raises(input_shape, n_classes):  # noqa: ARG001
    return _Raising()


def no_model(input_shape, n_classes):  # noqa: ARG001
    return "a model"


def fixed_start(network):
    """A start that does not hang on how a backend draws: (seed) -> weights."""

    def initial_weights(seed):
        rng = np.random.default_rng(seed)
        return [
            np.asarray(v)
            if v.dtype != "float32" or "moving" in v.path or "gamma" in v.path
            else rng.normal(0, 0.4, v.shape).astype(np.float32)
            for v in network.train.variables
        ]

    return initial_weights
