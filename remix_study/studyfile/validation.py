"""Checking a table against a type, with complaints in the words of a study file."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from remix_study.errors import StudyFileError, did_you_mean

T = TypeVar("T")

# A value longer than this is not repeated in a complaint.
_SHOWN = 60


def convert(table: Any, kind: type[T], where: str, *, beside: Collection[str] = ()) -> T:
    """Make a frozen object of a table.

    Args:
        table: What TOML gave.
        kind: A msgspec struct.
        where: The table's place in the study file, such as ``problems[0]``.
        beside: Keys that the caller has taken out of the table, for the hint on an unknown one.

    Raises:
        StudyFileError: An unknown or missing key, a wrong type or a value out of range; the
            message names the key and what is allowed.
    """
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        path = path.rstrip("`")
        fields = _fields(cast(Hashable, kind))
        if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", message, re.DOTALL):
            key = unknown[1]
            text = f"{shown_key(key)}: unknown key{did_you_mean(key, [*_plain(fields), *beside])}"
        elif missing := re.fullmatch(r"Object missing required field `(.*)`", message):
            text = f"{missing[1]}: missing; write {describe(fields[missing[1]])}"
        else:
            allowed = describe(_type_at(fields, path))
            text = f"{where}{path}: expected {allowed}{_found(table, path)}"
            raise StudyFileError(text) from error
        raise StudyFileError(f"{where}{path}.{text}") from error


def _type_at(fields: Mapping[str, inspect.Type], path: str) -> inspect.Type:
    """The type that a complaint's path, such as ``.imbalance[1]``, points to."""
    found = re.fullmatch(r"\.(\w+)(\[\d+\])?", path)
    if found is None:
        return inspect.DictType(inspect.StrType(), inspect.AnyType())
    kind = fields[found[1]]
    lists = [kind, *kind.types] if isinstance(kind, inspect.UnionType) else [kind]
    items = [t.item_type for t in lists if isinstance(t, inspect.VarTupleType)]
    return items[0] if found[2] and items else kind


def describe(kind: inspect.Type) -> str:
    """What a type allows, for a person."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _bounds(kind)
        case inspect.FloatType():
            return "a number" + _bounds(kind)
        case inspect.LiteralType():
            return " or ".join(f'"{value}"' for value in kind.values)
        case inspect.StrType(pattern=str()):
            return (
                f"up to {kind.max_length} letters, digits, dots, dashes and underscores, "
                "beginning with a letter or digit"
            )
        case inspect.StrType():
            return "text"
        case inspect.VarTupleType():
            least = " with at least one" if kind.min_length else ""
            return f"a list{least} of: {describe(kind.item_type)}"
        case inspect.UnionType():
            options = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
            return " or ".join(describe(option) for option in options)
    return "a table"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    low, high = "", ""
    if kind.gt is not None:
        low = f"above {kind.gt:g}"
    elif _telling(kind.ge):
        low = f"from {kind.ge:g}"
    if kind.lt is not None:
        high = f"below {kind.lt:g}"
    elif _telling(kind.le):
        high = f"{'to' if low.startswith('from') else 'up to'} {kind.le:,.10g}"
    joint = " and " if high.startswith(("below", "up")) and low else " "
    return f" {low}{joint}{high}".rstrip() if low or high else ""


def _telling(bound: float | None) -> bool:
    """Whether a reader learns something from a bound; 2**63 is there for the database."""
    return bound is not None and abs(bound) < 2**53


@cache
def _fields(kind: Hashable) -> dict[str, inspect.Type]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: field.type for field in info.fields}


def _plain(fields: Mapping[str, inspect.Type]) -> list[str]:
    """Keys that this table itself may hold; what the caller parses apart is not among them."""
    return [key for key, kind in fields.items() if not isinstance(kind, inspect.StructType)]


def _found(table: Any, path: str) -> str:
    """The value at fault, where it is short enough to show."""
    value = table
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and index:
            value = value[int(index)]
        else:
            return ""
    text = toml(value)
    return f" (found {text})" if len(text) <= _SHOWN else ""


def toml(value: Any) -> str:
    """A value about as it stands in a study file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, Mapping):
        return (
            f"{{{', '.join(f'{shown_key(key)} = {toml(item)}' for key, item in value.items())}}}"
        )
    if isinstance(value, int) and value.bit_length() > 256:
        # Python refuses to write out integers of thousands of digits.
        return "a huge number"
    return str(value)


def shown_key(key: str) -> str:
    """A key as it stands in a study file: in quotes where it must."""
    return key if re.fullmatch(r"[\w-]+", key) else toml(key)
