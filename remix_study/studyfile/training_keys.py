"""Keys that say how networks are trained: presets, and values that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from remix_study.errors import StudyFileError
from remix_study.studyfile.schema import PRESETS, Training
from remix_study.studyfile.validation import convert

_KIND_NAMES = {inspect.IntType: "integer", inspect.FloatType: "number"}
TRAINING_KEYS = {
    field.name: _KIND_NAMES.get(type(field.type), "name")
    for field in inspect.type_info(Training).fields  # type: ignore[attr-defined]
}
"""What each key of ``[training]`` holds: an integer, a number or a name."""

DEPENDENT_KEYS = (
    "epochs", "start_from_epoch", "stop", "schedule", "learning_rate", "lowest_rate",
)  # fmt: skip
"""Training keys whose values may contradict each other."""


def parse_training(table: dict[str, Any], where: str) -> Training:
    """Check training keys, those that a preset sets included.

    Raises:
        StudyFileError: An unknown key, a value that is not allowed, or values that contradict
            each other.
    """
    preset = table.get("preset", Training().preset)
    # The message on an unknown preset is convert's.
    preset_values = PRESETS.get(preset, {}) if isinstance(preset, str) else {}
    values = preset_values | _in_epochs_alone(table) | table
    return _consistent(convert(values, Training, where), where)


def _in_epochs_alone(table: Mapping[str, Any]) -> dict[str, int]:
    """What a table that says by epochs when early stopping begins means in steps: none."""
    return {"start_from_step": 0} if "start_from_epoch" in table else {}


def _consistent(training: Training, where: str) -> Training:
    """Refuse values of training keys that contradict each other."""
    if training.schedule == "plateau" and training.lowest_rate > training.learning_rate:
        raise StudyFileError(
            f"{where}.lowest_rate: {training.lowest_rate:g} is above the learning_rate "
            f"{training.learning_rate:g}"
        )
    if training.stop == "early" and training.start_from_epoch >= training.epochs:
        raise StudyFileError(
            f"{where}.start_from_epoch: {training.start_from_epoch} leaves none of "
            f"{training.epochs} epochs to choose from; lower it, raise epochs, or set "
            'stop = "never"'
        )
    if training.stop == "lowest-rate" and training.schedule != "plateau":
        raise StudyFileError(f'{where}.stop: "lowest-rate" needs schedule = "plateau"')
    return training


def override(training: Training, values: Mapping[str, Any]) -> Training:
    """Set training keys to a configuration's values, checked as those of the file are.

    Raises:
        StudyFileError: The study file could not hold the value either.
    """
    table = msgspec.structs.asdict(training) | _in_epochs_alone(values) | dict(values)
    return _consistent(convert(table, Training, "search.space"), "search.space")
