"""Anyone's own Keras model, named "package.module:build", as a network of one member."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from remix_study import plugins
from remix_study.errors import UsageError
from remix_study.models.network import Network, Weights

ENTRY_POINTS = "remix_study.models"
"""Where an installed package registers builders under names of its own."""

# Rows that a model is tried on.
_ROWS = 32
# Keras takes 32-bit seeds.
_SEEDS = 2**32


def resolve(name: str, what: str = "model") -> Callable[..., Any]:
    """Import the builder that a name stands for.

    Args:
        name: "package.module:function", or a name that an installed package has registered under
            the entry points ``remix_study.models``.
        what: What it builds, for messages.

    Raises:
        UsageError: The module or the function cannot be imported, or is not callable, or such
            names are forbidden.
    """
    if not plugins.allowed():
        raise UsageError(f'{what} "{name}" would run code of its own, which is forbidden here')
    registered = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    module_name, _, function = name.partition(":")
    try:
        if name in registered:
            builder = registered[name].load()
        elif module_name and function:
            builder = getattr(importlib.import_module(module_name), function)
        else:
            known = ", ".join(sorted(["mlp", "cnn", *registered]))
            raise UsageError(
                f'{what} "{name}" is unknown: write "package.module:function" or one of {known}'
            )
    except UsageError:
        raise
    except Exception as error:
        # Importing runs the user's own code, which may fail in any way.
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f'{what} "{name}" cannot be imported ({reason})') from error
    if not callable(builder):
        raise UsageError(f'{what} "{name}" is not a function that builds a Keras model')
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
        _seed_draws(seed % _SEEDS)
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
                fresh(np.zeros((1, *input_shape), np.float32))
            initial[seed] = [np.asarray(v) for v in fresh.variables]
        return initial[seed]

    return Network(model, model, 1, False, (), 0.0, logits, initial_weights)


def _seed_draws(seed: int) -> None:
    """What `keras.utils.set_random_seed` does, without loading TensorFlow beside JAX."""
    import keras

    if keras.backend.backend() == "tensorflow":
        keras.utils.set_random_seed(seed)
        return
    # Keras draws the seed of each initializer and Dropout from Python's own generator.
    random.seed(seed)
    np.random.seed(seed)


def _gives_logits(name: str, model: Any, input_shape: tuple[int, ...], n_classes: int) -> bool:
    """Check the model on a few rows and tell logits from probabilities by what comes out."""
    inputs = getattr(model, "inputs", None)
    if inputs is not None and len(inputs) != 1:
        raise UsageError(f'model "{name}" has {len(inputs)} inputs; one is supported')
    if inputs is not None:
        taken = tuple(inputs[0].shape[1:])
        fits = len(taken) == len(input_shape) and all(
            own in (None, size) for own, size in zip(taken, input_shape, strict=True)
        )
        if not fits:
            raise UsageError(
                f'model "{name}" takes rows of shape {taken}, but the data\'s rows have shape '
                f"{input_shape}; build it for input_shape, and reshape inside the model"
            )
    rows = np.random.default_rng(0).normal(0, 3, (_ROWS, *input_shape)).astype(np.float32)
    try:
        found = model(rows, training=False)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f'model "{name}" does not take rows of shape {input_shape}: {reason}'
        ) from error
    if isinstance(found, list | tuple | dict):
        raise UsageError(f'model "{name}" gives {len(found)} outputs; one is supported')
    output = np.asarray(found, np.float32)
    if output.shape != (_ROWS, n_classes):
        raise UsageError(
            f'model "{name}" gives shape {output.shape} for {_ROWS} rows; ({_ROWS}, {n_classes}) '
            "is needed, one column a class"
        )
    if not np.isfinite(output).all():
        raise UsageError(f'model "{name}" gives values that are not finite before any training')
    if np.allclose(output.sum(axis=1), 1, atol=1e-3) and (output >= 0).all():
        return False
    if ((output > 0) & (output < 1)).all():
        raise UsageError(
            f'model "{name}" gives values between 0 and 1 that do not sum to 1 over the '
            f"{n_classes} classes; end it in a softmax, or in a linear layer"
        )
    return True
