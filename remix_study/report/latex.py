"""Tables as LaTeX with booktabs, whatever the cells say."""

from __future__ import annotations

import math
import numbers
from typing import Any

import pandas as pd

# A table of more lines than a page has is broken over pages.
PAGE_LINES = 45
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
        # After the end of a line these would be its arguments.
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
    head = _line([escape(str(column)) for column in frame.columns])
    lines = [
        f"% \\usepackage{{booktabs{',longtable' if long else ''}}}",
        f"\\begin{{{name}}}{{@{{}}{columns}@{{}}}}",
        "\\toprule",
        head,
        "\\midrule",
        *(["\\endhead", "\\bottomrule", "\\endlastfoot"] if long else []),
        *(
            _line([_cell(value, digits) for value in row])
            for row in frame.itertuples(index=False, name=None)
        ),
        *([] if long else ["\\bottomrule"]),
        f"\\end{{{name}}}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is and never runs."""
    kept = "".join(letter if letter.isprintable() or letter in _SPACES else " " for letter in text)
    return kept.translate(_ESCAPES)


def _line(cells: list[str]) -> str:
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
    """A minus sign and a power of ten as mathematics writes them."""
    mantissa, _, power = text.partition("e")
    if power:
        return f"${mantissa} \\times 10^{{{int(power)}}}$"
    return f"${text}$" if text.startswith("-") else text
