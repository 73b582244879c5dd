"""Anyone's own Keras model, named "package.module:build", as a network of one member."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from remix_study.errors import UsageError
from remix_study.models.network import Network, Weights

# Keras takes 32-bit seeds.
_SEEDS = 2**32


def resolve(name: str) -> Callable[..., Any]:
    """Import the builder that a dotted name "package.module:function" points to.

    Raises:
        UsageError: The module or the function cannot be imported, or is not callable.
    """
    module_name, _, function = name.partition(":")
    if not module_name or not function:
        raise UsageError(f'model "{name}": write "package.module:function" or a built-in name')
    try:
        builder = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f'model "{name}" cannot be imported: {error}') from error
    if not callable(builder):
        raise UsageError(f'model "{name}" is not a function that builds a Keras model')
    return builder  # type: ignore[no-any-return]


def build_custom(
    name: str, input_shape: tuple[int, ...], n_classes: int, options: Mapping[str, Any]
) -> Network:
    """Wrap the model that a user's builder returns.

    Args:
        name: Dotted name of ``build(input_shape, n_classes, **options) -> keras.Model``.
        input_shape: Shape of one row, without the batch axis.
        n_classes: Number of classes K.
        options: The study file's further ``model.*`` keys.

    Raises:
        UsageError: What the builder returns is not a Keras model, takes other inputs than one of
            ``input_shape``, or does not give K columns.
    """
    import keras

    builder = resolve(name)

    def build(seed: int) -> Any:
        keras.utils.set_random_seed(seed % _SEEDS)
        try:
            model = builder(input_shape, n_classes, **options)
        except TypeError as error:
            raise UsageError(f'model "{name}" cannot be built: {error}') from error
        if not isinstance(model, keras.Model):
            raise UsageError(f'model "{name}" returned {type(model).__name__}, not a Keras model')
        return model

    model = build(0)
    logits = _gives_logits(name, model, input_shape, n_classes)
    initial: dict[int, Weights] = {}

    def initial_weights(seed: int) -> Weights:
        # Building anew is the one way to draw each layer by its own initializer; kept, because
        # every trial of a study starts its members from the same weights.
        if seed not in initial:
            fresh = build(seed)
            if not fresh.built:
                fresh.build((None, *input_shape))
            initial[seed] = [np.asarray(v) for v in fresh.variables]
        return initial[seed]

    return Network(model, model, 1, False, (), 0.0, logits, initial_weights)


def _gives_logits(name: str, model: Any, input_shape: tuple[int, ...], n_classes: int) -> bool:
    """Check the model on a few rows and tell logits from probabilities by what comes out."""
    inputs = getattr(model, "inputs", None)
    if inputs is not None and len(inputs) != 1:
        raise UsageError(f'model "{name}" has {len(inputs)} inputs; one is supported')
    rows = np.random.default_rng(0).normal(size=(4, *input_shape)).astype(np.float32)
    try:
        output = np.asarray(model(rows, training=False))
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f'model "{name}" does not take rows of shape {input_shape}: {reason}'
        ) from error
    if output.shape != (4, n_classes):
        raise UsageError(
            f'model "{name}" gives shape {output.shape} for 4 rows; (4, {n_classes}) is needed, '
            "one column a class"
        )
    probabilities = bool((output >= 0).all() and np.allclose(output.sum(axis=1), 1, atol=1e-3))
    return not probabilities
