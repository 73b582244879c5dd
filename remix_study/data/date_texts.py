"""Read dates that are written as texts, in the forms that leave no doubt about day and month.

Texts are read field by field: a date is the same in every locale, and one that may be read in two
ways is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.text_column import TextColumn

if TYPE_CHECKING:
    import pandas as pd

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_TIME = (
    r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)"
    r"(?::(?P<second>[0-5]\d)(?:\.(?P<fraction>\d+))?)?"
    r" ?(?P<half>[ap]m)?)? ?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?"
_YEAR_FIRST = rf"(?P<year>\d{{4}})([-/.])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}}){_TIME}"
_YEAR_LAST = rf"(?P<a>\d{{1,2}})(?P<mark>[-/.])(?P<b>\d{{1,2}})\2(?P<year>\d{{4}}){_TIME}"
_DAY_NAME = (
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})[ ./-]{{0,2}}(?P<month>[^\W\d_]{{3,9}})[ .,/-]{{0,2}}"
    rf"(?P<year>\d{{4}}){_TIME}"
)
_NAME_DAY = rf"{_WEEKDAY}(?P<month>[a-z]{{3,9}})\.? (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}){_TIME}"
_YEAR_MONTH = r"(?P<year>(?:19|20)\d{2})-(?P<month>0[1-9]|1[0-2])"
_NAME_YEAR = r"(?P<month>[a-z]{3,9})[ -](?P<year>(?:19|20)\d{2})"
_MONTH_YEAR = r"(?P<month>0?[1-9]|1[0-2])[-/](?P<year>(?:19|20)\d{2})"
_YEAR_AT_END = rf"{_WEEKDAY}(?P<month>[a-z]{{3,9}}) +(?P<day>\d{{1,2}}){_TIME} (?P<year>\d{{4}})"
_FORMS = (
    _YEAR_FIRST, _YEAR_LAST, _DAY_NAME, _NAME_DAY, _YEAR_AT_END, _YEAR_MONTH, _MONTH_YEAR,
    _NAME_YEAR,
)  # fmt: skip
_MONTH = rf"(?:{'|'.join(f'{name[:3]}(?:{name[3:]})?' for name in _MONTHS)})"
_NOT_READ = {
    "a week": r"(?:19|20)\d{2}-?W\d{1,2}(?:-[1-7])?",
    "a quarter": r"(?:19|20)\d{2}[ /-]?Q[1-4]|Q[1-4][ /-]?(?:19|20)?\d{2}",
    "a month without a year of four digits": rf"{_MONTH}\.?[- ']+\d{{1,2}}|\d{{1,2}}[- ]{_MONTH}",
    "a date whose month has no English name": rf"{_WEEKDAY}\d{{1,2}}[ ./-]{{1,2}}[^\W\d_]{{3,9}}"
    rf"[ .,/-]{{1,2}}(?:19|20)\d{{2}}(?: \d.*)?",
}
_SHORT_YEAR = r"(\d{1,2})([-/.])(\d{1,2}|[a-z]{3})\2(\d{2})(?: \d{1,2}:\d{2}.*)?"
_WRITE_ISO = "write them as year-month-day, such as 2024-02-01"


@dataclass(frozen=True, eq=False)
class DateTexts:
    """Dates read from L texts.

    Attributes:
        moments: datetime64[us] (L,) in UTC where the text has a zone; NaT for other texts.
        zoned: bool (L,), whether the text has a zone.
        order: How days and months were told apart, "" where the texts leave no question.
    """

    moments: NDArray[np.datetime64]
    zoned: NDArray[np.bool_]
    order: str


def extract_fields(texts: NDArray[Any], pattern: str) -> pd.DataFrame:
    """The named groups of a pattern in each text that matches it as a whole."""
    import pandas as pd

    return pd.Series(texts, dtype=object).str.extract(rf"^(?:{pattern})$", flags=re.IGNORECASE)


def read_dates(column: TextColumn, order: str = "") -> DateTexts:
    """Read the texts of a column that are dates, in an order that may be known of other rows.

    Raises:
        DataError: Days and months cannot be told apart.
    """
    levels = column.levels
    moments, zoned = _read_iso(levels)
    for pattern in _FORMS:
        open_levels = np.flatnonzero(np.isnat(moments))
        if not len(open_levels):
            break
        fields = extract_fields(levels[open_levels], pattern)
        fields.index = open_levels
        fields = fields[fields["year"].notna()]
        if pattern is _YEAR_LAST:
            # A column of something else, such as 12-34-5678, holds no ambiguous dates.
            a, b = fields["a"].astype(int), fields["b"].astype(int)
            fields = fields[(a * b > 0) & (a <= 31) & (b <= 31) & ((a <= 12) | (b <= 12))]
        if fields.empty:
            continue
        if pattern is _YEAR_LAST:
            is_match = np.zeros(len(levels), dtype=bool)
            is_match[fields.index] = True
            if not order and not column.holds_mostly(is_match | ~np.isnat(moments)):
                continue
            day_first = order.startswith("day") if order else _is_day_first(column, fields)
            fields["day"], fields["month"] = (
                (fields["a"], fields["b"]) if day_first else (fields["b"], fields["a"])
            )
            mark = fields["mark"].iloc[0]
            order = mark.join(["day", "month", "year"] if day_first else ["month", "day", "year"])
        moments[fields.index] = _moments(fields)
        if "zone" in fields:
            zoned[fields.index] = fields["zone"].notna()
    return DateTexts(moments, zoned, order)


def _read_iso(levels: NDArray[Any]) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """Read texts such as 2024-01-31 and 2024-01-31T12:00:00+01:00, many times faster than others.

    Returns:
        Dates in UTC, NaT for other texts, and whether a text has a zone.
    """
    import pandas as pd

    texts = pd.Series(levels, dtype=object)
    is_iso = (texts.str.len() >= 10) & (texts.str[4] == "-") & (texts.str[7] == "-")
    iso = texts.where(is_iso)
    moments = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    zoned = iso.str.contains(r"\d(?:Z|[+-]\d\d:?\d\d)$", na=False) & (texts.str.len() > 10)
    return np.array(moments, dtype="datetime64[us]"), np.array(zoned, dtype=bool)


def _is_day_first(column: TextColumn, fields: pd.DataFrame) -> bool:
    """Whether the first field of dates such as 13/01/2024 is the day, as a field above 12 shows.

    Dates with dots have the day first in every country that writes them so.
    """
    a, b = fields["a"].astype(int), fields["b"].astype(int)
    day_first, month_first = (a > 12) & (b <= 12), (b > 12) & (a <= 12)
    if day_first.any() and month_first.any():
        day_text = column.levels[_first(column, day_first)]
        level = _first(column, month_first)
        raise column.error(
            f'"{column.levels[level]}" has the month first and "{day_text}" the day; {_WRITE_ISO}',
            level,
        )
    if not (
        day_first.any() or month_first.any() or (a == b).all() or fields["mark"].eq(".").all()
    ):
        level = _first(column, a != b)
        raise column.error(
            f'"{column.levels[level]}" may have the day or the month first, and no date of the '
            f"column shows which; {_WRITE_ISO}, {column.categorical_remedy}, or drop it",
            level,
        )
    return not month_first.any()


def _first(column: TextColumn, is_chosen: pd.Series[bool]) -> int:
    """The first text in the order of rows among those chosen, by their positions."""
    chosen = np.zeros(len(column.levels), dtype=bool)
    chosen[is_chosen.index[is_chosen.to_numpy()]] = True
    return column.first_of(chosen)


def _moments(fields: pd.DataFrame) -> NDArray[np.datetime64]:
    """Dates of their fields, in UTC where they have a zone; NaT where there is no such day."""
    import pandas as pd

    numbers = {
        name[:length]: f"{i:02}" for i, name in enumerate(_MONTHS, 1) for length in range(3, 10)
    }
    month = fields["month"].str.lower()
    month = month.map(numbers).fillna(month.str.zfill(2))
    text = fields["year"] + "-" + month + "-" + _field(fields, "day", "1").str.zfill(2)
    if "hour" in fields:
        hour = _field(fields, "hour", "0").astype(int)
        half = fields["half"].str.lower()
        is_real = half.isna() | hour.between(1, 12)
        hour = hour.where(half.isna(), hour % 12 + 12 * (half == "pm"))
        zone = fields["zone"].fillna("Z").str.upper().replace(["UTC", "GMT"], "Z")
        text += "T" + hour.astype(str).str.zfill(2).where(is_real, "no hour")
        text += ":" + _field(fields, "minute", "00") + ":" + _field(fields, "second", "00")
        text += "." + _field(fields, "fraction", "0").str.slice(0, 6) + zone
    dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    return dates.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")


def _field(fields: pd.DataFrame, name: str, default: str) -> pd.Series[str]:
    import pandas as pd

    if name not in fields:
        return pd.Series(default, index=fields.index)
    return fields[name].fillna(default)


def refuse_short_years(column: TextColumn) -> None:
    """Refuse a column of dates with two digits for the year, such as 01/02/24.

    Texts whose fields fit no order of day, month and year are something else.
    """
    fields = extract_fields(column.levels, _SHORT_YEAR)
    is_match = fields[0].notna().to_numpy()
    if not column.holds_mostly(is_match):
        return
    fields = fields[is_match]
    middle = np.where(fields[2].str.isalpha(), 1, fields[2].where(fields[2].str.isdigit(), 1))
    a, b, c = fields[0].astype(int), middle.astype(int), fields[3].astype(int)

    def fit(day: Any, month: Any) -> bool:
        return bool(((day >= 1) & (day <= 31) & (month >= 1) & (month <= 12)).all())

    if fit(a, b) or fit(b, a) or fit(c, b):
        level = column.first_of(is_match)
        raise column.error(
            f'"{column.levels[level]}" may be read as several dates (its year has two digits); '
            f"{_WRITE_ISO}, {column.categorical_remedy}, or drop it",
            level,
        )


def refuse_unread(column: TextColumn) -> None:
    """Refuse a column of weeks, quarters and other texts that stand for a time and are not read.

    Left as they are, they would become a feature a text.
    """
    for what, pattern in _NOT_READ.items():
        is_match = extract_fields(column.levels, f"(?P<text>{pattern})")["text"].notna().to_numpy()
        if column.holds_mostly(is_match):
            level = column.first_of(is_match)
            raise column.error(
                f'"{column.levels[level]}" looks like {what}, which is not read; {_WRITE_ISO}, '
                f"{column.categorical_remedy}, or drop it",
                level,
            )
