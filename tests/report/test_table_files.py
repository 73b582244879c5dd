"""Files that other programs open must stay tables, whatever the cells say."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remix_study.report.table_files import (
    PAGE_LINES,
    csv_text,
    escape,
    latex_text,
    markdown_text,
)

NASTY = r"\input{/etc/passwd} & 100 % _a_ #1 ~ ^ $x$ <b> | [2pt] *"


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


def test_a_table_in_full():
    frame = pd.DataFrame(
        {"row_name": ["remix (0.1)", "a & b"], "gain": [-0.012345, 1e-7], "n": [3, -20]}
    )
    assert latex_text(frame).splitlines() == [
        r"% \usepackage{booktabs}",
        r"\begin{tabular}{@{}lrr@{}}",
        r"\toprule",
        r"row\_name & gain & n \\",
        r"\midrule",
        r"remix (0.1) & $-0.01235$ & 3 \\",
        r"a \& b & $1 \times 10^{-7}$ & $-20$ \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a & b", r"a \& b"),
        ("100 %", r"100 \%"),
        ("x_1", r"x\_1"),
        ("#1", r"\#1"),
        ("a~b", r"a\textasciitilde{}b"),
        ("a^b", r"a\textasciicircum{}b"),
        ("$x$", r"\$x\$"),
        ("[2pt]", "{[}2pt]"),
        ("*", "{*}"),
        ("−1", r"\ensuremath{-}1"),
        ("two\nlines\x00", "two lines "),
        ("0.1\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}0.2", "0.1~to~0.2"),
    ],
)
def test_each_special_character(text, escaped):
    assert escape(text) == escaped


@given(st.text())
def test_nothing_of_the_text_is_left_to_run(text):
    escaped = escape(text)
    escapes = r"\{\\char34\}|\\(?:text[a-z]+\{\}|ensuremath\{-\}|[&%$#_{}])|\{\[\}|\{\*\}"
    rest = re.sub(escapes, "", escaped)
    assert not set(rest) & set('\\&%$#_{}^\n[*"')


def test_missing_and_infinite_numbers():
    text = latex_text(pd.DataFrame({"x": [np.nan, np.inf, -np.inf]}))
    assert text.splitlines()[5:8] == [r" \\", r"$\infty$ \\", r"$-\infty$ \\"]


def test_a_table_longer_than_a_page_breaks():
    text = latex_text(pd.DataFrame({"x": range(PAGE_LINES + 1)}))
    assert text.startswith("% \\usepackage{booktabs,longtable}\n\\begin{longtable}{@{}r@{}}")
    assert text.index(r"\endhead") < text.index(r"\endlastfoot") < text.index("\n0 ")
    assert text.count(r"\bottomrule") == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_accepts_it(tmp_path):
    table = latex_text(pd.DataFrame({NASTY: [NASTY, "[x] − ~"], "n": [-1.5, np.inf]}))
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,longtable}\\usepackage[T1]{fontenc}"
        f"\\begin{{document}}\n{table}\\end{{document}}\n",
        encoding="utf-8",
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
