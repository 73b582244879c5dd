"""Numbers stay numbers: what is one, what is read as one by key, and what is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remix_study.data.number_cells import read_cell
from remix_study.data.numbers import settle_numbers
from remix_study.data.raw_table import RawTable
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

PLAIN = TableFormat()


def column_table(cells: list[Any]) -> RawTable:
    """A table of one column ``x``, a row for each of its file's lines from 2."""
    frame = pd.DataFrame({"x": pd.Series(cells, dtype=object)})
    return RawTable("t.csv", frame, lines=np.arange(2, len(cells) + 2))


def settled(cells: list[Any], **keys: Any) -> pd.Series:
    return settle_numbers(column_table(cells), TableFormat(**keys)).frame["x"]


def refusal(cells: list[Any], **keys: Any) -> str:
    with pytest.raises(DataError) as caught:
        settled(cells, **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "keys", "value"),
    [
        ("12", {}, 12),
        ("-1.5e-3", {}, -0.0015),
        ("+.5", {}, 0.5),
        ("7.", {}, 7),
        ("inf", {}, np.inf),
        ("\u22121.5", {}, -1.5),
        ("'12'", {}, 12),
        ("1,5", {"decimal": ","}, 1.5),
        ("-,5", {"decimal": ","}, -0.5),
        ("1,234,567.5", {"thousands": ","}, 1234567.5),
        ("12,34,567", {"thousands": ","}, 1234567),
        ("1.234,5", {"thousands": ".", "decimal": ","}, 1234.5),
        ("1 234", {"thousands": " "}, 1234),
        ("1\u202f234,5", {"thousands": " ", "decimal": ","}, 1234.5),
        ("1'234", {"thousands": "'"}, 1234),
        ("53%", {"units": ("%",)}, 53),
        ("53 %", {"units": ("%",)}, 53),
        ("-$5", {"units": ("$",)}, -5),
        ("$-5", {"units": ("$",)}, -5),
        ("$1,200.50", {"units": ("$",), "thousands": ","}, 1200.5),
        ("12 kg", {"units": ("kg", "g")}, 12),
    ],
)
def test_a_cell_that_is_a_number(text: str, keys: dict[str, Any], value: float) -> None:
    cell = read_cell(text, TableFormat(**keys))
    assert (cell.value, cell.fault) == (value, "")


@pytest.mark.parametrize(
    ("text", "keys", "fault", "mark"),
    [
        ("1,5", {}, "decimal", ","),
        ("1,295", {}, "group", ","),
        ("1,23,456", {}, "group", ","),
        ("1.5", {"decimal": ","}, "decimal", "."),
        ("1.295", {"decimal": ","}, "group", "."),
        ("1 295", {}, "group", " "),
        ("1\u00a0295", {}, "group", " "),
        ("1.295.000,50", {}, "group", "."),
        # Only groups of three digits are joined.
        ("1,23", {"thousands": ","}, "decimal", ","),
        ("53%", {}, "unit", "%"),
        ("$129.50", {}, "unit", "$"),
        ("-€5", {}, "unit", "€"),
        ("EUR 5", {}, "unit", "EUR"),
        ("$1,200", {}, "unit", "$"),
        ("(436.44)", {}, "negative", ""),
        ("(1,436.44)", {}, "negative", ""),
        ("436,44-", {"decimal": ","}, "negative", ""),
        ("(n.a.)", {}, "text", ""),
        ("(1)", {}, "text", ""),
        ("3-", {}, "text", ""),
        ("10-20-", {}, "text", ""),
        ("n.a.", {}, "text", ""),
        ("#DIV/0!", {}, "text", ""),
        ("3+", {}, "text", ""),
        ("1_000", {}, "text", ""),
        ("0x1F", {}, "text", ""),
        ("2024-01-05", {}, "text", ""),
        ("05.01.2024", {}, "text", ""),
        ("12:30", {}, "text", ""),
        ("\u0661\u0662", {}, "text", ""),
        ("-", {}, "text", ""),
        ("x1", {}, "text", ""),
        ("%", {}, "text", ""),
    ],
)
def test_a_cell_that_is_none_says_why(
    text: str, keys: dict[str, Any], fault: str, mark: str
) -> None:
    cell = read_cell(text, TableFormat(**keys))
    assert np.isnan(cell.value)
    assert (cell.fault, cell.mark) == (fault, mark)


@given(st.floats(allow_nan=False), st.sampled_from([".", ","]))
def test_every_float_is_read_as_it_is_written(value: float, decimal: str) -> None:
    text = repr(value).replace(".", decimal)
    assert read_cell(text, TableFormat(decimal=decimal)).value == value


