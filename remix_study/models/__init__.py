"""Networks by name: the built-in dense net, or anyone's own Keras model by dotted name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remix_study.models.custom import build_custom
from remix_study.models.mlp import build_mlp, paper_width
from remix_study.models.network import Network

BUILT_IN = ("mlp",)

__all__ = ["BUILT_IN", "Network", "build", "paper_width"]


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
        name: ``mlp`` or ``package.module:function``.
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
