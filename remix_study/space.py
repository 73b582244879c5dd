"""The search space of a study file: lists to choose from and ranges to draw from."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from remix_study.errors import StudyFileError

Value = str | int | float | bool | tuple[int, ...]

# Keys that make up a strategy; all others set training or model keys.
PARTS = ("sampler", "mixing", "alpha", "loss")
_NOT_SEARCHABLE = ("preset", "on_nan", "stack", "monitor")


class Choice(Struct, frozen=True, tag=True):
    """A list of values."""

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
    table: Mapping[str, Any], *, grid: bool, training_keys: Collection[str]
) -> SearchSpace:
    """Parse ``[search.space]``.

    Args:
        table: The table as TOML gives it.
        grid: A grid takes lists only; ranges are for Optuna to draw from.
        training_keys: Keys of ``[training]`` that exist.

    Raises:
        StudyFileError: An unknown key, an empty or doubled list, a value out of range.
    """
    strategy: tuple[str, ...] = ()
    alpha: dict[str, Domain] = {}
    parts: dict[str, Choice] = {}
    settings: dict[str, Domain] = {}
    for key, value in _flat(table).items():
        where = f"search.space.{key}"
        if key == "strategy":
            strategy = tuple(_names(value, where))
        elif key in ("sampler", "mixing", "loss"):
            parts[key] = Choice(tuple(_names(value, where)))
        elif key == "alpha" or key.startswith("alpha."):
            alpha[key.partition(".")[2]] = _alpha(value, where, grid)
        elif key.startswith("model.") or (key in training_keys and key not in _NOT_SEARCHABLE):
            settings[key] = _domain(value, where, grid)
        else:
            known = ["strategy", *PARTS, "model.<key>"]
            known += sorted(k for k in training_keys if k not in _NOT_SEARCHABLE)
            raise StudyFileError(f"{where}: unknown key; known here: {', '.join(known)}")
    if strategy and parts:
        raise StudyFileError(f"search.space: give strategy or {', '.join(parts)}, not both")
    return SearchSpace(strategy=strategy, alpha=alpha, parts=parts, settings=settings)


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Undo what TOML makes of dotted keys: {"model": {"dropout": d}} -> {"model.dropout": d}."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        dotted = isinstance(value, Mapping) and not _is_range(value)
        if key in ("model", "alpha") and dotted:
            flat |= {f"{key}.{inner}": domain for inner, domain in value.items()}
        else:
            flat[key] = value
    return flat


def _is_range(value: Any) -> bool:
    return isinstance(value, Mapping) and ("low" in value or "high" in value)


def _names(value: Any, where: str) -> list[str]:
    values = _list(value, where)
    if not all(isinstance(v, str) for v in values):
        raise StudyFileError(f"{where}: expected a list of names")
    return values


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise StudyFileError(f"{where}: expected a list with at least one value (found {value!r})")
    if len({repr(v) for v in value}) < len(value):
        raise StudyFileError(f"{where}: a value stands twice")
    return value


def _alpha(value: Any, where: str, grid: bool) -> Domain:
    domain = _domain(value, where, grid)
    numbers = domain.values if isinstance(domain, Choice) else (domain.low, domain.high)
    for number in numbers:
        if not _is_number(number) or number < 0 or number > 100:
            raise StudyFileError(f"{where}: expected numbers from 0 to 100 (found {number!r})")
    if isinstance(domain, Choice):
        return Choice(tuple(float(number) for number in domain.values))
    return Range(domain.low, domain.high, domain.log)


def _domain(value: Any, where: str, grid: bool) -> Domain:
    if not isinstance(value, Mapping):
        values = _list(value, where)
        return Choice(tuple(tuple(v) if isinstance(v, list) else v for v in values))
    if grid:
        raise StudyFileError(
            f'{where}: a grid needs a list of values; ranges are for algorithm = "tpe" or "random"'
        )
    extra = set(value) - {"low", "high", "log"}
    if extra:
        raise StudyFileError(f"{where}.{min(extra)}: unknown key; known here: low, high, log")
    low, high, log = value.get("low"), value.get("high"), value.get("log", False)
    if low is None or high is None or not (_is_number(low) and _is_number(high) and low < high):
        raise StudyFileError(f"{where}: expected numbers low < high (found {low!r}, {high!r})")
    if not isinstance(log, bool):
        raise StudyFileError(f"{where}.log: expected true or false (found {log!r})")
    if log and low <= 0:
        raise StudyFileError(f"{where}.low: a log scale starts above 0 (found {low!r})")
    integer = isinstance(low, int) and isinstance(high, int)
    return Range(float(low), float(high), log, integer)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
