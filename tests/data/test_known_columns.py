"""Columns whose features are known: the same rows become the same, odd cells are refused."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.data.arrays import from_arrays
from remix_study.data.known_columns import KnownColumn, KnownTable, encode_known
from remix_study.data.raw_table import RawTable
from remix_study.data.table_file import load_file
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

ROWS = 60


def every_kind(seed: int = 0) -> pd.DataFrame:
    """A column of each kind, some cells of each missing."""
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 900, ROWS), "D")
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=ROWS).round(3),
            "city": rng.choice(["Rome", "Oslo", "Lima"], ROWS),
            "since": days.strftime("%d/%m/%Y"),
            "seen": (days + pd.to_timedelta(rng.integers(0, 24, ROWS), "h")).strftime(
                "%Y-%m-%d %H:%M"
            ),
            "took": [f"{h:02}:{m:02}" for h, m in rng.integers(0, 24, (ROWS, 2))],
            "code": [f"c{number % 150}" for number in rng.integers(0, 10_000, ROWS)],
            "text": [" ".join(rng.choice(["red", "old", "big", "new"], 5)) for _ in range(ROWS)],
        }
    )
    frame["vip"] = pd.Series(rng.random(ROWS) < 0.3).astype(object)
    for name in frame:
        frame.loc[rng.random(ROWS) < 0.05, name] = None
    return frame


def encoded(table: KnownTable, frame: pd.DataFrame) -> np.ndarray:
    """Features (n, d) of a frame, column by column."""
    raw = RawTable('data set "x"', frame.reset_index(drop=True))
    parts = [encode_known(c, raw, table.format)[0] for c in table.columns if c.features]
    return np.hstack(parts)


@pytest.fixture(scope="module")
def dataset():
    return from_arrays(every_kind(), np.arange(ROWS) % 2, name="x")


def test_every_kind_is_there(dataset):
    kinds = {column.name: column.kind for column in dataset.table.columns}
    assert {kinds.pop("code"), kinds.pop("text")} <= {"category", "hashed", "sentence"}
    assert kinds == {
        "size": "number", "city": "category", "since": "date", "seen": "date",
        "took": "duration", "vip": "truth",
    }  # fmt: skip


@settings(max_examples=15)
@given(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=5))
def test_any_rows_alone_become_what_they_became_among_all(dataset, rows):
    table = msgspec.json.decode(msgspec.json.encode(dataset.table), type=KnownTable)
    np.testing.assert_array_equal(encoded(table, every_kind().iloc[rows]), dataset.X[rows])


def test_a_file_is_read_as_its_table_was(tmp_path):
    frame = every_kind().assign(label=np.arange(ROWS) % 2)
    path = tmp_path / "all.csv"
    frame.to_csv(path, index=False)
    dataset = load_file(path, label="label")
    assert dataset.table.other_columns == ("label",)
    np.testing.assert_array_equal(encoded(dataset.table, frame.iloc[:7]), dataset.X[:7])


def test_hashed_categories_and_sentences_need_no_table():
    texts = pd.DataFrame({"code": [f"c{number}" for number in range(120)] * 2, "n": range(240)})
    dataset = from_arrays(texts, np.arange(240) % 2, name="x")
    assert dataset.table.columns[0].kind == "hashed"
    np.testing.assert_array_equal(encoded(dataset.table, texts.iloc[[7]]), dataset.X[[7]])


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        ("size", "many", '"many" is no number'),
        ("vip", "perhaps", '"perhaps" is no truth value'),
        ("since", "soon", '"soon" is no date'),
        ("took", "long", '"long" is no time'),
    ],
)
def test_a_cell_of_another_kind_is_refused_by_its_row(dataset, name, cell, reason):
    frame = every_kind().astype(object).iloc[:4].copy()
    frame.loc[2, name] = cell
    frame.loc[[1, 3], name] = None
    # Good cells before it, of which it is half or all.
    for first in (None, every_kind()[name].dropna().iloc[0]):
        frame.loc[0, name] = first
        with pytest.raises(DataError) as error:
            encoded(dataset.table, frame)
        assert str(error.value).startswith(f'data set "x", row 2, column "{name}": {reason}')
        assert "mend the cell, or leave it empty" in str(error.value)


@pytest.mark.parametrize("name", ["size", "city"])
@pytest.mark.parametrize(("cell", "what"), [([1], "several values"), (1j, "complex numbers")])
def test_cells_that_no_column_may_hold_are_refused(dataset, name, cell, what):
    frame = every_kind().iloc[:2].assign(**{name: pd.Series([cell, cell], dtype=object)})
    with pytest.raises(DataError, match=f'data set "x", column "{name}": .*{what}'):
        encoded(dataset.table, frame)


def test_numbers_of_a_spreadsheet_have_no_decimal_mark():
    known = KnownColumn("a", "number", ("a",))
    cells = pd.DataFrame({"a": pd.Series([1.5, "2,5", 3], dtype=object)})
    values, _ = encode_known(known, RawTable("a.xlsx", cells), TableFormat(decimal=","))
    assert values.tolist() == [[1.5], [2.5], [3]]


def test_a_new_category_counts_as_missing_and_is_told(dataset):
    frame = every_kind().iloc[:3].assign(city=["Paris", "Rome", None]).reset_index(drop=True)
    known = next(column for column in dataset.table.columns if column.name == "city")
    values, unseen = encode_known(known, RawTable('data set "x"', frame), dataset.table.format)
    assert unseen.tolist() == [True, False, False]
    assert values.sum(axis=1).tolist() == [0, 1, 0]


def test_days_and_months_are_told_apart_as_before(dataset):
    frame = every_kind().iloc[:1].assign(since="03/04/2022")
    features = encoded(dataset.table, frame)
    assert features[0, dataset.features.index("since.month")] == 4
