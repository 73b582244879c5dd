"""Options of ``[model]`` and ``[augmentation]``: keys, ranges and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from remix_study.errors import StudyFileError
from remix_study.studyfile.features import Features
from remix_study.studyfile.schema import Augmentation, Model
from remix_study.studyfile.validation import convert

DEFAULT_HIDDEN = (128, 64)
"""Widths of the hidden layers of the network ``mlp``."""

DEFAULT_DROPOUT = 0.1
"""Share of units that the network ``mlp`` drops (the paper's)."""

DEFAULT_HEADS = 16
"""Heads of the network ``tabm`` (half as many as the paper's, for CPUs)."""

DEFAULT_DENSE_UNITS = 64
"""Units of the dense layer of the network ``cnn`` (the authors' code)."""

DEFAULT_ROTATION, DEFAULT_SHIFT = 20.0, 0.2
"""Largest angle in degrees and largest shift, as a share of an image's side, of the augmentation
``rotate-shift`` (the paper's)."""

DEFAULT_FILL: Literal["nearest"] = "nearest"
"""Keras' ``fill_mode`` of ``rotate-shift`` (the authors' code)."""

MODEL_ENTRY_POINTS = "remix_study.models"
"""Group of entry points by which a package may register networks."""

Width = Annotated[int, Meta(ge=1, le=100_000)]
Hidden = Annotated[tuple[Width, ...], Meta(min_length=1)] | Literal["paper", "authors"]


class MlpOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the network ``mlp``.

    Attributes:
        hidden: Widths of the hidden layers; ``paper``: three of int(2 (d + K) / 3), for d features
            and K classes; or ``authors``, as their code: three of int(2 (d + K) / 0.75) where
            K > 2, else as ``paper``.
        dropout: Share of units dropped after each hidden layer but the last.
    """

    hidden: Hidden = DEFAULT_HIDDEN
    dropout: Annotated[float, Meta(ge=0, lt=1)] = DEFAULT_DROPOUT


class TabmOptions(MlpOptions, frozen=True, forbid_unknown_fields=True):
    """Options of the network ``tabm``.

    Attributes:
        hidden: As of ``mlp``.
        dropout: Share of units dropped after each hidden layer.
        heads: Networks that share all weights but adapters of each unit and output layers.
    """

    heads: Annotated[int, Meta(ge=2, le=100)] = DEFAULT_HEADS


class CnnOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the network ``cnn``.

    Attributes:
        filters: Filters of each 3 x 3 convolution with pooling. Left out: 32 and 64.
        dense: Units of the dense layer.
        padding: Of the convolutions. Left out: ``valid``, or ``same`` where images are too small.
    """

    filters: Annotated[tuple[Width, ...], Meta(min_length=1)] | None = None
    dense: Width = DEFAULT_DENSE_UNITS
    padding: Literal["valid", "same"] | None = None


class RotateShiftOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the augmentation ``rotate-shift``.

    Attributes:
        rotation: Largest angle in degrees, in either direction.
        shift: Largest shift, as a share of height and of width.
        fill: Keras' ``fill_mode`` for the pixels that come in from outside.
    """

    rotation: Annotated[float, Meta(ge=0, le=180)] = DEFAULT_ROTATION
    shift: Annotated[float, Meta(ge=0, le=1)] = DEFAULT_SHIFT
    fill: Literal["nearest", "constant", "reflect", "wrap"] = DEFAULT_FILL


BUILT_IN_MODELS: dict[str, type[Struct]] = {
    "mlp": MlpOptions,
    "tabm": TabmOptions,
    "cnn": CnnOptions,
}
"""Options of each built-in network, by its name."""

BUILT_IN_AUGMENTATION = Augmentation().name
"""Name of the one built-in augmentation."""


def parse_model(table: Mapping[str, Any], features: Mapping[str, Any]) -> Model:
    """Parse ``[model]`` and ``[features]``; raises as :func:`check_model`."""
    ensemble = {key: value for key, value in table.items() if key == "ensemble"}
    network_keys = {key: value for key, value in table.items() if key != "ensemble"}
    model = convert(_name_and_options(network_keys, Model().name) | ensemble, Model, "model")
    model = replace(model, features=convert(features, Features, "features"))
    check_model(model)
    return model


def check_model(model: Model) -> None:
    """Check a network's name, and its options where it is a built-in one.

    Raises:
        StudyFileError: The name, an option or a value is unknown.
    """
    if model.name in BUILT_IN_MODELS:
        keys = ["name", "ensemble"]
        convert(model.options, BUILT_IN_MODELS[model.name], "model", other_keys=keys)
        return
    if ":" not in model.name and not entry_points(group=MODEL_ENTRY_POINTS, name=model.name):
        names = ", ".join(f'"{name}"' for name in BUILT_IN_MODELS)
        raise StudyFileError(
            f'model.name: "{model.name}" is unknown; write {names} or "package.module:function"'
        )
    _check_encodable(model.options, "model")


def parse_augmentation(table: Mapping[str, Any]) -> Augmentation:
    """Parse ``[augmentation]``; raises as :func:`check_model`."""
    contents = _name_and_options(table, BUILT_IN_AUGMENTATION)
    augmentation = convert(contents, Augmentation, "augmentation")
    if augmentation.name == BUILT_IN_AUGMENTATION:
        convert(augmentation.options, RotateShiftOptions, "augmentation", other_keys=["name"])
    elif ":" not in augmentation.name:
        raise StudyFileError(
            f'augmentation.name: "{augmentation.name}" is unknown; write '
            f'"{BUILT_IN_AUGMENTATION}" or "package.module:function"'
        )
    else:
        _check_encodable(augmentation.options, "augmentation")
    return augmentation


def _name_and_options(table: Mapping[str, Any], default_name: str) -> dict[str, Any]:
    options = {key: value for key, value in table.items() if key != "name"}
    return {"name": table.get("name", default_name), "options": options}


def _check_encodable(options: Mapping[str, Any], where: str) -> None:
    """Refuse options for a user's own code that the database cannot store as JSON."""
    for key, value in options.items():
        try:
            msgspec.json.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise StudyFileError(
                f"{where}.{key}: cannot be stored in the database ({error}); write text, "
                "numbers, true or false, or lists of them"
            ) from error
