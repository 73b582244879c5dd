"""Tables as LaTeX with booktabs; any text in cells is escaped."""

from __future__ import annotations

import math
import numbers
from typing import Any

import pandas as pd

PAGE_LINES = 45
"""A table with more lines is a `longtable`, which breaks over pages."""
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


def latex_text(frame: pd.DataFrame, digits: int = 4) -> str:
    """The frame as a `tabular`, or as a `longtable` where it is longer than a page.

    Args:
        frame: names of columns become the head.
        digits: significant digits of numbers.
    """
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
    columns = "".join("r" if right else "l" for right in numeric)
    long = len(frame) > PAGE_LINES
    name = "longtable" if long else "tabular"
    head = _table_line([escape(str(column)) for column in frame.columns])
    lines = [
        f"% \\usepackage{{booktabs{',longtable' if long else ''}}}",
        f"\\begin{{{name}}}{{@{{}}{columns}@{{}}}}",
        "\\toprule",
        head,
        "\\midrule",
        *(["\\endhead", "\\bottomrule", "\\endlastfoot"] if long else []),
        *(
            _table_line([_cell(value, digits) for value in row])
            for row in frame.itertuples(index=False, name=None)
        ),
        *([] if long else ["\\bottomrule"]),
        f"\\end{{{name}}}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Escape text so that LaTeX prints it and runs none of it."""
    printable = "".join(
        character if character.isprintable() or character in _SPACES else " " for character in text
    )
    return printable.translate(_ESCAPES)


def _table_line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, str):
        return escape(value)
    if pd.isna(value):
        return ""
    if isinstance(value, numbers.Integral):
        return _number(str(int(value)))
    if isinstance(value, numbers.Real):
        real = float(value)
        return _number(f"{real:.{digits}g}") if math.isfinite(real) else _infinite(real)
    return escape(str(value))


def _infinite(value: float) -> str:
    return r"$\infty$" if value > 0 else r"$-\infty$"


def _number(text: str) -> str:
    """A number with its minus sign and power of ten in mathematical notation."""
    mantissa, _, power = text.partition("e")
    if power:
        return f"${mantissa} \\times 10^{{{int(power)}}}$"
    return f"${text}$" if text.startswith("-") else text
