"""Which columns of a table may hold the class, for a person who has not named one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remix_study.errors import join_names

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 20
"""Most distinct values of a column that is called a likely label."""

_NAMES = ("class", "label", "target", "y", "outcome", "diagnosis", "response", "churn", "default")
_SHOWN_CLASSES, _SHOWN_LABELS, _SHOWN_COLUMNS = 4, 3, 30


def label_hint(frame: pd.DataFrame) -> str:
    """Say which columns a table has and which may be its label; nothing is chosen.

    Likely are columns of 2 to 20 different values: first those with a usual name, then the last
    column, then those of fewest values.

    Returns:
        ``likely: churn (no 950, yes 50); columns: age, city, churn``.
    """
    places = [i for i in range(frame.shape[1]) if 2 <= _n_values(frame.iloc[:, i]) <= MOST_CLASSES]
    names = [str(name) for name in frame.columns]

    def order(place: int) -> tuple[bool, bool, int]:
        is_usual = names[place].strip().lower() in _NAMES
        return not is_usual, place != len(names) - 1, _n_values(frame.iloc[:, place])

    likely = [
        f"{names[place]} ({_values(frame.iloc[:, place])})"
        for place in sorted(places, key=order)[:_SHOWN_LABELS]
    ]
    return f"likely: {', '.join(likely) or 'none'}; columns: {join_names(names, _SHOWN_COLUMNS)}"


def _n_values(column: pd.Series[Any]) -> int:
    return int(column.map(str).where(column.notna()).nunique())


def _values(column: pd.Series[Any]) -> str:
    counts = column.dropna().map(str).value_counts()
    return join_names([f"{value} {n:,}" for value, n in counts.items()], _SHOWN_CLASSES)
