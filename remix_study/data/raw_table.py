"""A table as its file or frame has it, before its columns become features."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from remix_study.errors import DataError, did_you_mean, join_names
from remix_study.studyfile.table_format import TableFormat

if TYPE_CHECKING:
    import pandas as pd

# Digits of a column's number in a table; Python refuses to read those of thousands.
_LONGEST_PLACE = 10
_NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, eq=False)
class RawTable:
    """The columns of a table with their names; every reader returns one.

    Attributes:
        source: The file's path as messages have it, ``query of URL``, or ``data set "NAME"`` for
            data from Python.
        frame: (n, c) columns under distinct texts. A column is text (str cells, NaN or None where
            missing) or has the type that its format gives it: numbers, booleans, dates,
            categories.
        lines: The line of the file on which each row begins, counted from 1, intp of shape (n,);
            None for formats without lines.
        sha256: Hash of the file's unpacked bytes; "" where there is no file.
        label: The column that the file itself says is the class, or None.
        notes: Warnings about the reading, one line each.
        parts: For joined files the source of each and its number of rows.
        embedding: Columns whose texts become sentence vectors; set where cells are read.
    """

    source: str
    frame: pd.DataFrame
    lines: NDArray[np.intp] | None = None
    sha256: str = ""
    label: str | None = None
    notes: tuple[str, ...] = ()
    parts: tuple[tuple[str, int], ...] = field(default=(), repr=False)
    embedding: tuple[str, ...] = ()

    @cached_property
    def names(self) -> list[str]:
        """The column names, in the file's order; once, as tables may have 100,000 columns."""
        return [str(name) for name in self.frame.columns]

    @property
    def texts(self) -> list[str]:
        """Names of the columns that may hold texts: those without another type of their own."""
        dtypes = zip(self.names, self.frame.dtypes, strict=True)
        return [name for name, dtype in dtypes if dtype.kind == "O"]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.frame)

    @property
    def is_from_python(self) -> bool:
        """Whether the table comes from Python, so that keys of a file do not apply."""
        return self.source.startswith("data set ")

    @property
    def name(self) -> str:
        """The source for notes: a file without its folders."""
        is_file = not self.source.startswith(("data set ", "query of "))
        return Path(self.source).name if is_file else self.source

    def place(self, row: int) -> str:
        """Where a row stands, to begin a message: ``customers.csv, line 32``.

        Formats without lines count rows from 1, data from Python from 0 as Python does.
        """
        source, row_of_part = self.source, row
        for part, n_rows in self.parts:
            if row_of_part < n_rows:
                source = part
                break
            row_of_part -= n_rows
        if self.lines is not None:
            return f"{source}, line {self.lines[row]}"
        return f"{source}, row {row_of_part + (not self.is_from_python)}"

    def column(self, name: str | int, key: str) -> str:
        """The name of the column that a key of a problem names, or numbers from 1 (-1: the last).

        Raises:
            DataError: There is no such column; the message says which there are.
        """
        names = self.names
        if isinstance(name, int):
            if not 1 <= abs(name) <= len(names):
                raise DataError(
                    f"{self.source}: {key} = {name}: there are {len(names)} columns, numbered "
                    "from 1"
                )
            return names[name - 1 if name > 0 else name]
        if name not in names:
            remedy = (
                "; the first line looks like data: write header = false and columns by number"
                if are_data(names)
                else did_you_mean(name, names)
            )
            raise DataError(f'{self.source}: {key} column "{name}" is not in the header{remedy}')
        return name

    def present(self, columns: Sequence[str | int]) -> list[str]:
        """The names of columns, by name or number as of :meth:`column`, but for those not there.

        They are the caller's to refuse, who knows which key names them.
        """
        names = self.names
        known: dict[str | int, str] = {name: name for name in names}
        for start in (1, -len(names)):
            known.update(enumerate(names, start))
        return [known[column] for column in columns if column in known]

    def feature_format(self, table_format: TableFormat, features: Sequence[str]) -> TableFormat:
        """A format of this table for some of its columns: categorical and embedded ones by name.

        Raises:
            DataError: There is no such column, or one is both.
        """
        columns = {}
        for key in ("categorical", "embedding"):
            names = [self.column(column, key) for column in getattr(table_format, key)]
            columns[key] = tuple(name for name in names if name in features)
        for name in columns["embedding"]:
            if name in columns["categorical"]:
                raise DataError(
                    f'{self.source}, column "{name}": is in categorical and in embedding; leave '
                    "it out of one of them"
                )
        return msgspec.structs.replace(table_format, **columns)

    def first_rows(self, n_rows: int) -> RawTable:
        """The table's first rows; where joined files end stays as it is."""
        lines = None if self.lines is None else self.lines[:n_rows]
        return replace(self, frame=self.frame.iloc[:n_rows], lines=lines)

    def without(self, names: Sequence[str]) -> RawTable:
        """The table without some columns."""
        return replace(self, frame=self.frame[[c for c in self.frame.columns if c not in names]])


def are_data(names: Sequence[str], frame: pd.DataFrame | None = None) -> bool:
    """Whether column names look like a row of data, and not like 0, 1, 2, ...

    Args:
        names: The names.
        frame: The columns, in which a name may also be one of the cells.

    Returns:
        Whether half of the names are numbers or cells of their columns.
    """
    is_like_data = [_NUMBER.fullmatch(name) is not None for name in names]
    whole = [int(name) for name in names if name.isdecimal() and len(name) < _LONGEST_PLACE]
    if len(whole) == len(names) and whole == list(range(whole[0], whole[0] + len(whole))):
        return False
    if frame is not None:
        is_like_data = [
            is_number or bool((frame.iloc[:, i] == name).any())
            for i, (name, is_number) in enumerate(zip(names, is_like_data, strict=True))
        ]
    return 2 * sum(is_like_data) >= len(names) > 0


def repeated_name(names: Iterable[str]) -> str | None:
    """The first name that is there more than once; None where all are different."""
    return next((name for name, times in Counter(names).items() if times > 1), None)


def join_tables(tables: Sequence[RawTable], sha256: str) -> RawTable:
    """Put tables of the same columns below each other.

    Args:
        tables: One table at least; columns may be in another order than in the first.
        sha256: Hash of all the files.

    Raises:
        DataError: A table has other columns than the first.
    """
    import pandas as pd

    first = tables[0]
    if len(tables) == 1:
        return first
    for table in tables[1:]:
        # Dictionaries keep the order of columns.
        names, names_here = dict.fromkeys(first.names), dict.fromkeys(table.names)
        missing = [name for name in names if name not in names_here]
        added = [name for name in names_here if name not in names]
        if missing or added:
            differences = [
                f"lacks {join_names(missing, 5)}" if missing else "",
                f"has {join_names(added, 5)} beside" if added else "",
            ]
            raise DataError(
                f"{table.source}: its columns differ from those of {first.source}: it "
                f"{' and '.join(filter(None, differences))}; files that are joined need the same "
                "columns"
            )
    lines = [table.lines for table in tables if table.lines is not None]
    return RawTable(
        source=first.source,
        frame=pd.concat([table.frame[first.names] for table in tables], ignore_index=True),
        lines=np.concatenate(lines) if len(lines) == len(tables) else None,
        sha256=sha256,
        label=first.label,
        notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)),
        parts=tuple(
            part for table in tables for part in table.parts or ((table.source, table.n_rows),)
        ),
    )
