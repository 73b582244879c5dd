"""Random transformations of images: Keras layers whose seeds are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from remix_study.errors import UsageError
from remix_study.models.custom import import_builder
from remix_study.models.user_code import user_code
from remix_study.studyfile.model_options import (
    BUILT_IN_AUGMENTATION,
    DEFAULT_FILL,
    DEFAULT_ROTATION,
    DEFAULT_SHIFT,
)

# Images on which a pipeline is tried when it is built.
_N_TRIED = 4


@dataclass(frozen=True, eq=False)
class Augmentation:
    """Keras layers whose random draws depend only on the seeds of the call.

    Attributes:
        layer: The Keras layer or Sequential of layers.
        states: State variables of its random generators.
    """

    layer: Any
    states: tuple[Any, ...]

    @property
    def generators(self) -> int:
        """Number of random generators, each of which takes a seed."""
        return len(self.states)

    def __call__(self, images: Any, seeds: Any) -> Any:
        """Transform images.

        Args:
            images: float32 (batch, height, width, channels), pixels 0 to 255.
            seeds: uint32 (generators, 2).

        Returns:
            float32, the shape of ``images``.
        """
        import keras
        from keras import ops

        mapping = [(state, ops.cast(seeds[i], state.dtype)) for i, state in enumerate(self.states)]
        with keras.StatelessScope(state_mapping=mapping):
            return ops.cast(self.layer(images, training=True), "float32")


def build_augmentation(
    name: str,
    input_shape: tuple[int, ...],
    options: Mapping[str, Any],
    *,
    allow_plugins: bool = True,
) -> Augmentation:
    """Build the augmentation that a study file names.

    Args:
        name: ``rotate-shift`` (the paper's: rotation by up to 20 degrees, shifts by up to 0.2 of
            width and height), or the dotted name of ``build(input_shape, **options)`` that
            returns a Keras layer or a Sequential of layers.
        input_shape: Height, width and channels of an image.
        options: Keyword arguments of the builder; for ``rotate-shift`` those of
            `rotate_shift`.
        allow_plugins: Whether a user's own code may be imported.

    Raises:
        UsageError: The name cannot be resolved, or the result is not a Keras layer, has weights
            to learn, changes the shape of images or cannot be applied to them.
    """
    import keras

    if name == BUILT_IN_AUGMENTATION:
        layer = rotate_shift(**options)
    else:
        builder = import_builder(name, "augmentation", allow_plugins=allow_plugins)
        with user_code("augmentation", name, "built"):
            layer = builder(input_shape, **options)
    if not isinstance(layer, keras.Layer):
        kind = type(layer).__name__
        raise UsageError(f'augmentation "{name}" returned {kind}, not a Keras layer')
    kinds = [type(part).__name__ for part in layer._flatten_layers()]
    for kind in ("MixUp", "CutMix"):
        if kind in kinds:
            # Called with images only, Keras blends them and leaves their labels as they are.
            raise UsageError(
                f'augmentation "{name}" holds {kind}, which would blend images and not their '
                'labels; the strategies "mixup" and "remix" blend both'
            )
    images = np.random.default_rng(0).integers(0, 256, (_N_TRIED, *input_shape))
    try:
        transformed = np.asarray(layer(images.astype(np.float32), training=True))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(
            f'augmentation "{name}" cannot be applied to images of shape {input_shape} ({reason})'
        ) from error
    if layer.trainable_variables:
        raise UsageError(f'augmentation "{name}" has weights to learn; use preprocessing layers')
    if transformed.shape != images.shape:
        raise UsageError(
            f'augmentation "{name}" makes images of shape {transformed.shape[1:]} of '
            f"{input_shape}; they must keep their shape"
        )
    states = tuple(v for v in layer.variables if v.path.endswith("seed_generator_state"))
    return Augmentation(layer, states)


def rotate_shift(
    rotation: float = DEFAULT_ROTATION, shift: float = DEFAULT_SHIFT, fill: str = DEFAULT_FILL
) -> Any:
    """Rotate and then shift images at random.

    Args:
        rotation: Largest angle in degrees, in either direction.
        shift: Largest shift as a share of height and of width.
        fill: Keras' ``fill_mode`` for the pixels that come in from outside.

    Returns:
        A Keras Sequential of two layers.
    """
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.RandomRotation(rotation / 360, fill_mode=fill),
            layers.RandomTranslation(shift, shift, fill_mode=fill),
        ]
    )
