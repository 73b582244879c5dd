"""Tables from records: each column is declared by its name and the path of its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pandas as pd

Record = SimpleNamespace
"""What a line is made of, by name: `Record(problem=comparison, score=score)`."""


def frame_of(
    records: Iterable[Any], columns: Mapping[str, str | Callable[[Any], object]]
) -> pd.DataFrame:
    """Make a table with one line a record.

    Args:
        records: dataclasses, or `Record` where a line is made of several.
        columns: name of the column -> path of an attribute, such as "score.interval.low", or a
            function of the record.

    Returns:
        The table; without columns where there is no record.
    """
    getters = {
        name: attrgetter(source) if isinstance(source, str) else source
        for name, source in columns.items()
    }
    return pd.DataFrame(
        [{name: get(record) for name, get in getters.items()} for record in records]
    )
