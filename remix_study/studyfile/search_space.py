"""The search space of a study file: lists to choose from, and ranges to draw from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from msgspec import Struct

from remix_study.errors import StudyFileError, did_you_mean
from remix_study.studyfile.features import FEATURE_KEYS
from remix_study.studyfile.validation import as_toml, key_as_toml

HIGHEST_ALPHA = 100.0
"""Largest alpha; Beta(alpha, alpha) is nearly constant there."""

STRATEGY_PARTS = ("sampler", "mixing", "loss")
"""Keys that make up a strategy, in place of its name."""


NOT_SEARCHABLE = ("preset", "on_nan", "stack", "monitor", "precision")
"""Training keys that one study has one value of."""


class Choice(Struct, frozen=True, tag=True):
    """A list of values of one type; a list of widths in it is a tuple."""

    values: tuple[Any, ...]


class Range(Struct, frozen=True, tag=True):
    """Numbers from ``low`` to ``high``; whole ones if ``integer``, on a log scale if ``log``."""

    low: float
    high: float
    log: bool = False
    integer: bool = False


Domain = Choice | Range


class Condition(Struct, frozen=True):
    """That another parameter has one of some values."""

    parent: str
    values: tuple[Any, ...]


class SearchSpace(Struct, frozen=True):
    """What may vary, as ``[search.space]`` says.

    Attributes:
        strategy: Names of strategies; empty where parts are given in their place.
        alpha: Domain of alpha for each strategy; the key "" is for all others.
        parts: Domains of ``sampler``, ``mixing`` and ``loss``.
        settings: Domains of training keys and ``model.*`` keys.
        ratio: Domain of the share of a batch that the rare classes get; None for equal shares of
            all classes.
        conditions: When a setting has an effect, of those that do not always.
    """

    strategy: tuple[str, ...] = ()
    alpha: dict[str, Domain] = {}
    parts: dict[str, Choice] = {}
    settings: dict[str, Domain] = {}
    ratio: Domain | None = None
    conditions: dict[str, tuple[Condition, ...]] = {}

    def has_effect(self, setting: str, parameters: Mapping[str, Any]) -> bool:
        """Whether a setting has an effect beside the parameters that were chosen before it."""
        conditions = self.conditions.get(setting, ())
        return all(parameters.get(c.parent) in c.values for c in conditions)

    def alpha_of(self, strategy: str) -> Domain | None:
        """The domain of alpha for a strategy; None where the file gives none."""
        return self.alpha.get(strategy, self.alpha.get(""))


def parse_space(
    table: Mapping[str, Any], *, grid: bool, training_keys: Mapping[str, str]
) -> SearchSpace:
    """Parse ``[search.space]``.

    Args:
        table: The table as TOML gives it.
        grid: Whether the search is a grid, which takes lists only.
        training_keys: What each key of ``[training]`` holds: ``integer``, ``number`` or ``name``.

    Raises:
        StudyFileError: A key is unknown, a list is empty or has a value twice, or a value is out
            of range.
    """
    strategy: tuple[str, ...] = ()
    alpha: dict[str, Domain] = {}
    parts: dict[str, Choice] = {}
    settings: dict[str, Domain] = {}
    ratio: Domain | None = None
    searchable = {key: kind for key, kind in training_keys.items() if key not in NOT_SEARCHABLE}
    for key, value in _dotted_keys(table).items():
        where = f"search.space.{'.'.join(map(key_as_toml, key.split('.')))}"
        if key == "strategy":
            strategy = _names(value, where)
        elif key in STRATEGY_PARTS:
            parts[key] = Choice(_names(value, where))
        elif key == "alpha" or key.startswith("alpha."):
            alpha[key.partition(".")[2]] = _alpha(value, where, grid)
        elif key == "ratio":
            ratio = _ratio(value, where, grid)
        elif key.startswith("model.") or key in (*FEATURE_KEYS, *searchable):
            settings[key] = _domain(value, where, grid, searchable.get(key))
        else:
            known_keys = [
                "strategy",
                *STRATEGY_PARTS,
                "alpha",
                "ratio",
                "model.<key>",
                *FEATURE_KEYS,
                *searchable,
            ]
            raise StudyFileError(f"{where}: unknown key{did_you_mean(key, known_keys)}")
    if strategy and parts:
        raise StudyFileError(f"search.space: give strategy or {', '.join(parts)}, not both")
    return SearchSpace(strategy, alpha, parts, settings, ratio)


def _dotted_keys(table: Mapping[str, Any]) -> dict[str, Any]:
    """Write tables of ``model``, ``features`` and ``alpha`` as dotted keys: ``model.dropout``."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        is_table = isinstance(value, Mapping) and not (key == "alpha" and _is_range(value))
        if key in ("model", "features", "alpha") and is_table:
            flat |= {f"{key}.{inner}": domain for inner, domain in value.items()}
        else:
            flat[key] = value
    return flat


