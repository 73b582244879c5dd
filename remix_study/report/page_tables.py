"""Tables of the page from records: one record a line, or one record a cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from remix_study.report.figures import strategy_color
from remix_study.report.formatting import MISSING, digits, heading, number, signed
from remix_study.report.page_model import Cell, Head, Table
from remix_study.results.effects import Relation, Score
from remix_study.results.intervals import Interval
from remix_study.results.methods import Method

Record = TypeVar("Record")
ABSENT = Cell(MISSING, kind="")  # The cell of what does not exist


@dataclass(frozen=True)
class Column(Generic[Record]):
    """A column of a table with one line a record; cells that are text alone may be a string."""

    head: Head | str
    cell: Callable[[Record], Cell | str]


def line_table(
    caption: str,
    records: Iterable[Record],
    columns: Sequence[Column[Record]],
    *,
    groups: Sequence[Head] = (),
    foot: Sequence[Cell] = (),
) -> Table:
    """Make a table with one line a record; the first column names it.

    Heads of groups stand above those of the columns.
    """
    head = tuple(Head(c.head) if isinstance(c.head, str) else c.head for c in columns)
    rows = []
    for record in records:
        cells = [column.cell(record) for column in columns]
        rows.append(
            tuple(
                Cell(cell, kind="number" if place else "name") if isinstance(cell, str) else cell
                for place, cell in enumerate(cells)
            )
        )
    heads = (tuple(groups), head) if groups else (head,)
    return Table(caption, heads, tuple(rows), (tuple(foot),) if foot else ())


def cross_table(
    caption: str,
    records: Iterable[Record],
    *,
    corner: str,
    row: Callable[[Record], Cell],
    column: Callable[[Record], Head],
    cell: Callable[[Record], Cell],
) -> Table:
    """Make a table with one record a cell; rows and columns are in the order of the records.

    Args:
        caption: of the table.
        records: one a cell.
        corner: text above the names of the rows.
        row: the name cell of the record's row; equal cells are one row.
        column: the head of the record's column; equal heads are one column.
        cell: the record's cell; where a row has no record in a column stands `ABSENT`.
    """
    cells: dict[Cell, dict[Head, Cell]] = {}
    heads: dict[Head, None] = {}
    for record in records:
        head = column(record)
        heads[head] = None
        cells.setdefault(row(record), {})[head] = cell(record)
    rows = (
        (name, *(by_head.get(head, ABSENT) for head in heads)) for name, by_head in cells.items()
    )
    return Table(caption, ((Head(corner), *heads),), tuple(rows))


def metric_columns(
    metrics: Iterable[str], cell: Callable[[Record, str], Cell | str]
) -> list[Column[Record]]:
    """A column for each metric, with an arrow towards better scores above it."""

    def column(metric: str) -> Column[Record]:
        return Column(heading(metric), lambda record: cell(record, metric))

    return [column(metric) for metric in metrics]


def method_cell(method: Method, detail: str = "") -> Cell:
    """The name of a method with the colour of its strategy."""
    return Cell(method.label, detail, "name", strategy_color(method.strategy))


def score_cell(score: Score | None) -> Cell:
    """A mean score with the ends of its interval."""
    if score is None:
        return ABSENT
    n, interval = digits(score.metric), score.interval
    ends = f"{number(interval.low, n)} to {number(interval.high, n)}"
    return Cell(number(score.mean, n), ends if math.isfinite(interval.low) else "")


def relation_kind(relation: Relation) -> str:
    """The style of a cell that marks better with ▲ and worse with ▼."""
    return "number" if relation == "unclear" else relation


def interval_cell(interval: Interval | None, sign: float) -> Cell:
    """A signed number with the ends of its interval, marked where that excludes zero.

    The sign is 1 where more is better, -1 where less is.
    """
    if interval is None:
        return ABSENT
    kind = "number"
    if interval.excludes_zero:
        kind = "better" if interval.mean * sign > 0 else "worse"
    return Cell(signed(interval.mean), ends_text(interval, 3), kind)


def ends_text(interval: Interval, n: int) -> str:
    """Both ends of the interval of a difference, as in '+0.010 to +0.052'."""
    return f"{signed(interval.low, n)} to {signed(interval.high, n)}"


def text_column(head: str, text: Callable[[Record], str]) -> Column[Record]:
    """A column of text, set to the left."""
    return Column(Head(head, kind="text"), lambda record: Cell(text(record), kind="text"))


def number_cell(value: float | None, n: int = 3) -> Cell:
    """A number; `ABSENT` for None."""
    return ABSENT if value is None else Cell(number(value, n))
