"""Tables as CSV without formulas, as escaped Markdown, and as LaTeX with booktabs.

Text of any kind in cells stays text: nothing of it is run or becomes markup.
"""

from __future__ import annotations

import numbers
from typing import Any

import pandas as pd

from remix_study.results.export import without_formulas

PAGE_LINES = 45  # A table with more lines is a `longtable`, which breaks over pages
_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"{\char34}",
        "−": r"\ensuremath{-}",
        "\N{NO-BREAK SPACE}": "~",
        "\N{WORD JOINER}": "",
        "\N{NON-BREAKING HYPHEN}": "-",
        # After the end of a line LaTeX would read these as its arguments.
        "[": "{[}",
        "*": "{*}",
    }
)
_SPACES = ("\N{NO-BREAK SPACE}", "\N{WORD JOINER}")


def csv_text(frame: pd.DataFrame) -> str:
    """The frame as CSV; text that a spreadsheet would run as a formula gets an apostrophe."""
    return without_formulas(frame).to_csv(index=False, lineterminator="\n", float_format="%.6g")


def markdown_text(frame: pd.DataFrame, digits: int = 4) -> str:
    """The frame as a Markdown table, numbers to the right, pipes and tags escaped."""
    columns = [_markdown_cell(column, digits) for column in frame.columns]
    numeric = [pd.api.types.is_numeric_dtype(frame.dtypes.iloc[i]) for i in range(len(columns))]
    lines = [columns, ["---:" if right else "---" for right in numeric]]
    lines += [
        [_markdown_cell(value, digits) for value in row]
        for row in frame.itertuples(index=False, name=None)
    ]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _markdown_cell(value: Any, digits: int) -> str:
    text = _number(value, digits)
    if text is not None or not isinstance(value, str):
        return str(value) if text is None else text
    text = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace("\\", "\\\\").replace("|", "\\|").replace("[", "\\[")
    return " ".join(text.split())


def latex_text(frame: pd.DataFrame, digits: int = 4) -> str:
    """The frame as a `tabular`, or as a `longtable` where it is longer than a page."""
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
    columns = "".join("r" if right else "l" for right in numeric)
    long = len(frame) > PAGE_LINES
    cells = frame.astype(object).map(lambda value: _latex_cell(value, digits))
    cells.columns = pd.Index([escape(str(column)) for column in frame.columns])
    text = cells.to_latex(index=False, column_format=f"@{{}}{columns}@{{}}", longtable=long)
    return f"% \\usepackage{{booktabs{',longtable' if long else ''}}}\n{text}"


def escape(text: str) -> str:
    """Escape text so that LaTeX prints it and runs none of it."""
    printable = "".join(
        character if character.isprintable() or character in _SPACES else " " for character in text
    )
    return printable.translate(_ESCAPES)


def _latex_cell(value: Any, digits: int) -> str:
    """Text escaped; a number with minus sign, infinity and power of ten as mathematics."""
    text = _number(value, digits)
    if text is None:
        return escape(str(value))
    mantissa, _, power = text.replace("inf", r"\infty").partition("e")
    if power:
        return f"${mantissa} \\times 10^{{{int(power)}}}$"
    return f"${mantissa}$" if mantissa.startswith(("-", "\\")) else mantissa


def _number(value: Any, digits: int) -> str | None:
    """A number with so many significant digits, "" where it is missing; None for other values."""
    if isinstance(value, str):
        return None
    if pd.isna(value):
        return ""
    if isinstance(value, numbers.Integral):
        return str(int(value))
    return f"{float(value):.{digits}g}" if isinstance(value, numbers.Real) else None
