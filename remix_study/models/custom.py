"""A user's own Keras model, named "package.module:build", as a network of one member."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

import numpy as np
from msgspec.structs import replace

from remix_study.errors import StudyFileError, UsageError
from remix_study.models.hypermodel import (
    TunedSpace,
    build_hypermodel,
    compiled_rate,
    explore,
    hypermodel_of,
)
from remix_study.models.networks import Network, Weights
from remix_study.models.user_code import user_code
from remix_study.studyfile.model_options import BUILT_IN_MODELS, MODEL_ENTRY_POINTS
from remix_study.studyfile.schema import Model, Search, Study

# Rows on which a model is tried when it is built.
_N_TRIED = 32
# Keras takes 32-bit seeds.
_N_SEEDS = 2**32
# Builders that were handed over in Python, by their names.
_REGISTERED: dict[str, Callable[..., Any]] = {}


def add_plugin_folder(study: Study) -> None:
    """Let a user's own modules be imported from the folder of the study file that names them."""
    is_named = ":" in study.model.name + study.augmentation.name
    is_foreign = any(estimator.is_foreign for estimator in study.estimators)
    if study.allow_plugins and (is_named or is_foreign or study.metrics):
        sys.path += {str(study.folder)}.difference(sys.path)


def register_builder(builder: Callable[..., Any]) -> str:
    """Give a function that builds a model a name by which studies of this process find it.

    Raises:
        UsageError: It cannot be called.
    """
    if not callable(getattr(builder, "build", builder)):
        raise UsageError(f"build must be a function that returns a Keras model, got {builder!r}")
    name = f"{getattr(builder, '__name__', 'build')}:{len(_REGISTERED)}"
    _REGISTERED[name] = builder
    return name


def import_builder(name: str, kind: str, *, allow_plugins: bool) -> Callable[..., Any]:
    """Import the function that builds a user's own model or augmentation.

    Args:
        name: "package.module:function", or a name that an installed package has registered under
            the entry points ``remix_study.models``.
        kind: ``model`` or ``augmentation``, for messages.
        allow_plugins: Whether a user's own code may be imported.

    Raises:
        UsageError: Such names are forbidden, the module or the function cannot be imported, or
            it is not callable.
    """
    if not allow_plugins:
        raise UsageError(
            f'{kind} "{name}" would run code of its own, which --no-plugins forbids; use a '
            "built-in one, or leave --no-plugins out"
        )
    if name in _REGISTERED:
        return _REGISTERED[name]
    registered = {point.name: point for point in entry_points(group=MODEL_ENTRY_POINTS)}
    module_name, _, function = name.partition(":")
    with user_code(kind, name, "imported"):
        if name in registered:
            builder = registered[name].load()
        elif module_name and function:
            builder = getattr(importlib.import_module(module_name), function)
        else:
            names = ", ".join(sorted([*BUILT_IN_MODELS, *registered]))
            raise UsageError(
                f'{kind} "{name}" is unknown: write "package.module:function" or one of {names}'
            )
    if not callable(getattr(builder, "build", builder)):
        raise UsageError(f'{kind} "{name}" is not a function that builds a Keras model')
    return builder  # type: ignore[no-any-return]


def learning_rate_of(model: Model) -> float | None:
    """The learning rate that a hypermodel is compiled with; None without one, or without it."""
    if not model.is_hypermodel:
        return None
    builder = import_builder(model.name, "model", allow_plugins=True)
    return compiled_rate(model.name, builder, model.options)


def with_hyperparameters(study: Study) -> Study:
    """A study whose network is a hypermodel of KerasTuner, with its space and its defaults.

    Any other study is returned as it is. A search varies all that the hypermodel asks for but
    what ``[model]`` gives a value; a grid takes defaults.

    Raises:
        UsageError: As of `explore`.
        StudyFileError: The search varies what the hypermodel says.
    """
    model = study.model
    if model.is_hypermodel or model.name in BUILT_IN_MODELS or not study.allow_plugins:
        return study
    try:
        build = hypermodel_of(import_builder(model.name, "model", allow_plugins=True))
    except UsageError:
        # Said where the network is built.
        return study
    if build is None:
        return study
    tuned = explore(model.name, build, model.options)
    model = replace(model, options=tuned.defaults | model.options, is_hypermodel=True)
    then = None if study.then is None else _tuned_search(study.then, tuned)
    return replace(study, model=model, search=_tuned_search(study.search, tuned), then=then)


