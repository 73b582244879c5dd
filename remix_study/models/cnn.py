"""The paper's convolutional network for images: a plain Keras model of one member."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from remix_study.errors import UsageError
from remix_study.models.network import Network, Weights
from remix_study.studyfile.model_options import DEFAULT_DENSE_UNITS

DEFAULT_FILTERS = (32, 64)
"""Filters of the convolutions where the study file names none."""

# Members whose initial weights are cached: every trial of a study starts them from the same ones.
_N_CACHED = 256


def build_cnn(
    input_shape: tuple[int, ...],
    n_classes: int,
    *,
    filters: Sequence[int] | None = None,
    dense: int = DEFAULT_DENSE_UNITS,
    padding: str | None = None,
) -> Network:
    """Build convolutions with pooling, a dense layer and a linear output of K logits.

    Members train one at a time: convolutions of several members at once would be grouped
    convolutions, which take several times as long on a CPU.

    Args:
        input_shape: Height, width and channels of an image.
        n_classes: Number of classes K.
        filters: Filters of each 3 x 3 convolution (ReLU), each followed by 2 x 2 max pooling; 32
            and 64 when None (the paper's network; widths from its authors' code).
        dense: Units of the dense layer (ReLU).
        padding: ``valid`` or ``same``; when None ``valid``, the default of Keras and thus of the
            authors' code, but ``same`` where an image is too small for it.

    Returns:
        A network of one member with input (batch, height, width, channels).

    Raises:
        UsageError: The images are too small for so many pooling layers.
    """
    import keras

    filters = DEFAULT_FILTERS if filters is None else tuple(filters)
    padding = padding or default_padding(input_shape, len(filters))
    if _shortest_side(input_shape, len(filters), padding) < 1:
        size = " x ".join(map(str, input_shape[:2]))
        raise UsageError(
            f'model "cnn": images of {size} are too small for {len(filters)} convolutions with '
            f'pooling under padding "{padding}"; give fewer filters'
        )
    layers = keras.layers
    model = keras.Sequential([keras.Input(input_shape)])
    for width in filters:
        model.add(layers.Conv2D(width, 3, padding=padding, activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(dense, activation="relu"))
    model.add(layers.Dense(n_classes))
    shapes = [tuple(v.shape) for v in model.variables]

    @lru_cache(_N_CACHED)
    def initial_weights(seed: int) -> Weights:
        # Glorot uniform as in Keras, but with the same draws on every backend.
        rng = np.random.default_rng([seed, *b"weights"])
        weights: Weights = []
        for shape in shapes:
            if len(shape) == 1:
                weights.append(np.zeros(shape, np.float32))
                continue
            receptive_field = int(np.prod(shape[:-2]))
            limit = np.sqrt(6 / (receptive_field * (shape[-2] + shape[-1])))
            weights.append(rng.uniform(-limit, limit, shape).astype(np.float32))
        return weights

    return Network(
        train=model,
        infer=model,
        stack=1,
        is_stacked=False,
        mask_units=(),
        dropout=0.0,
        has_logits=True,
        initial_weights=initial_weights,
    )


def default_padding(input_shape: tuple[int, ...], n_convolutions: int) -> str:
    """``valid``, but ``same`` where an image is too small for it."""
    return "valid" if _shortest_side(input_shape, n_convolutions, "valid") > 0 else "same"


def _shortest_side(input_shape: tuple[int, ...], poolings: int, padding: str) -> int:
    """The shorter of height and width after the last pooling; 0 or less if nothing is left."""
    side = min(input_shape[:2])
    for _ in range(poolings):
        side = (side - 2 * (padding == "valid")) // 2
    return side
