"""TabM (Gorishniy et al., 2025): k networks in one, which share their weights but for adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from remix_study.models.networks import Network, Weights, hidden_widths
from remix_study.studyfile.model_options import DEFAULT_DROPOUT, DEFAULT_HEADS, DEFAULT_HIDDEN


def build_tabm(
    n_features: int,
    n_classes: int,
    *,
    hidden: Sequence[int] | str = DEFAULT_HIDDEN,
    dropout: float = DEFAULT_DROPOUT,
    heads: int = DEFAULT_HEADS,
) -> Network:
    """Build TabM of stock Keras layers, for one member.

    Head j has in each hidden layer relu(s_j * (W (r_j * x)) + b_j), where W is shared, and an
    output layer of its own. The loss is the mean of the heads' losses; their probabilities are
    averaged. The r_j of the first layer begin as random signs, all other r and s as ones.

    Args:
        n_features: Number of features d.
        n_classes: Number of classes K.
        hidden: Widths of the hidden layers, or a name of
            :func:`~remix_study.models.networks.hidden_widths`.
        dropout: Share of units dropped after each hidden layer.
        heads: Number of heads k.

    Returns:
        A network whose training model gives logits (batch, k, K), and the other probabilities
        (batch, K).
    """
    import keras

    layers = keras.layers
    widths = hidden_widths(hidden, n_features, n_classes)
    features = keras.Input((n_features,))
    x, n_inputs = layers.RepeatVector(heads)(features), n_features
    for place, units in enumerate(widths, start=1):
        x = layers.EinsumDense("bki,ki->bki", (heads, n_inputs), name=f"r_{place}")(x)
        x = layers.Dense(units, use_bias=False, name=f"shared_{place}")(x)
        x = layers.EinsumDense("bko,ko->bko", (heads, units), bias_axes="ko", name=f"s_{place}")(x)
        x = layers.ReLU()(x)
        if dropout > 0:
            x = layers.Dropout(dropout, seed=0)(x)
        n_inputs = units
    z = layers.EinsumDense("bki,kio->bko", (heads, n_classes), bias_axes="ko", name="heads")(x)
    # In float32 also where other layers compute in bfloat16.
    mean = layers.GlobalAveragePooling1D(dtype="float32")(layers.Softmax(dtype="float32")(z))
    model = keras.Model(features, z)
    return Network(
        train=model,
        infer=keras.Model(features, mean),
        stack=1,
        is_stacked=False,
        mask_units=(),
        dropout=0.0,
        has_logits=False,
        initial_weights=lambda seed: _initial_weights(model, seed),
        heads=heads,
    )


def _initial_weights(model: Any, seed: int) -> Weights:
    """Values of all variables for a seed, the same on every backend."""
    rng = np.random.default_rng([seed, *b"weights"])
    return [_initial_value(variable, rng) for variable in model.variables]


def _initial_value(variable: Any, rng: np.random.Generator) -> Any:
    layer, name = variable.path.split("/")[-2:]
    shape, dtype = tuple(variable.shape), str(variable.dtype)
    if name.startswith("seed"):
        # The state of a Dropout layer: a seed and a counter.
        return np.array([rng.integers(2**31), 0], dtype)
    if name == "bias":
        return np.zeros(shape, dtype)
    if layer == "r_1":
        return rng.choice([-1.0, 1.0], shape).astype(dtype)
    if layer.startswith(("r_", "s_")):
        return np.ones(shape, dtype)
    # Glorot uniform, from the fans of one head.
    limit = np.sqrt(6 / (shape[-2] + shape[-1]))
    return rng.uniform(-limit, limit, shape).astype(dtype)
