"""The paper's network for images, a plain Keras model of one member."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from remix_study.models.network import Network, Weights

# Every trial of a study starts its members from the same weights.
_KEPT = 256


def build_cnn(
    input_shape: tuple[int, ...],
    n_classes: int,
    *,
    filters: Sequence[int] | None = None,
    dense: int = 64,
    padding: str | None = None,
) -> Network:
    """Build convolutions with pooling, a dense layer and a linear output of K logits.

    It trains one member at a time: convolutions of several members at once would be grouped,
    which on a CPU takes a multiple of the time.

    Args:
        input_shape: Height, width and channels of an image.
        n_classes: Number of classes K.
        filters: Of each 3 x 3 convolution (ReLU), a 2 x 2 max pooling after each; 32 and 64 when
            None (the paper's net: Experiments; widths and defaults as its authors coded it).
        dense: Units of the dense layer (ReLU).
        padding: ``valid`` or ``same``; when None ``valid``, Keras' default and so the authors',
            but ``same`` where an image is too small for it.

    Returns:
        A network of one member, its input (batch, height, width, channels).

    Raises:
        UsageError: The images are too small for so many poolings.
    """
    import keras

    filters = (32, 64) if filters is None else tuple(filters)
    sides = [min(_sides(input_shape, len(filters), kind)) for kind in ("valid", "same")]
    if padding is None:
        padding = "valid" if sides[0] > 0 else "same"
    if sides[padding == "same"] < 1:
        from remix_study.errors import UsageError

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

    @lru_cache(_KEPT)
    def initial_weights(seed: int) -> Weights:
        # Glorot uniform as Keras draws it, but the same on every backend.
        rng = np.random.default_rng([seed, *b"weights"])
        weights: Weights = []
        for shape in shapes:
            if len(shape) == 1:
                weights.append(np.zeros(shape, np.float32))
                continue
            field = int(np.prod(shape[:-2]))
            limit = np.sqrt(6 / (field * (shape[-2] + shape[-1])))
            weights.append(rng.uniform(-limit, limit, shape).astype(np.float32))
        return weights

    return Network(
        train=model,
        infer=model,
        stack=1,
        stacked=False,
        mask_units=(),
        dropout=0.0,
        logits=True,
        initial_weights=initial_weights,
    )


def _sides(input_shape: tuple[int, ...], poolings: int, padding: str) -> list[int]:
    """Height and width after the last pooling; not above 0 where nothing is left."""
    sides = list(input_shape[:2])
    for _ in range(poolings):
        sides = [(side - 2 * (padding == "valid")) // 2 for side in sides]
    return sides
