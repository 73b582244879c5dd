"""Write trained networks as one Keras model of stock layers, which Keras alone can load.

The model takes features as ``features.json`` has them and gives probabilities. Everything that the
engine does to a row is in it: standardising, clipping, the encoder, the mean of an ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.preprocessing import CLIP
from remix_study.deploy.refit import Refit
from remix_study.errors import UsageError
from remix_study.models.networks import Network
from remix_study.training.encoding import Encoder

_SQRT_12 = 12**0.5


def feature_order(encoder: Encoder | None, n_features: int) -> NDArray[np.intp]:
    """Positions of a problem's features in the order in which the model takes them.

    Those that are not encoded come first, so that stock layers can cut them off.
    """
    if encoder is None:
        return np.arange(n_features)
    return np.concatenate([encoder.untouched, encoder.numeric])


def export_network(refit: Refit) -> Any:
    """Make the Keras model of the networks that were trained last.

    Raises:
        UsageError: A network of the user's own has layers that Keras alone cannot load.
    """
    import keras

    task, model = refit.task, refit.configuration.model
    engine = task.engines[-1]
    members = [engine.member_weights(number) for number in range(model.ensemble)]
    if task.problem.dataset.has_images:
        x = keras.Input(task.problem.dataset.row_shape, name="pixels")
        encoded = keras.layers.Rescaling(1 / 255, name="scale")(x)
    else:
        _, _, centre, scale = task.members.features()
        encoder = task.members.encoder(model.features)
        order = feature_order(encoder, centre.shape[1])
        x = keras.Input((len(order),), name="features")
        centre, scale = (np.asarray(a[0, order], np.float32) for a in (centre, scale))
        encoded = _encoded(x, centre, scale, encoder)
    outputs = [
        _member(engine.network, values, encoded, number)
        for number, values in enumerate(members, start=1)
    ]
    mean = keras.layers.Average(name="mean")(outputs) if len(outputs) > 1 else outputs[0]
    return keras.Model(x, mean, name="model")


def _encoded(
    x: Any, centre: NDArray[np.float32], scale: NDArray[np.float32], encoder: Encoder | None
) -> Any:
    """Standardise features in the model's order, and encode those that are encoded."""
    from keras import layers

    x = layers.Rescaling(1.0, offset=-centre, name="centre")(x)
    x = layers.Rescaling(np.float32(1) / scale, name="scale")(x)
    if encoder is None:
        return _clipped(x)
    n_untouched, n_numeric = len(encoder.untouched), len(encoder.numeric)
    column = layers.Reshape((n_untouched + n_numeric, 1))(x)
    numeric = layers.Flatten(name="numeric")(layers.Cropping1D((n_untouched, 0))(column))
    lower, inverse = encoder.lower[0].T, encoder.inverse[0].T
    bins = layers.RepeatVector(len(lower), name="bins")(numeric)
    bins = layers.Rescaling(1.0, offset=-lower, name="lower_edges")(bins)
    bins = layers.Rescaling(inverse, name="inverse_widths")(bins)
    shares = layers.ReLU(max_value=1.0, name="shares")(bins)
    if encoder.features.numeric == "piecewise-linear":
        encoded = layers.Flatten()(layers.Permute((2, 1))(shares))
    else:
        n_bins = np.maximum((inverse > 0).sum(axis=0), 1).astype(np.float32)
        mean = layers.GlobalAveragePooling1D()(shares)
        encoded = layers.Rescaling(np.float32(len(lower)) / n_bins, offset=-0.5)(mean)
        encoded = layers.Rescaling(_SQRT_12, name="quantiles")(encoded)
    if not n_untouched:
        return encoded
    plain = layers.Flatten(name="plain")(layers.Cropping1D((0, n_numeric))(column))
    return layers.Concatenate(name="encoded")([_clipped(plain), encoded])


def _clipped(x: Any) -> Any:
    """Clip to +-5; exact in float32, as each half is cut by itself."""
    from keras import layers

    high = layers.ReLU(max_value=CLIP)(x)
    low = layers.ReLU(max_value=CLIP)(layers.Rescaling(-1.0)(x))
    return layers.Subtract(name="clipped")([high, low])


def _member(network: Network, values: Sequence[NDArray[Any]], x: Any, number: int) -> Any:
    """Probabilities of one network."""
    import keras

    if network.is_stacked:
        pairs = list(zip(values[::2], values[1::2], strict=True))
        for place, (kernel, bias) in enumerate(pairs, start=1):
            activation = "relu" if place < len(pairs) else None
            layer = keras.layers.Dense(
                kernel.shape[1], activation=activation, name=f"dense_{number}_{place}"
            )
            x = layer(x)
            layer.set_weights([kernel, bias.reshape(-1)])
    else:
        _refuse_own_layers(network.infer)
        copy = keras.models.clone_model(network.infer)
        copy.name = f"network_{number}"
        for variable, value in zip(copy.variables, values, strict=True):
            variable.assign(value)
        x = copy(x)
    if not network.has_logits:
        return x
    return keras.layers.Softmax(name=f"probabilities_{number}", dtype="float32")(x)


def _refuse_own_layers(model: Any) -> None:
    """Refuse a network with classes that a process without the user's code does not have.

    Raises:
        UsageError: Names the first such class.
    """
    layers = [model, *model._flatten_layers(include_self=False)]
    foreign = [layer for layer in layers if not type(layer).__module__.startswith("keras.")]
    if foreign:
        raise UsageError(
            f"the network has a layer of its own, {type(foreign[0]).__name__}, which Keras alone "
            "cannot load; build it of Keras' layers, or save the network by your own code"
        )