@given(st.text(max_size=12), st.sampled_from([".", ","]), st.sampled_from(["", "'", " "]))
def test_any_text_is_a_number_or_has_a_fault(text: str, decimal: str, thousands: str) -> None:
    cell = read_cell(text, TableFormat(decimal=decimal, thousands=thousands, units=("%",)))
    assert np.isnan(cell.value) == bool(cell.fault)


def test_numbers_among_which_nothing_else_is_are_numbers() -> None:
    column = settled([" 1 ", "2.5", None, "NA", "?", 4])
    assert column.dtype == np.float64
    np.testing.assert_array_equal(column, [1, 2.5, np.nan, np.nan, np.nan, 4])


def test_other_columns_are_text() -> None:
    column = settled(["a ", "1", None, "NA", "b", "2"])
    assert [None if cell != cell else cell for cell in column] == ["a", "1", None, None, "b", "2"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["1", "2", "n.a.", "3", "-", "n.a.", "4"],
            't.csv, line 4, column "x": "n.a." is not a number (4 of 7 cells are); write '
            'missing = ["n.a.", "-"] if such cells are missing values, categorical = ["x"] if '
            "the column holds names, or mend the cell",
        ),
        (
            ["1,5", "2", "3,25"],
            't.csv, line 2, column "x": "1,5" is not a number (1 of 3 cells are); write '
            'decimal = "," (and thousands, if digits are grouped), or categorical = ["x"] if '
            "the column holds names",
        ),
        (
            ["620", "1,288", "1,470"],
            't.csv, line 3, column "x": "1,288" is not a number (1 of 3 cells are); write '
            'thousands = "," if it groups digits, decimal = "," if it is the decimal mark, or '
            'categorical = ["x"] if the column holds names',
        ),
        (
            ["1,288,000", "1,470"],
            't.csv, line 2, column "x": "1,288,000" is not a number; write thousands = "," if it '
            'groups digits, or categorical = ["x"] if the column holds names',
        ),
        (
            ["1.288,5", "1.470,25"],
            't.csv, line 2, column "x": "1.288,5" is not a number; write decimal = "," and '
            'thousands = ".", or categorical = ["x"] if the column holds names',
        ),
        (
            ["62%", "$5", "7"],
            't.csv, line 2, column "x": "62%" is not a number (1 of 3 cells are); write '
            'units = ["%", "$"] to take the sign off, or categorical = ["x"] if the column '
            "holds names",
        ),
        (
            ["1.5", "2", "3,25"],
            't.csv, line 4, column "x": "3,25" is not a number (2 of 3 cells are); write '
            '"." for "," in the cell, as others have it, or categorical = ["x"] if the column '
            "holds names",
        ),
        (
            ["1.5", "2", "3,250"],
            't.csv, line 4, column "x": "3,250" is not a number (2 of 3 cells are); write '
            'thousands = "," if it groups digits, or categorical = ["x"] if the column holds '
            "names",
        ),
        (
            # German: points group digits.
            ["1.234", "2", "3,25"],
            't.csv, line 4, column "x": "3,25" is not a number (2 of 3 cells are); write '
            'decimal = "," (and thousands, if digits are grouped), or categorical = ["x"] if the '
            "column holds names",
        ),
        (
            ["1.5", "(2.5)", "3.25-"],
            't.csv, line 3, column "x": "(2.5)" is not a number (1 of 3 cells are); write '
            'negative numbers with a minus before them, or categorical = ["x"] if the column '
            "holds names",
        ),
    ],
)
def test_the_first_odd_cell_is_refused_with_the_key_that_mends_it(
    cells: list[str], message: str
) -> None:
    assert refusal(cells) == message


def test_keys_read_what_was_refused() -> None:
    assert settled(["1,5", "2", "3,25"], decimal=",").tolist() == [1.5, 2, 3.25]
    assert settled(["620", "1,288"], thousands=",").tolist() == [620, 1288]
    assert settled(["62%", "$5", "7"], units=("%", "$")).tolist() == [62, 5, 7]
    np.testing.assert_array_equal(settled(["1", "2", "n.a."], missing=("n.a.",)), [1, 2, np.nan])
    assert list(settled(["1", "2", "3+"], categorical=("x",))) == ["1", "2", "3+"]


def test_many_odd_cells_are_counted_not_listed() -> None:
    message = refusal([*map(str, range(20)), *(f"bad {i}" for i in range(9))])
    assert '"bad 4"] (9 different ones)' in message
    assert "bad 5" not in message