def _is_range(value: Mapping[str, Any]) -> bool:
    return "low" in value or "high" in value


def _names(value: Any, where: str) -> tuple[str, ...]:
    values = _list(value, where)
    if not all(isinstance(v, str) for v in values):
        raise StudyFileError(f"{where}: expected a list of names (found {as_toml(value)})")
    return _choice(values, where, "name").values


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise StudyFileError(
            f"{where}: expected a list with at least one value (found {as_toml(value)})"
        )
    return value


def _alpha(value: Any, where: str, grid: bool) -> Domain:
    domain = _domain(value, where, grid, "number")
    for number in domain.values if isinstance(domain, Choice) else (domain.low, domain.high):
        if not 0 <= number <= HIGHEST_ALPHA:
            raise StudyFileError(
                f"{where}: expected numbers from 0 to {HIGHEST_ALPHA:g} (found {number:g})"
            )
    return domain


def _ratio(value: Any, where: str, grid: bool) -> Domain:
    domain = _domain(value, where, grid, "number")
    for number in domain.values if isinstance(domain, Choice) else (domain.low, domain.high):
        if not 0 < number < 1:
            raise StudyFileError(
                f"{where}: expected shares of a batch, above 0 and below 1 (found {number:g})"
            )
    return domain


def _domain(value: Any, where: str, grid: bool, kind: str | None) -> Domain:
    """Parse a list or a range of a key that holds ``kind``; None: only its network knows."""
    if not isinstance(value, Mapping):
        return _choice(_list(value, where), where, kind)
    if grid:
        raise StudyFileError(
            f'{where}: a grid needs a list of values; ranges are for a search, such as "tpe"'
        )
    for key in value:
        if key not in Range.__struct_fields__[:3]:
            raise StudyFileError(f"{where}.{key_as_toml(key)}: unknown key; known: low, high, log")
    low, high, log = value.get("low"), value.get("high"), value.get("log", False)
    if kind == "name" or not (_is_number(low) and _is_number(high) and low < high):
        expected = "a list of names" if kind == "name" else "numbers low < high"
        raise StudyFileError(f"{where}: expected {expected} (found {as_toml(value)})")
    if not isinstance(log, bool):
        raise StudyFileError(f"{where}.log: expected true or false (found {as_toml(log)})")
    if log and low <= 0:
        raise StudyFileError(f"{where}.low: a log scale starts above 0 (found {low!r})")
    is_whole = isinstance(low, int) and isinstance(high, int)
    if kind == "integer" and not is_whole:
        raise StudyFileError(f"{where}: expected whole numbers (found {as_toml(value)})")
    return Range(float(low), float(high), log, is_whole and kind != "number")


def _choice(values: list[Any], where: str, kind: str | None) -> Choice:
    """Parse a list; its values are checked in ``study``, where a configuration sets them."""
    choices: list[Any] = [tuple(v) if isinstance(v, list) else v for v in values]
    if not all(isinstance(v, str | bool) or _is_number(v) or _is_widths(v) for v in choices):
        raise StudyFileError(
            f"{where}: expected numbers, names, true or false, or lists of widths "
            f"(found {as_toml(values)})"
        )
    if all(_is_number(v) for v in choices):
        if kind == "number" or any(isinstance(v, float) for v in choices):
            choices = [float(v) for v in choices]
    elif kind in ("integer", "number"):
        raise StudyFileError(f"{where}: expected a list of numbers (found {as_toml(values)})")
    if len({repr(v) for v in choices}) < len(choices):
        raise StudyFileError(f"{where}: lists a value twice; leave one out")
    # Widths may be given by name: "paper" beside [128, 64].
    if len({str if _is_widths(v) else type(v) for v in choices}) > 1:
        raise StudyFileError(f"{where}: expected values of one type (found {as_toml(values)})")
    return Choice(tuple(choices))


def _is_widths(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(width) is int for width in value)


def _is_number(value: Any) -> TypeGuard[int | float]:
    # Python compares integers of any size with floats; only converting one may overflow.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e18
