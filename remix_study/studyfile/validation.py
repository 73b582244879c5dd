"""Converting a TOML table into a typed object, with messages in the words of a study file."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_type_hints

import msgspec
from msgspec import inspect

from remix_study.errors import StudyFileError, did_you_mean

T = TypeVar("T")

# Characters of a value that a message repeats; a longer one is left out.
_MAX_VALUE_LENGTH = 60


def convert(table: Any, kind: type[T], where: str, *, other_keys: Collection[str] = ()) -> T:
    """Convert a table into a frozen object.

    Args:
        table: The table as TOML gives it.
        kind: A msgspec struct.
        where: The table's place in the study file, such as ``problems[0]``.
        other_keys: Keys that the table may hold beside those of ``kind``, for the hint on an
            unknown one.

    Raises:
        StudyFileError: A key is unknown or missing, or a value has a wrong type or is out of
            range; the message names the key and what is allowed.
    """
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        path = path.rstrip("`")
        fields = _fields(cast(Hashable, kind))
        if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", message, re.DOTALL):
            key = unknown[1]
            known_keys = [*_plain_keys(fields), *other_keys]
            text = f"{key_as_toml(key)}: unknown key{did_you_mean(key, known_keys)}"
        elif missing := re.fullmatch(r"Object missing required field `(.*)`", message):
            text = f"{missing[1]}: missing; write {describe(fields[missing[1]])}"
        elif path.endswith("[...]"):
            raise StudyFileError(f"{where}{_fault_in_table(table, kind, path[1:-5])}") from error
        else:
            allowed = describe(_type_at(fields, path))
            text = f"{where}{path}: expected {allowed}{_found_value(table, path)}"
            raise StudyFileError(text) from error
        raise StudyFileError(f"{where}{path}.{text}") from error


def _fault_in_table(table: Any, kind: type, field: str) -> str:
    """Name the first key of an inner table that has a wrong value; msgspec does not."""
    value_type = get_args(get_type_hints(kind, include_extras=True)[field])[1]
    key = next(key for key, value in table[field].items() if not _fits(value, value_type))
    allowed, value = describe(inspect.type_info(value_type)), table[field][key]
    return f".{field}.{key_as_toml(key)}: expected {allowed}{_found_value(value, '')}"


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _type_at(fields: Mapping[str, inspect.Type], path: str) -> inspect.Type:
    """The type at a path of msgspec's messages, such as ``.imbalance[1]``."""
    match = re.fullmatch(r"\.(\w+)(\[\d+\])?", path)
    if match is None:
        return inspect.DictType(inspect.StrType(), inspect.AnyType())
    kind = fields[match[1]]
    lists = [kind, *kind.types] if isinstance(kind, inspect.UnionType) else [kind]
    items = [t.item_type for t in lists if isinstance(t, inspect.VarTupleType)]
    return items[0] if match[2] and items else kind


def describe(kind: inspect.Type) -> str:
    """Say what a type allows, such as "a whole number from 0"."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _bounds(kind)
        case inspect.FloatType():
            return "a number" + _bounds(kind)
        case inspect.LiteralType():
            return " or ".join(map(as_toml, kind.values))
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
    elif _is_shown(kind.ge):
        low = f"from {kind.ge:,.10g}"
    if kind.lt is not None:
        high = f"below {kind.lt:g}"
    elif _is_shown(kind.le):
        high = f"{'to' if low.startswith('from') else 'up to'} {kind.le:,.10g}"
    joint = " and " if high.startswith(("below", "up")) and low else " "
    return f" {low}{joint}{high}".rstrip() if low or high else ""


def _is_shown(bound: float | None) -> bool:
    """Whether a message shows a bound; 2**63 is the database's and would tell a user nothing."""
    return bound is not None and abs(bound) < 2**53


@cache
def _fields(kind: Hashable) -> dict[str, inspect.Type]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return {field.encode_name: field.type for field in info.fields}


def _plain_keys(fields: Mapping[str, inspect.Type]) -> list[str]:
    """Keys that hold values; tables within the table are parsed by the caller."""
    return [key for key, kind in fields.items() if not isinstance(kind, inspect.StructType)]


def _found_value(table: Any, path: str) -> str:
    """The end of a message: `` (found 3)``, or "" where the value is too long to show."""
    value = table
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and index:
            value = value[int(index)]
        else:
            return ""
    text = as_toml(value)
    return f" (found {text})" if len(text) <= _MAX_VALUE_LENGTH else ""


def as_toml(value: Any) -> str:
    """Write a value as TOML, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # JSON lets the character DEL stand as it is, TOML does not.
        return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(as_toml(item) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = [f"{key_as_toml(key)} = {as_toml(item)}" for key, item in value.items()]
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, int) and value.bit_length() > 256:
        # Python refuses to write out integers of thousands of digits.
        return "a huge number"
    return str(value)


def key_as_toml(key: str) -> str:
    """Write a key as TOML, in quotes where it needs them."""
    return key if re.fullmatch(r"[\w-]+", key) else as_toml(key)
