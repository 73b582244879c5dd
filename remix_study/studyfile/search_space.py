"""The search space of a study file: lists to choose from and ranges to draw from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from msgspec import Struct

from remix_study.errors import StudyFileError, did_you_mean
from remix_study.studyfile.validation import shown_key, toml

HIGHEST_ALPHA = 100.0

# Keys that make up a strategy; all others set training or model keys.
PARTS = ("sampler", "mixing", "loss")
_NOT_SEARCHABLE = ("preset", "on_nan", "stack", "monitor", "precision")


class Choice(Struct, frozen=True, tag=True):
    """A list of values: of one type, but for lists of widths, which are tuples."""

    values: tuple[Any, ...]


class Range(Struct, frozen=True, tag=True):
    """All numbers from ``low`` to ``high``, drawn on a log scale where ``log``."""

    low: float
    high: float
    log: bool = False
    integer: bool = False


Domain = Choice | Range


class SearchSpace(Struct, frozen=True):
    """What may vary.

    Attributes:
        strategy: Named strategies; empty where the parts are given instead.
        alpha: Domains of alpha by strategy; the key "" holds for all others.
        parts: Domains of ``sampler``, ``mixing`` and ``loss``.
        settings: Domains of training keys and ``model.*`` keys.
    """

    strategy: tuple[str, ...] = ()
    alpha: dict[str, Domain] = {}
    parts: dict[str, Choice] = {}
    settings: dict[str, Domain] = {}

    def alpha_of(self, strategy: str) -> Domain | None:
        """The domain of alpha for a strategy, None where the file leaves it at its default."""
        return self.alpha.get(strategy, self.alpha.get(""))


def parse_space(
    table: Mapping[str, Any], *, grid: bool, training_keys: Mapping[str, str]
) -> SearchSpace:
    """Parse ``[search.space]``.

    Args:
        table: The table as TOML gives it.
        grid: A grid takes lists only; ranges are for Optuna to draw from.
        training_keys: Keys of ``[training]`` that exist, each an ``integer``, ``number`` or
            ``name``.

    Raises:
        StudyFileError: An unknown key, an empty or doubled list, a value out of range.
    """
    strategy: tuple[str, ...] = ()
    alpha: dict[str, Domain] = {}
    parts: dict[str, Choice] = {}
    settings: dict[str, Domain] = {}
    searchable = {key: kind for key, kind in training_keys.items() if key not in _NOT_SEARCHABLE}
    for key, value in _flat(table).items():
        where = f"search.space.{'.'.join(map(shown_key, key.split('.')))}"
        if key == "strategy":
            strategy = _names(value, where)
        elif key in PARTS:
            parts[key] = Choice(_names(value, where))
        elif key == "alpha" or key.startswith("alpha."):
            alpha[key.partition(".")[2]] = _alpha(value, where, grid)
        elif key.startswith("model.") or key in searchable:
            settings[key] = _domain(value, where, grid, searchable.get(key))
        else:
            words = ["strategy", *PARTS, "alpha", "model.<key>", *searchable]
            raise StudyFileError(f"{where}: unknown key{did_you_mean(key, words)}")
    if strategy and parts:
        raise StudyFileError(f"search.space: give strategy or {', '.join(parts)}, not both")
    return SearchSpace(strategy=strategy, alpha=alpha, parts=parts, settings=settings)


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what TOML makes of dotted keys: {"model": {"dropout": d}} -> {"model.dropout": d}."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        dotted = isinstance(value, Mapping) and not (key == "alpha" and _is_range(value))
        if key in ("model", "alpha") and dotted:
            flat |= {f"{key}.{inner}": domain for inner, domain in value.items()}
        else:
            flat[key] = value
    return flat


def _is_range(value: Mapping[str, Any]) -> bool:
    return "low" in value or "high" in value


def _names(value: Any, where: str) -> tuple[str, ...]:
    values = _list(value, where)
    if not all(isinstance(v, str) for v in values):
        raise StudyFileError(f"{where}: expected a list of names (found {toml(value)})")
    return _choice(values, where, "name").values


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise StudyFileError(
            f"{where}: expected a list with at least one value (found {toml(value)})"
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


def _domain(value: Any, where: str, grid: bool, kind: str | None) -> Domain:
    """Read a list or a range of a key that holds ``kind``, None where only its model knows."""
    if not isinstance(value, Mapping):
        return _choice(_list(value, where), where, kind)
    if grid:
        raise StudyFileError(
            f'{where}: a grid needs a list of values; ranges are for a search, such as "tpe"'
        )
    for key in value:
        if key not in Range.__struct_fields__[:3]:
            raise StudyFileError(f"{where}.{shown_key(key)}: unknown key; known: low, high, log")
    low, high, log = value.get("low"), value.get("high"), value.get("log", False)
    if kind == "name" or not (_is_number(low) and _is_number(high) and low < high):
        wanted = "a list of names" if kind == "name" else "numbers low < high"
        raise StudyFileError(f"{where}: expected {wanted} (found {toml(value)})")
    if not isinstance(log, bool):
        raise StudyFileError(f"{where}.log: expected true or false (found {toml(log)})")
    if log and low <= 0:
        raise StudyFileError(f"{where}.low: a log scale starts above 0 (found {low!r})")
    whole = isinstance(low, int) and isinstance(high, int)
    if kind == "integer" and not whole:
        raise StudyFileError(f"{where}: expected whole numbers (found {toml(value)})")
    return Range(float(low), float(high), log, whole and kind != "number")


def _choice(values: list[Any], where: str, kind: str | None) -> Choice:
    """A list as its key holds it; the values themselves are checked where they are used."""
    found: list[Any] = [tuple(v) if isinstance(v, list) else v for v in values]
    if not all(isinstance(v, str | bool) or _is_number(v) or _is_widths(v) for v in found):
        raise StudyFileError(
            f"{where}: expected numbers, names, true or false, or lists of widths "
            f"(found {toml(values)})"
        )
    if all(_is_number(v) for v in found):
        if kind == "number" or any(isinstance(v, float) for v in found):
            found = [float(v) for v in found]
    elif kind in ("integer", "number"):
        raise StudyFileError(f"{where}: expected a list of numbers (found {toml(values)})")
    if len({repr(v) for v in found}) < len(found):
        raise StudyFileError(f"{where}: a value stands twice")
    if len({type(v) for v in found}) > 1:
        raise StudyFileError(f"{where}: expected values of one type (found {toml(values)})")
    return Choice(tuple(found))


def _is_widths(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(width) is int for width in value)


def _is_number(value: Any) -> TypeGuard[int | float]:
    # Python compares integers of any size with floats; only converting one may overflow.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e18
