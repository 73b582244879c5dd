"""Build the network that a study file names, and check that it fits the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import msgspec

from remix_study.errors import UsageError
from remix_study.models.custom import build_custom
from remix_study.models.networks import (
    DEFAULT_FILTERS,
    Network,
    build_cnn,
    build_mlp,
    default_padding,
    hidden_widths,
)
from remix_study.models.tabm import build_tabm
from remix_study.studyfile.model_options import BUILT_IN_MODELS


def build_network(
    name: str,
    *,
    stack: int,
    input_shape: tuple[int, ...],
    n_classes: int,
    options: Mapping[str, Any],
    allow_plugins: bool = True,
) -> Network:
    """Build the network that a study file names.

    Args:
        name: ``mlp``, ``tabm``, ``cnn``, ``package.module:function`` or a name registered as an
            entry point.
        stack: Members to train at once; only ``mlp`` stacks members, others train one at a time.
        input_shape: Shape of one row.
        n_classes: Number of classes.
        options: Keyword arguments of the network's builder.
        allow_plugins: Whether a user's own code may be imported.

    Raises:
        UsageError: The name is unknown, or its model does not fit the data.
    """
    check_input_shape(name, input_shape)
    if name == "mlp":
        return build_mlp(stack, input_shape[0], n_classes, **options)
    if name == "tabm":
        return build_tabm(input_shape[0], n_classes, **options)
    if name == "cnn":
        return build_cnn(input_shape, n_classes, **options)
    return build_custom(name, input_shape, n_classes, options, allow_plugins=allow_plugins)


def resolved_options(
    name: str, options: Mapping[str, Any], input_shape: tuple[int, ...], n_classes: int
) -> dict[str, Any]:
    """Every option of a built-in network with the value that it has on these data.

    The options of a user's own network are returned as they are: only its builder knows the rest.
    """
    if name not in BUILT_IN_MODELS:
        return dict(options)
    values = msgspec.to_builtins(msgspec.convert(options, BUILT_IN_MODELS[name]))
    if "hidden" in values:
        values["hidden"] = hidden_widths(values["hidden"], input_shape[0], n_classes)
        return values  # type: ignore[no-any-return]
    values["filters"] = values["filters"] or DEFAULT_FILTERS
    values["padding"] = values["padding"] or default_padding(input_shape, len(values["filters"]))
    return values  # type: ignore[no-any-return]


def check_input_shape(name: str, input_shape: tuple[int, ...]) -> None:
    """Check that the dense network gets tables and the convolutional one images.

    Raises:
        UsageError: It does not; the message says which network to take.
    """
    has_images = len(input_shape) == 3
    if has_images and name in ("mlp", "tabm"):
        size = " x ".join(map(str, input_shape))
        raise UsageError(
            f'model "{name}" takes tables, and these are images of {size}: set model.name to '
            '"cnn", or to a network of your own'
        )
    if not has_images and name == "cnn":
        raise UsageError(
            f'model "cnn" takes images, and these are rows of {input_shape[0]} numbers: set '
            'model.name to "mlp", or to a network of your own'
        )


@contextmanager
def layer_precision(name: Literal["float32", "mixed"]) -> Iterator[None]:
    """Build layers in float32, or such that compute in bfloat16 with float32 weights."""
    import keras

    if name == "float32":
        yield
        return
    previous_policy = keras.config.dtype_policy()
    # bfloat16 has fewer digits than float16 but float32's range: the loss needs no scaling.
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous_policy)
