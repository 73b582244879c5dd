"""Networks by name: the built-in dense net, or anyone's own Keras model by dotted name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from remix_study.models.custom import build_custom
from remix_study.models.mlp import build_mlp, paper_width
from remix_study.models.network import Network

BUILT_IN = ("mlp",)

__all__ = ["BUILT_IN", "Network", "build", "paper_width", "precision"]


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
        name: ``mlp``, ``package.module:function`` or a name registered as an entry point.
        stack: Members to train at once; a network that knows no member axis takes one at a time.
        input_shape: Shape of one row.
        n_classes: Number of classes.
        options: ``hidden`` and ``dropout`` of the built-in net, or a user's own keys.

    Raises:
        UsageError: The name cannot be resolved, or its model does not fit the data.
    """
    if name == "mlp":
        return build_mlp(stack, input_shape[0], n_classes, **options)
    return build_custom(name, input_shape, n_classes, options)


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