def _tuned_search(search: Search, tuned: TunedSpace) -> Search:
    space, keys = search.space, [f"model.{name}" for name in tuned.domains]
    is_grid = search.algorithm == "grid"
    modelled = [*([] if is_grid else keys), *(["learning_rate"] if tuned.has_rate else [])]
    if twice := [key for key in modelled if key in space.settings]:
        raise StudyFileError(
            f"search.space.{twice[0]}: the hypermodel says what it may be; leave it out"
        )
    if is_grid:
        return search
    settings = space.settings | dict(zip(keys, tuned.domains.values(), strict=True))
    conditions = {
        f"model.{name}": tuple(replace(c, parent=f"model.{c.parent}") for c in needed)
        for name, needed in tuned.conditions.items()
    }
    return replace(search, space=replace(space, settings=settings, conditions=conditions))


def build_custom(
    name: str,
    input_shape: tuple[int, ...],
    n_classes: int,
    options: Mapping[str, Any],
    *,
    allow_plugins: bool = True,
) -> Network:
    """Build a network from a user's own Keras model.

    Args:
        name: Dotted name of ``build(input_shape, n_classes, **options) -> keras.Model``, or of
            KerasTuner's ``build(hp)``.
        input_shape: Shape of one row, without the batch axis.
        n_classes: Number of classes K.
        options: The study file's further ``model.*`` keys.
        allow_plugins: Whether a user's own code may be imported.

    Raises:
        UsageError: The builder returns something else than a Keras model, or its model does not
            take one input of ``input_shape`` or does not give K columns.
    """
    import keras

    builder = import_builder(name, "model", allow_plugins=allow_plugins)
    hypermodel = hypermodel_of(builder)

    def build(seed: int) -> Any:
        _seed_keras(seed % _N_SEEDS)
        if hypermodel is not None:
            model = build_hypermodel(name, hypermodel, options)
        else:
            model = builder(input_shape, n_classes, **options)
        if not isinstance(model, keras.Model):
            raise UsageError(f'model "{name}" returned {type(model).__name__}, not a Keras model')
        # Trained without its own optimizer, and saved without it.
        model.compiled = False
        return model

    with user_code("model", name, "built"):
        model = build(0)
    has_logits = _has_logits(name, model, input_shape, n_classes)
    weights_by_seed: dict[int, Weights] = {}

    def initial_weights(seed: int) -> Weights:
        # Only a new model draws each layer's weights by its own initializer. They are cached, as
        # every trial of a study starts its members from the same weights.
        if seed not in weights_by_seed:
            with user_code("model", name, "built"):
                new_model = build(seed)
                # Layers may draw their weights when they are first called.
                if not new_model.built:
                    new_model(np.zeros((1, *input_shape), np.float32))
            weights_by_seed[seed] = [np.asarray(v) for v in new_model.variables]
        return weights_by_seed[seed]

    return Network(
        train=model,
        infer=model,
        stack=1,
        is_stacked=False,
        mask_units=(),
        dropout=0.0,
        has_logits=has_logits,
        initial_weights=initial_weights,
    )


def _seed_keras(seed: int) -> None:
    """Seed Keras as `keras.utils.set_random_seed`, which would load TensorFlow beside JAX."""
    import keras

    if keras.backend.backend() == "tensorflow":
        keras.utils.set_random_seed(seed)
        return
    # Keras draws the seeds of initializers and Dropout layers from Python's global generator.
    random.seed(seed)
    np.random.seed(seed)


def _has_logits(name: str, model: Any, input_shape: tuple[int, ...], n_classes: int) -> bool:
    """Check the model on a few rows; whether its output is logits rather than probabilities.

    Raises:
        UsageError: The model does not fit the data, or its output is neither.
    """
    inputs = getattr(model, "inputs", None)
    if inputs is not None and len(inputs) != 1:
        raise UsageError(f'model "{name}" has {len(inputs)} inputs; one is supported')
    if inputs is not None:
        model_shape = tuple(inputs[0].shape[1:])
        is_fitting = len(model_shape) == len(input_shape) and all(
            side in (None, size) for side, size in zip(model_shape, input_shape, strict=True)
        )
        if not is_fitting:
            raise UsageError(
                f'model "{name}" takes rows of shape {model_shape}, but the data\'s rows have '
                f"shape {input_shape}; build it for input_shape, and reshape inside the model"
            )
    rows = np.random.default_rng(0).normal(0, 3, (_N_TRIED, *input_shape)).astype(np.float32)
    with user_code("model", name, f"called with rows of shape {input_shape}"):
        outputs = model(rows, training=False)
    if isinstance(outputs, list | tuple | dict):
        raise UsageError(f'model "{name}" gives {len(outputs)} outputs; one is supported')
    output = np.asarray(outputs, np.float32)
    if output.shape != (_N_TRIED, n_classes):
        raise UsageError(
            f'model "{name}" gives shape {output.shape} for {_N_TRIED} rows; '
            f"({_N_TRIED}, {n_classes}) is needed, one column for each class"
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
