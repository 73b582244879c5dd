"""Records in groups, and tables from records: a column is named with the path of its values."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, TypeVar

import pandas as pd

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")

Record = SimpleNamespace
"""What a line is made of, by name: `Record(problem=comparison, score=score)`."""


def frame_of(
    records: Iterable[Any], columns: str, **cells: Callable[[Any], object]
) -> pd.DataFrame:
    """Make a table with one line a record; without columns where there is no record.

    Args:
        records: dataclasses, or `Record` where a line is made of several.
        columns: their names, with the path of the attribute where that has another name, as in
            "study=problem.study alpha".
        **cells: functions of the record for columns that are no attribute.
    """
    getters: dict[str, Callable[[Any], object]] = {}
    for column in columns.split():
        name, _, path = column.partition("=")
        getters[name] = cells.get(name) or attrgetter(path or name)
    return pd.DataFrame(
        [{name: get(record) for name, get in getters.items()} for record in records]
    )


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Put items in groups: key -> its items; keys and items in the order given."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
