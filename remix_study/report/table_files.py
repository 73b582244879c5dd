"""Tables as CSV without formulas and as escaped Markdown."""

from __future__ import annotations

import numbers
from typing import Any

import pandas as pd

from remix_study.results.export_tables import without_formulas


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
    if isinstance(value, str):
        text = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        text = text.replace("\\", "\\\\").replace("|", "\\|").replace("[", "\\[")
        return " ".join(text.split())
    if pd.isna(value):
        return ""
    if isinstance(value, numbers.Integral):
        return str(int(value))
    return f"{float(value):.{digits}g}" if isinstance(value, numbers.Real) else str(value)
