"""Tables of the demonstration: one line a strategy or alpha, means with standard deviations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.paper.demonstration.sentences import percent
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import number
from remix_study.report.page_model import Cell, Head, Table


@dataclass(frozen=True)
class Column:
    """A column of a page's table; `sd` names the column with its standard deviation, if any."""

    name: str
    head: str
    digits: int = 3
    share: bool = False
    sd: str = ""

    def cell(self, line: pd.Series) -> Cell:
        """The column's cell of one line of the frame."""
        value, spread = float(line[self.name]), float(line[self.sd]) if self.sd else float("nan")
        text = percent(value) if self.share else number(value, self.digits)
        if pd.isna(spread):
            return Cell(text)
        spread = 100 * spread if self.share else spread
        return Cell(text, f"± {number(spread, 1 if self.share else self.digits)}")


def frame_table(caption: str, frame: pd.DataFrame, columns: Sequence[Column]) -> Table:
    """A table with one line a strategy or alpha, named by the frame's first column."""
    first = str(frame.columns[0])
    rows = []
    for _, line in frame.iterrows():
        name = str(line[first]) if first == "strategy" else f"{line[first]:g}"
        color = "" if first != "strategy" or name.startswith("truth") else _color(name)
        rows.append(
            (Cell(name, kind="name", color=color), *(column.cell(line) for column in columns))
        )
    return Table(caption, ((Head(first), *(Head(c.head) for c in columns)),), tuple(rows))


def _color(label: str) -> str:
    return strategy_color(label.split(" ")[0])


def means_over_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds, with standard deviations in columns `_sd`, one line a strategy."""
    by_strategy = frame.drop(columns="seed").groupby("strategy", sort=False)
    return by_strategy.mean().join(by_strategy.std().add_suffix("_sd")).reset_index()
