"""The paper's dense network, built as parallel copies that share one program."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from remix_study.models.network import Network, Weights

# Every trial of a study starts its members from the same weights.
_KEPT = 256


def paper_width(n_features: int, n_classes: int) -> int:
    """Width of the paper's hidden layers, int(2 (d + K) / 3)."""
    return max(1, int(2 * (n_features + n_classes) / 3))


def build_mlp(
    stack: int,
    n_features: int,
    n_classes: int,
    *,
    hidden: Sequence[int] | None = None,
    dropout: float = 0.1,
) -> Network:
    """Build ``stack`` copies of a ReLU network with a linear output of K logits.

    Every layer is one batched product over the member axis (``EinsumDense`` "mbi,mio->mbo"), so
    a step of all folds costs one kernel call a layer. Dropout masks are inputs: drawing them
    outside keeps the compiled step fast and makes them a function of member and epoch alone.

    Args:
        stack: Number of members M.
        n_features: Number of features d.
        n_classes: Number of classes K.
        hidden: Widths of the hidden layers; three of int(2 (d + K) / 3) when None (the paper's
            net: "three layer, 0.1 dropout, relu", Experiments; width as its authors coded it).
        dropout: Share of units dropped after each hidden layer but the last.

    Returns:
        A stacked network; its inputs are x (M, batch, d) and one keep multiplier
        (M, batch, units) for each layer with dropout.
    """
    import keras

    widths = tuple(hidden) if hidden is not None else (paper_width(n_features, n_classes),) * 3
    mask_units = widths[:-1] if dropout > 0 else ()

    def dense(units: int, activation: str | None) -> keras.layers.Layer:
        return keras.layers.EinsumDense(
            "mbi,mio->mbo", output_shape=(None, units), bias_axes="mo", activation=activation
        )

    layers = [dense(units, "relu") for units in widths] + [dense(n_classes, None)]
    x = keras.Input(batch_shape=(stack, None, n_features))
    keep = [keras.Input(batch_shape=(stack, None, units)) for units in mask_units]
    masked = plain = x
    for position, layer in enumerate(layers):
        masked, plain = layer(masked), layer(plain)
        if position < len(keep):
            masked = keras.layers.Multiply()([masked, keep[position]])

    fans = list(zip((n_features, *widths), (*widths, n_classes), strict=True))

    @lru_cache(_KEPT)
    def initial_weights(seed: int) -> Weights:
        # Glorot uniform from each member's own fans and stream: Keras' initializer would count
        # the member axis into the fans, and its draws differ between backends.
        rng = np.random.default_rng([seed, *b"weights"])
        weights: Weights = []
        for fan_in, fan_out in fans:
            limit = np.sqrt(6 / (fan_in + fan_out))
            weights.append(rng.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32))
            weights.append(np.zeros((1, fan_out), np.float32))
        return weights

    return Network(
        train=keras.Model([x, *keep], masked),
        infer=keras.Model(x, plain),
        stack=stack,
        stacked=True,
        mask_units=mask_units,
        dropout=dropout,
        logits=True,
        initial_weights=initial_weights,
    )
