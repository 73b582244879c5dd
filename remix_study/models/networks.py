"""The network that the training engine trains, and the paper's two, for tables and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.errors import UsageError
from remix_study.studyfile.model_options import (
    DEFAULT_DENSE_UNITS,
    DEFAULT_DROPOUT,
    DEFAULT_HIDDEN,
)

Weights = list[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Network:
    """A Keras network that trains ``stack`` members at once.

    Attributes:
        train: Keras model for training. Stacked: inputs ``[x, *keep]`` with x of shape
            (stack, batch, d) and, for each masked layer, multipliers of shape
            (stack, batch, units). Otherwise a model of one member, x of shape (batch, ...).
        infer: The model with the same weights and no masks; the output has ``n_classes`` columns.
        stack: Number of members that share a step; 1 for a network without a member axis.
        is_stacked: Whether the Keras model itself has a leading member axis.
        is_mapped: Whether a model of one member is mapped over ``stack`` members, each with values
            of its own; needs a backend that can.
        mask_units: Width of each layer whose dropout mask is an input.
        dropout: Share of units dropped in those layers.
        has_logits: Whether the output is logits; otherwise it is probabilities.
        initial_weights: Returns the weights of one member for its seed, in the order of
            ``train.weights`` and without the member axis.
        heads: Outputs of ``train`` for a row. If there are more than one, they are logits
            (batch, heads, columns) with a loss each, and ``infer`` averages their probabilities.
    """

    train: Any
    infer: Any
    stack: int
    is_stacked: bool
    mask_units: tuple[int, ...]
    dropout: float
    has_logits: bool
    initial_weights: Callable[[int], Weights]
    is_mapped: bool = False
    heads: int = 1

    @property
    def has_member_axis(self) -> bool:
        """Whether the values of the variables have a leading member axis."""
        return self.is_stacked or self.is_mapped

    @property
    def parameters(self) -> int:
        """Number of trainable parameters of one member."""
        total = sum(int(np.prod(v.shape)) for v in self.train.trainable_variables)
        return total // self.stack if self.is_stacked else total


def hidden_widths(hidden: Sequence[int] | str, n_features: int, n_classes: int) -> tuple[int, ...]:
    """Widths of the hidden layers that a study file gives as a list or by name.

    ``paper`` is three of int(2 (d + K) / 3), which the paper's authors' code has for two classes;
    ``authors`` is three of int(2 (d + K) / 0.75) where there are more, as that code has it.
    """
    if not isinstance(hidden, str):
        return tuple(hidden)
    divisor = 0.75 if hidden == "authors" and n_classes > 2 else 3
    return (max(1, int(2 * (n_features + n_classes) / divisor)),) * 3


def build_mlp(
    stack: int,
    n_features: int,
    n_classes: int,
    *,
    hidden: Sequence[int] | str = DEFAULT_HIDDEN,
    dropout: float = DEFAULT_DROPOUT,
) -> Network:
    """Build ``stack`` copies of a ReLU network with a linear output of K logits.

    Every layer is one batched product over the member axis (``EinsumDense`` "mbi,mio->mbo"), so
    that a step of all members is one kernel call for each layer. Dropout masks are inputs: drawn
    outside, they keep the compiled step fast and depend on member and epoch alone.

    Args:
        stack: Number of members M.
        n_features: Number of features d.
        n_classes: Number of classes K.
        hidden: Widths of the hidden layers, or a name of :func:`hidden_widths` (the paper's
            network: "three layer, 0.1 dropout, relu", Experiments; width from its authors' code).
        dropout: Share of units dropped after each hidden layer but the last.

    Returns:
        A stacked network with inputs x (M, batch, d) and one keep multiplier (M, batch, units)
        for each layer with dropout.
    """
    import keras

    widths = hidden_widths(hidden, n_features, n_classes)
    mask_units = widths[:-1] if dropout > 0 else ()

    def dense(units: int, activation: str | None) -> keras.layers.Layer:
        return keras.layers.EinsumDense(
            "mbi,mio->mbo", output_shape=(None, units), bias_axes="mo", activation=activation
        )

    layers = [dense(units, "relu") for units in widths] + [dense(n_classes, None)]
    x = keras.Input(batch_shape=(stack, None, n_features))
    keep = [keras.Input(batch_shape=(stack, None, units)) for units in mask_units]
    train_output = infer_output = x
    for position, layer in enumerate(layers):
        train_output, infer_output = layer(train_output), layer(infer_output)
        if position < len(keep):
            train_output = keras.layers.Multiply()([train_output, keep[position]])

    return Network(
        train=keras.Model([x, *keep], train_output),
        infer=keras.Model(x, infer_output),
        stack=stack,
        is_stacked=True,
        mask_units=mask_units,
        dropout=dropout,
        has_logits=True,
        initial_weights=dense_weights(n_features, widths, n_classes),
    )


def dense_weights(
    n_features: int, widths: Sequence[int], n_classes: int
) -> Callable[[int], Weights]:
    """A function that draws the initial weights of a member of :func:`build_mlp` from its seed.

    With fans of each member: Keras' initializer would count the member axis into them.
    """
    fans = zip((n_features, *widths), (*widths, n_classes), strict=True)
    return _glorot_uniform([((fan_in, fan_out), (1, fan_out)) for fan_in, fan_out in fans])


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
    return Network(
        train=model,
        infer=model,
        stack=1,
        is_stacked=False,
        mask_units=(),
        dropout=0.0,
        has_logits=True,
        initial_weights=_glorot_uniform(list(zip(shapes[::2], shapes[1::2], strict=True))),
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


def _glorot_uniform(
    shapes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
) -> Callable[[int], Weights]:
    """Glorot uniform as in Keras, with the same draws on every backend; biases are 0.

    Args:
        shapes: Of each layer's kernel and bias, without the member axis.

    Returns:
        A function that draws the weights of one member from its seed.
    """

    @lru_cache(_N_CACHED)
    def initial_weights(seed: int) -> Weights:
        rng = np.random.default_rng([seed, *b"weights"])
        weights: Weights = []
        for kernel, bias in shapes:
            limit = np.sqrt(6 / (int(np.prod(kernel[:-2])) * (kernel[-2] + kernel[-1])))
            weights.append(rng.uniform(-limit, limit, kernel).astype(np.float32))
            weights.append(np.zeros(bias, np.float32))
        return weights

    return initial_weights
