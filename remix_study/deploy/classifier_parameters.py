"""The parameters of a classifier as objects of a study: strategy, network, training keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight

from remix_study.batches.losses import CLASS_WEIGHTED, CROSS_ENTROPY
from remix_study.batches.strategies import STRATEGIES, Strategy, compose
from remix_study.errors import UsageError, look_up
from remix_study.models.networks import hidden_widths
from remix_study.studyfile.model_options import parse_model
from remix_study.studyfile.schema import Model, Training
from remix_study.studyfile.training_keys import parse_training

_NAMES = {"features.numeric": "encoder", "features.": "", "model.": "", "training.": ""}
_TRAINING_KEYS = ("epochs", "batch_size", "learning_rate", "start_from_step", "patience")


def in_parameter_names(message: str) -> str:
    """A message on a key of a study file, with the parameter's name in the key's place."""
    for key, name in _NAMES.items():
        if message.startswith(key):
            return name + message.removeprefix(key)
    return message


def strategy_from(parameters: Mapping[str, Any]) -> Strategy:
    """The named strategy with the sampler, alpha and class weights that replace its own.

    Raises:
        UsageError: An unknown name, or parts that do not go together.
    """
    named = look_up("strategy", parameters["strategy"], STRATEGIES)
    loss = named.loss
    if parameters["class_weight"] is not None:
        if loss not in (CROSS_ENTROPY, CLASS_WEIGHTED):
            raise UsageError(
                f'class_weight: strategy "{named.name}" has a loss of its own, {loss}; leave '
                "class_weight out, or choose another strategy"
            )
        loss = CLASS_WEIGHTED
    sampler, alpha = parameters["sampler"] or named.sampler, _plain(parameters["alpha"])
    return compose(sampler, named.mixing, alpha, loss, augment=named.augment)


def class_weights_from(
    chosen: Any, classes: NDArray[Any], y: NDArray[Any]
) -> NDArray[np.float64] | None:
    """The weights (K,) of a dictionary by class; None for balanced ones, which a loss computes.

    Raises:
        UsageError: It is neither a dictionary nor "balanced", or a weight is not above 0.
        ValueError: Classes that the dictionary lacks, in scikit-learn's words.
    """
    if chosen is None or chosen == "balanced":
        return None
    if not isinstance(chosen, Mapping):
        raise UsageError(f'class_weight must be "balanced", a dictionary or None, not {chosen!r}')
    weights = np.asarray(compute_class_weight(dict(chosen), classes=classes, y=y), np.float64)
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise UsageError("class_weight holds a weight that is not above 0")
    return weights


def model_from(parameters: Mapping[str, Any], n_features: int, n_classes: int) -> Model:
    """The dense network, with its widths as numbers.

    Raises:
        StudyFileError: A value that a study file could not hold either.
    """
    network = {key: _plain(parameters[key]) for key in ("hidden", "dropout", "ensemble")}
    if isinstance(network["hidden"], int):
        network["hidden"] = [network["hidden"]]
    features = {"numeric": parameters["encoder"], "bins": _plain(parameters["bins"])}
    model = parse_model(network, features)
    widths = hidden_widths(model.options["hidden"], n_features, n_classes)
    return replace(model, options=model.options | {"hidden": widths})


def training_from(parameters: Mapping[str, Any], n_train: int) -> Training:
    """The training keys; batches are no larger than the rows that train.

    Raises:
        StudyFileError: As of :func:`model_from`.
    """
    stop = "never" if parameters["validation_fraction"] is None else "early"
    table = {key: _plain(parameters[key]) for key in _TRAINING_KEYS} | {"stop": stop}
    training = parse_training(table, "training")
    return replace(training, batch_size=min(training.batch_size, n_train))


def _plain(value: Any) -> Any:
    """A parameter as a study file has it: NumPy's numbers, as of a search, become Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
