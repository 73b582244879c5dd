"""Dates and durations: the same features from texts and types, and no date read in two ways."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.data.columns import EncodedColumns, encode_columns
from remix_study.data.raw_table import RawTable
from remix_study.data.table_file import load_file
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

PARTS = ("year", "month", "day", "weekday", "total_seconds")


def encode(values: Any, name: str = "when", **table: Any) -> EncodedColumns:
    frame = pd.DataFrame({name: values})
    return encode_columns(
        RawTable("visits.csv", frame, lines=np.arange(2, len(frame) + 2), **table)
    )


def expected(moments: list[datetime.datetime | None]) -> np.ndarray:
    """Features of dates by Python's own calendar."""
    rows = []
    for moment in moments:
        if moment is None:
            rows.append([np.nan] * 6)
            continue
        hour = moment.hour + moment.minute / 60 + moment.second / 3600
        seconds = moment.replace(tzinfo=datetime.UTC).timestamp()
        date = [moment.year, moment.month, moment.day, moment.weekday()]
        rows.append([*date, hour, seconds])
    table = np.array(rows)
    return table if np.nanmax(table[:, 4]) > 0 else np.delete(table, 4, axis=1)


FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.000000", "%Y/%m/%d %H:%M:%S", "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M:%S", "%d-%m-%Y %H:%M:%S", "%d %b %Y %H:%M:%S",
    "%d-%B-%Y %H:%M:%S", "%B %d, %Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S GMT",
    "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S +0000 %Y", "%d. %b %Y %H:%M:%S",
    "%Y-%m-%d %H:%M:%S+00:00",
)  # fmt: skip


@given(
    st.lists(
        st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2250, 1, 1)),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(FORMATS),
)
@settings(max_examples=60, deadline=None)
def test_every_form_and_the_type_give_what_the_calendar_says(
    moments: list[datetime.datetime], form: str
) -> None:
    # A day above 12 shows the order.
    moments = [m.replace(microsecond=0) for m in moments] + [datetime.datetime(2024, 3, 31, 23, 1)]
    rows = [*moments, None]
    texts = encode([row and row.strftime(form) for row in rows])
    np.testing.assert_allclose(texts.X, expected(rows), rtol=1e-15)
    typed = encode(pd.Series(rows, dtype="datetime64[us]"))
    np.testing.assert_array_equal(texts.X, typed.X)
    assert texts.features == typed.features


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%b %d, %Y"])
def test_dates_without_times(form: str) -> None:
    moments = [datetime.datetime(2024, 2, 29), datetime.datetime(1969, 12, 31), None]
    encoded = encode([moment and moment.strftime(form) for moment in moments])
    assert encoded.features == tuple(f"when.{part}" for part in PARTS)
    np.testing.assert_array_equal(encoded.X, expected(moments))
    # The order of days and months is said where the texts alone leave it open.
    assert len(encoded.notes) == (form[:2] == "%d")


def test_dates_repeating_in_two_orders() -> None:
    days = [f"{day:02}/{month:02}/2024 00:00" for month in (1, 2) for day in range(1, 29)]
    encoded = encode(days * 5)
    assert encoded.features == tuple(f"when.{part}" for part in PARTS)
    assert encoded.notes == ('visits.csv: column "when" holds dates, read as day/month/year',)
    assert encoded.X[30].tolist()[:4] == [2024, 2, 3, 5]
    swapped = encode([f"{text[3:5]}/{text[:2]}{text[5:]}" for text in days * 5])
    np.testing.assert_array_equal(encoded.X, swapped.X)
    assert "month/day/year" in swapped.notes[0]


def test_times_with_a_zone_are_those_of_utc() -> None:
    berlin = pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin")
    typed, texts = encode(berlin), encode(berlin.astype(str))
    np.testing.assert_array_equal(typed.X, texts.X)
    np.testing.assert_array_equal(typed.X, encode(berlin.tz_convert("UTC").tz_localize(None)).X)


def test_dates_of_python_in_cells_and_months() -> None:
    dates = [datetime.date(2024, 1, 31), None, datetime.date(2023, 5, 1)]
    typed = encode(pd.to_datetime(pd.Series(dates)))
    np.testing.assert_array_equal(encode(dates).X, typed.X)
    stamps = [value and pd.Timestamp(value) for value in dates]
    np.testing.assert_array_equal(encode(pd.Series(stamps, dtype=object)).X, typed.X)
    months = encode(["2024-02", "1999-12"])
    np.testing.assert_array_equal(months.X[:, :3], [[2024, 2, 1], [1999, 12, 1]])
    np.testing.assert_array_equal(encode(["Feb 2024", "December 1999"]).X, months.X)
    np.testing.assert_array_equal(encode(["2/2024", "12-1999"]).X, months.X)


