"""Features of dates and durations, as texts or as types of a data frame."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.date_texts import (
    extract_fields,
    read_dates,
    refuse_short_years,
    refuse_unread,
)
from remix_study.data.text_column import FeatureBlock, TextColumn

if TYPE_CHECKING:
    import pandas as pd

_DURATION = (
    r"(?:(?P<days>[+-]?\d+) days?,? ?)?"
    r"(?:(?P<sign>[+-]?)(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d)"
    r"(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?)?"
)
# Texts of a column among which one with a digit must be before all are read.
_TRIED = 200


def encode_time_texts(column: TextColumn) -> FeatureBlock | None:
    """Make features of a column in which most texts are dates, times or durations; else None.

    Raises:
        DataError: As :func:`encode_date_texts` and :func:`encode_duration_texts`.
    """
    tried = column.levels[:: max(1, len(column.levels) // _TRIED)]
    if not any(re.search(r"\d", text) for text in tried):
        return None
    return encode_date_texts(column) or encode_duration_texts(column)


def encode_date_texts(
    column: TextColumn, order: str = "", *, has_times: bool | None = None
) -> FeatureBlock | None:
    """Make features of a column in which most texts are dates; None for another column.

    The order of days and months and whether there are times may be known of other rows, which a
    model learned from: then the texts must be dates.

    Raises:
        DataError: Days and months cannot be told apart, or a text is no date.
    """
    is_known = has_times is not None
    if not is_known:
        refuse_short_years(column)
    dates = read_dates(column, order)
    is_date = ~np.isnat(dates.moments)
    if not is_known and not column.holds_mostly(is_date):
        refuse_unread(column)
        return None
    _check_all(column, is_date, "date", is_known=is_known)
    if dates.zoned.any() and not dates.zoned.all():
        odd = column.first_of(~dates.zoned)
        raise column.error(
            f'"{column.levels[odd]}" has no time zone, and others have one; write all alike', odd
        )
    moments = np.append(dates.moments, np.datetime64("NaT", "us"))[column.codes]
    notes = ((f"holds dates, read as {dates.order}", ""),) if dates.order else ()
    block = _date_block(column.name, moments, notes, has_times=has_times)
    return replace(block, order=dates.order)


def encode_dates(
    name: str, column: pd.Series[Any], *, has_times: bool | None = None
) -> FeatureBlock:
    """Make features of a column of the type date; times with a zone are taken in UTC."""
    if getattr(column.dt, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return _date_block(name, column.astype("datetime64[us]").to_numpy(), has_times=has_times)


def encode_durations(name: str, column: pd.Series[Any]) -> FeatureBlock:
    """Make a feature of a column of the type duration: its seconds."""
    seconds = column.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan)
    return _seconds_block(f"{name}.seconds", seconds)


def encode_duration_texts(column: TextColumn, *, is_known: bool = False) -> FeatureBlock | None:
    """Make a feature of a column in which most texts are durations or times of a day.

    Of a column that is known to hold them, all must be.

    Returns:
        Seconds, None for another column.

    Raises:
        DataError: A text is neither.
    """
    fields = extract_fields(column.levels, _DURATION)
    is_duration = (fields["days"].notna() | fields["hours"].notna()).to_numpy()
    if not is_known and not column.holds_mostly(is_duration):
        return None
    _check_all(column, is_duration, "time", is_known=is_known)
    days, hours, minutes, seconds = (
        fields[part].astype(np.float64).fillna(0).to_numpy()
        for part in ("days", "hours", "minutes", "seconds")
    )
    sign = np.where(fields["sign"] == "-", -1, 1)
    # In the notation of pandas "-1 days +23:00:00" is an hour before zero.
    totals = days * 86400 + sign * (hours * 3600 + minutes * 60 + seconds)
    values = np.append(totals, np.nan)[column.codes]
    return _seconds_block(f"{column.name}.seconds", values, (("holds times, now in seconds", ""),))


def _check_all(
    column: TextColumn, is_read: NDArray[np.bool_], noun: str, *, is_known: bool
) -> None:
    """Refuse the first text that is not what the others, or those a model learned from, are."""
    if is_read.all():
        return
    odd = column.first_of(~is_read)
    why = f"most cells of the column are; {column.missing_remedy(odd)}"
    if is_known:
        why = "the cells were that the model learned from; mend the cell, or leave it empty"
    raise column.error(f'"{column.levels[odd]}" is no {noun}, as {why}', odd)


def _date_block(
    name: str,
    moments: NDArray[np.datetime64],
    notes: tuple[tuple[str, str], ...] = (),
    *,
    has_times: bool | None = None,
) -> FeatureBlock:
    """Features of dates: year, month, day, weekday (Monday 0), hour, seconds since 1970."""
    import pandas as pd

    dates = pd.Series(moments).dt
    days = moments.astype("datetime64[D]")
    if has_times is None:
        has_times = bool((moments != days)[~np.isnat(moments)].any())
    parts = ("year", "month", "day", "weekday", *(["hour"] if has_times else []), "total_seconds")

    def fill(out: NDArray[np.float64]) -> None:
        for position, part in enumerate(("year", "month", "day", "day_of_week")):
            out[:, position] = getattr(dates, part)
        if has_times:
            out[:, 4] = (moments - days) / np.timedelta64(1, "h")
        out[:, -1] = (moments - np.datetime64(0, "us")) / np.timedelta64(1, "s")

    return FeatureBlock(tuple(f"{name}.{part}" for part in parts), fill, notes, kind="date")


def _seconds_block(
    name: str, values: NDArray[np.float64], notes: tuple[tuple[str, str], ...] = ()
) -> FeatureBlock:
    def fill(out: NDArray[np.float64]) -> None:
        out[:, 0] = values

    return FeatureBlock((name,), fill, notes, kind="duration")
