"""Random transformations of images: Keras preprocessing layers with seeds from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from remix_study.errors import UsageError
from remix_study.models.custom import resolve

# Images that a pipeline is tried on.
_ROWS = 4


@dataclass(frozen=True, eq=False)
class Augmentation:
    """Keras layers whose random draws are a function of the seeds they are called with.

    Attributes:
        layer: The pipeline.
        states: The states of its random generators.
    """

    layer: Any
    states: tuple[Any, ...]

    @property
    def generators(self) -> int:
        """How many seeds a call takes."""
        return len(self.states)

    def __call__(self, images: Any, seeds: Any) -> Any:
        """Transform images.

        Args:
            images: float32 (batch, height, width, channels), pixels 0 to 255.
            seeds: uint32 (generators, 2).

        Returns:
            As ``images``.
        """
        import keras
        from keras import ops

        mapping = [
            (state, ops.cast(seeds[place], state.dtype)) for place, state in enumerate(self.states)
        ]
        with keras.StatelessScope(state_mapping=mapping):
            return ops.cast(self.layer(images, training=True), "float32")


def build_augmentation(
    name: str, input_shape: tuple[int, ...], options: Mapping[str, Any]
) -> Augmentation:
    """Build the pipeline that a study file names.

    Args:
        name: ``rotate-shift`` (the paper's: rotation by up to 20 degrees, shifts by up to 0.2 of
            width and height), or the dotted name of ``build(input_shape, **options)`` that
            returns a Keras layer or a Sequential of layers.
        input_shape: Height, width and channels of an image.
        options: ``rotation`` in degrees, ``shift`` as a share and ``fill`` of what comes in from
            outside; or a user's own keys.

    Raises:
        UsageError: The name cannot be resolved, or what it builds is no layer, learns weights,
            changes the shape of images or cannot be applied to them.
    """
    import keras

    if name == "rotate-shift":
        layer = rotate_shift(**options)
    else:
        builder = resolve(name, "augmentation")
        try:
            layer = builder(input_shape, **options)
        except Exception as error:
            # The user's own code may fail in any way.
            raise UsageError(f'augmentation "{name}" cannot be built: {error}') from error
    if not isinstance(layer, keras.Layer):
        kind = type(layer).__name__
        raise UsageError(f'augmentation "{name}" returned {kind}, not a Keras layer')
    mixing = [type(part).__name__ for part in layer._flatten_layers()]
    for kind in ("MixUp", "CutMix"):
        if kind in mixing:
            # Given images alone, Keras blends them without a word about their labels.
            raise UsageError(
                f'augmentation "{name}" holds {kind}, which would blend images and not their '
                'labels; the strategies "mixup" and "remix" blend both'
            )
    images = np.random.default_rng(0).integers(0, 256, (_ROWS, *input_shape))
    try:
        found = np.asarray(layer(images.astype(np.float32), training=True))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(
            f'augmentation "{name}" cannot be applied to images of shape {input_shape} ({reason})'
        ) from error
    if layer.trainable_variables:
        raise UsageError(f'augmentation "{name}" has weights to learn; use preprocessing layers')
    if found.shape != images.shape:
        raise UsageError(
            f'augmentation "{name}" makes images of shape {found.shape[1:]} of '
            f"{input_shape}; they must keep their shape"
        )
    states = tuple(v for v in layer.variables if v.path.endswith("seed_generator_state"))
    return Augmentation(layer, states)


def rotate_shift(rotation: float = 20, shift: float = 0.2, fill: str = "nearest") -> Any:
    """Turn by up to ``rotation`` degrees either way, then shift by up to a share of each side."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.RandomRotation(rotation / 360, fill_mode=fill),
            layers.RandomTranslation(shift, shift, fill_mode=fill),
        ]
    )
