"""The paper's dense network for tables, one copy for each member of a stack in one model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from remix_study.models.network import Network, Weights
from remix_study.studyfile.model_options import DEFAULT_DROPOUT

# Members whose initial weights are cached: every trial of a study starts them from the same ones.
_N_CACHED = 256


def paper_width(n_features: int, n_classes: int) -> int:
    """Width of the paper's hidden layers, int(2 (d + K) / 3)."""
    return max(1, int(2 * (n_features + n_classes) / 3))


def default_hidden(n_features: int, n_classes: int) -> tuple[int, ...]:
    """Widths of the hidden layers of a network whose study file names none."""
    return (paper_width(n_features, n_classes),) * 3


def build_mlp(
    stack: int,
    n_features: int,
    n_classes: int,
    *,
    hidden: Sequence[int] | None = None,
    dropout: float = DEFAULT_DROPOUT,
) -> Network:
    """Build ``stack`` copies of a ReLU network with a linear output of K logits.

    Every layer is one batched product over the member axis (``EinsumDense`` "mbi,mio->mbo"), so
    that a step of all members is one kernel call for each layer. Dropout masks are inputs: drawn
    outside, they keep the compiled step fast and depend on member and epoch alone.

    Args:
        stack: Number of members M.
        n_features: Number of features d.
        n_classes: Number of classes K.
        hidden: Widths of the hidden layers; three of int(2 (d + K) / 3) when None (the paper's
            network: "three layer, 0.1 dropout, relu", Experiments; width from its authors' code).
        dropout: Share of units dropped after each hidden layer but the last.

    Returns:
        A stacked network with inputs x (M, batch, d) and one keep multiplier (M, batch, units)
        for each layer with dropout.
    """
    import keras

    widths = tuple(hidden) if hidden is not None else default_hidden(n_features, n_classes)
    mask_units = widths[:-1] if dropout > 0 else ()

    def dense(units: int, activation: str | None) -> keras.layers.Layer:
        return keras.layers.EinsumDense(
            "mbi,mio->mbo", output_shape=(None, units), bias_axes="mo", activation=activation
        )

    layers = [dense(units, "relu") for units in widths] + [dense(n_classes, None)]
    x = keras.Input(batch_shape=(stack, None, n_features))
    keep = [keras.Input(batch_shape=(stack, None, units)) for units in mask_units]
    train_output = infer_output = x
    for position, layer in enumerate(layers):
        train_output, infer_output = layer(train_output), layer(infer_output)
        if position < len(keep):
            train_output = keras.layers.Multiply()([train_output, keep[position]])

    fans = list(zip((n_features, *widths), (*widths, n_classes), strict=True))

    @lru_cache(_N_CACHED)
    def initial_weights(seed: int) -> Weights:
        # Glorot uniform with fans and a seed of each member: Keras' initializer would count the
        # member axis into the fans, and its draws differ between backends.
        rng = np.random.default_rng([seed, *b"weights"])
        weights: Weights = []
        for fan_in, fan_out in fans:
            limit = np.sqrt(6 / (fan_in + fan_out))
            weights.append(rng.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32))
            weights.append(np.zeros((1, fan_out), np.float32))
        return weights

    return Network(
        train=keras.Model([x, *keep], train_output),
        infer=keras.Model(x, infer_output),
        stack=stack,
        is_stacked=True,
        mask_units=mask_units,
        dropout=dropout,
        has_logits=True,
        initial_weights=initial_weights,
    )
