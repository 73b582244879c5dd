"""Networks by name: two that are built in, or anyone's own Keras model by dotted name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from remix_study.errors import UsageError
from remix_study.models.augmentation import Augmentation, build_augmentation
from remix_study.models.cnn import build_cnn
from remix_study.models.custom import build_custom
from remix_study.models.mlp import build_mlp, paper_width
from remix_study.models.network import Network

BUILT_IN = ("mlp", "cnn")

__all__ = [
    "BUILT_IN",
    "Augmentation",
    "Network",
    "build",
    "build_augmentation",
    "check_rows",
    "paper_width",
    "precision",
]


def build(
    name: str,
    *,
    stack: int,
    input_shape: tuple[int, ...],
    n_classes: int,
    options: Mapping[str, Any],
) -> Network:
    """Build the network that a study file names.

    Args:
        name: ``mlp``, ``cnn``, ``package.module:function`` or a name registered as an entry point.
        stack: Members to train at once; a network that knows no member axis takes one at a time.
        input_shape: Shape of one row.
        n_classes: Number of classes.
        options: Of the built-in nets those of their builders, or a user's own keys.

    Raises:
        UsageError: The name cannot be resolved, or its model does not fit the data.
    """
    check_rows(name, input_shape)
    if name == "mlp":
        return build_mlp(stack, input_shape[0], n_classes, **options)
    if name == "cnn":
        return build_cnn(input_shape, n_classes, **options)
    return build_custom(name, input_shape, n_classes, options)


def check_rows(name: str, input_shape: tuple[int, ...]) -> None:
    """Refuse images for the dense net and tables for the convolutional one.

    Raises:
        UsageError: Says which network to take.
    """
    images = len(input_shape) == 3
    if images and name == "mlp":
        size = " x ".join(map(str, input_shape))
        raise UsageError(
            f'model "mlp" takes tables, and these are images of {size}: set model.name to "cnn", '
            "or to a network of your own"
        )
    if not images and name == "cnn":
        raise UsageError(
            f'model "cnn" takes images, and these are rows of {input_shape[0]} numbers: set '
            'model.name to "mlp", or to a network of your own'
        )


@contextmanager
def precision(name: Literal["float32", "mixed"]) -> Iterator[None]:
    """Build layers that compute in bfloat16 and keep their weights in float32, or plain ones."""
    import keras

    if name == "float32":
        yield
        return
    before = keras.config.dtype_policy()
    # Half the digits of float16 but float32's range: the loss needs no scaling.
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