def test_durations_and_times_of_a_day() -> None:
    durations = pd.Series(pd.to_timedelta([90, -3600, 200_000.5, None], unit="s"))
    typed = encode(durations)
    assert typed.features == ("when.seconds",)
    np.testing.assert_array_equal(typed.X[:, 0], [90, -3600, 200_000.5, np.nan])
    texts = durations.astype(str).where(durations.notna(), None)
    np.testing.assert_array_equal(encode(texts).X, typed.X)
    np.testing.assert_array_equal(encode(["7:05", "23:59"]).X[:, 0], [25_500, 86_340])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["01/02/2024", "03/03/2024"], 'line 2, column "when": "01/02/2024" may have the day or'),
        (["13/01/2024", "01/13/2024"], 'line 3, column "when": "01/13/2024" has the month first'),
        (["01/02/24", "05/02/24"], 'line 2, column "when": "01/02/24" may be read as several'),
        (["24-01-31", "24-02-29"], "its year has two digits"),
        (["31-Jan-24", "01-Feb-24"], "its year has two digits"),
        (["2024-01-31", "2024-02-30", "2024-01-01"], '"2024-02-30" is no date'),
        (["2024-01-31", "soon", "2024-01-01"], 'line 3, column "when": "soon" is no date'),
        (["2024-01-31", "2024-01-31 24:01", "2024-01-01"], '"2024-01-31 24:01" is no date'),
        (["2024-01-31 10:00Z", "2024-01-31 10:00"], "has no time zone, and others have one"),
        (["10:30", "11:00", "noon"], '"noon" is no time'),
        (["2024-W05", "2024-W06"], 'line 2, column "when": "2024-W05" looks like a week'),
        (["2024Q1", "2024Q2"], '"2024Q1" looks like a quarter'),
        (["Q1 2024", "Q2 2024"], '"Q1 2024" looks like a quarter'),
        (["Feb-24", "Mar-24"], '"Feb-24" looks like a month without a year'),
        (["24-Feb", "3-Mar"], '"24-Feb" looks like a month without a year'),
        (["1. März 2024", "2. Mai 2024"], '"1. März 2024" looks like a date whose month has no'),
        (
            ["01. Jan 2024", "05. Dez 2024", "02. Jan 2024"],
            'line 3, column "when": "05. Dez 2024"',
        ),
    ],
)
def test_what_may_be_read_in_two_ways_is_refused_by_name(texts: list[str], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        encode(texts)
    assert "\n" not in str(caught.value)
    assert "write " in str(caught.value)


def test_the_key_that_mends_it_is_named() -> None:
    with pytest.raises(DataError, match=re.escape('write missing = ["soon"], mend the cell, or')):
        encode(["2024-01-31", "soon", "2024-01-01"])
    frame = pd.DataFrame({"when": ["01/02/2024", "02/03/2024"]})
    with pytest.raises(DataError, match=r'astype\("category"\)') as caught:
        encode_columns(RawTable('data set "mine"', frame))
    assert "categorical =" not in str(caught.value)
    categories = encode_columns(RawTable('data set "mine"', frame.astype("category")))
    assert categories.features == ("when=01/02/2024", "when=02/03/2024")


def test_a_file_names_its_line_and_the_key_makes_categories(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    rows = [f'"a\nb",0{1 + i % 2}/0{1 + i % 3}/2024,{i % 2}' for i in range(12)]
    path.write_text("\n".join(["text,when,label", *rows]) + "\n")
    with pytest.raises(DataError, match=r'visits.csv, line 6, column "when": "01/03/2024" may'):
        load_file(path, label="label")
    dataset = load_file(path, label="label", table_format=TableFormat(categorical=("when",)))
    assert "when=01/03/2024" in dataset.features


@pytest.mark.parametrize(
    "texts",
    [
        ["12-34-5678", "99-10-1234", "12-34-5678"],
        ["18-25", "26-35", "18-25"],
        ["10-20-30", "40-50-60", "10-20-30"],
        ["version 1.2", "version 1.3", "version 1.2"],
        ["2024-01-31", "a", "b", "a", "b"],
        ["may 2024 be", "5 apples 2024", "may 2024 be"],
        ["abc-24", "xyz-25", "abc-24"],
        ["Q1", "Q2", "Q1"],
    ],
)
def test_texts_that_are_no_dates_stay_categories(texts: list[str]) -> None:
    encoded = encode(texts)
    assert encoded.features == tuple(f"when={text}" for text in sorted(set(texts)))
