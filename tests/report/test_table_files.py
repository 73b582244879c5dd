"""Files that other programs open must stay tables, whatever the cells say."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd

from remix_study.report.table_files import csv_text, markdown_text


def test_text_that_a_spreadsheet_would_run_is_defused_and_numbers_are_not():
    frame = pd.DataFrame(
        {"=name": ["=1+1", "+a", "-b", "@c", "plain"], "value": [-1.5, 2.0, np.nan, 0.0, 1e-7]}
    )
    lines = list(csv.reader(io.StringIO(csv_text(frame))))
    assert lines[0] == ["'=name", "value"]
    assert [line[0] for line in lines[1:]] == ["'=1+1", "'+a", "'-b", "'@c", "plain"]
    assert [line[1] for line in lines[1:]] == ["-1.5", "2", "", "0", "1e-07"]


def test_quotes_and_commas_survive_a_round_trip():
    frame = pd.DataFrame({"a": ['say "no", please', "two\nlines"]})
    assert pd.read_csv(io.StringIO(csv_text(frame)))["a"].tolist() == frame["a"].tolist()


def test_markdown_keeps_its_columns_and_shows_no_markup():
    frame = pd.DataFrame(
        {"a|b": ["x|y", "<b>z</b>", "p\\|q"], "n": [1, 20, 3], "f": [0.12345, 2, 3]}
    )
    assert markdown_text(frame).splitlines() == [
        "| a\\|b | n | f |",
        "| --- | ---: | ---: |",
        "| x\\|y | 1 | 0.1235 |",
        "| &lt;b&gt;z&lt;/b&gt; | 20 | 2 |",
        "| p\\\\\\|q | 3 | 3 |",
    ]