def test_missing_numbers_are_missing_in_every_column_of_numbers() -> None:
    frame = pd.DataFrame({"a": [1, -1, 3], "b": [-1.0, 2.0, 3.5], "c": ["u", "-1", "v"]})
    table = settle_numbers(RawTable("t.parquet", frame), TableFormat(missing=("-1",)))
    np.testing.assert_array_equal(table.frame["a"].to_numpy(dtype=float), [1, np.nan, 3])
    np.testing.assert_array_equal(table.frame["b"], [np.nan, 2, 3.5])
    assert table.frame["c"].isna().tolist() == [False, True, False]
    # The decimal mark of the file does not matter.
    np.testing.assert_array_equal(
        settled(["-1,0", "5"], decimal=",", missing=("-1",)), [np.nan, 5]
    )


def test_what_leaves_no_doubt_is_read_with_a_note() -> None:
    table = settle_numbers(column_table(["\u22121.5", "2", "\u22121.5", "'3'"]), PLAIN)
    assert table.frame["x"].tolist() == [-1.5, 2, -1.5, 3]
    (note,) = table.notes
    assert note.startswith('t.csv: column "x": 3 cells such as "\u22121.5" are read as numbers')


@pytest.mark.parametrize(
    ("cells", "remedy"),
    [
        (["12 kg", "3.5kg", "7 kg"], '"kg", and are taken for names; write units = ["kg"] to'),
        (["12 kg", "3.5kg", "7 g"], 'convert them to one unit, and write units = ["kg", "g"] to'),
        (["36,6 °C", "37 °C", None], 'write units = ["°C"]'),
        (["A11", "A12", "A13"], ""),
        (["1st", "2nd", "3rd", "4th"], ""),
        (["a", "b"], ""),
    ],
)
def test_numbers_with_letters_behind_are_names_with_a_note(cells: list[str], remedy: str) -> None:
    table = settle_numbers(column_table(cells), PLAIN)
    assert table.frame["x"].tolist()[:2] == cells[:2]
    assert [remedy in note for note in table.notes] == [True] * bool(remedy)


def test_many_numbers_among_names_are_pointed_out() -> None:
    numbers, odd = [str(1.5 * i) for i in range(12)], ["old"] * 13
    (note,) = settle_numbers(column_table(numbers + odd), PLAIN).notes
    assert (
        '12 of 25 cells are numbers, and all are taken for names; if cells such as "old"' in note
    )
    assert settled(numbers + odd, missing=("old",)).dtype == np.float64
    python_table = RawTable('data set "mine"', pd.DataFrame({"x": numbers + odd}))
    (note,) = settle_numbers(python_table, PLAIN).notes
    assert note.endswith("replacing them by NaN makes numbers of the others")
    names = ["1", "2", "A", "B", "C"] * 5
    assert settle_numbers(column_table(names), PLAIN).notes == ()


def test_columns_with_a_type_stay() -> None:
    frame = pd.DataFrame(
        {
            "truth": [True, False],
            "objects": pd.Series([True, None], dtype=object),
            "lists": pd.Series([[1], [2]], dtype=object),
            "day": pd.to_datetime(["2024-01-05", "2024-01-06"]),
            "names": pd.Categorical(["1", "2"]),
        }
    )
    pd.testing.assert_frame_equal(settle_numbers(RawTable("t", frame), PLAIN).frame, frame)


def test_missing_names_are_missing_among_categories() -> None:
    frame = pd.DataFrame({"x": pd.Categorical(["a", "n.a.", "b"])})
    column = settle_numbers(RawTable("t.arff", frame), TableFormat(missing=("n.a.",))).frame["x"]
    assert column.isna().tolist() == [False, True, False]
    assert column.cat.categories.tolist() == ["a", "b"]


def test_columns_with_a_type_are_names_by_key() -> None:
    frame = pd.DataFrame({"code": [7, 12, 7], "part": [1.0, np.nan, 2.5], "size": [1, 2, 3]})
    keys = TableFormat(categorical=("code", 2), missing=("12",))
    table = settle_numbers(RawTable("t.parquet", frame), keys).frame
    assert isinstance(table["code"].dtype, pd.CategoricalDtype)
    assert [None if cell != cell else cell for cell in table["code"]] == ["7", None, "7"]
    assert [None if cell != cell else cell for cell in table["part"]] == ["1", None, "2.5"]
    assert table["size"].tolist() == [1, 2, 3]


def test_a_frame_from_python_is_told_what_to_do_there() -> None:
    table = RawTable('data set "mine"', pd.DataFrame({"x": ["1", "2", "n.a."]}))
    with pytest.raises(DataError) as caught:
        settle_numbers(table, PLAIN)
    assert str(caught.value) == (
        'data set "mine", row 2, column "x": "n.a." is not a number (2 of 3 cells are); replace '
        "such cells by NaN or by numbers, or make the column categorical with "
        'astype("category")'
    )
