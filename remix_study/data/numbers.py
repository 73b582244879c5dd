"""Whether a text column holds numbers; a cell among them that is none is refused by name."""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.dataset import class_name
from remix_study.data.file_contents import MISSING
from remix_study.data.number_cells import Cell, has_decimal_mark, read_cell, unit_of
from remix_study.data.raw_table import RawTable
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat
from remix_study.studyfile.validation import as_toml

if TYPE_CHECKING:
    import pandas as pd

# Odd cells that a message lists.
_SHOWN = 5
# More different units than that are something else, such as 1st, 2nd, 3rd, 4th.
_MOST_UNITS = 3
# Fewer different numbers among names are names, too.
_FEWEST_NUMBERS = 10


def settle_numbers(table: RawTable, table_format: TableFormat) -> RawTable:
    """Turn every text column that holds numbers into float64.

    A column holds numbers if more than half of its cells do, or would after taking off units,
    quotes and what groups digits. Categorical columns and those that have a type stay.

    Args:
        table: Feature columns.
        table_format: Decimal mark, what groups digits, units, cells that are missing, and which
            columns are categorical or become sentence vectors.

    Returns:
        The table; missing cells of text columns are NaN, and blanks around texts are taken off.

    Raises:
        DataError: A cell of a column of numbers is none; the message names its line, its column
            and the key of the problem that mends it.
    """
    import pandas as pd

    categorical = {table.column(c, "categorical") for c in table_format.categorical}
    embedding = tuple(table.column(c, "embedding") for c in table_format.embedding)
    missing_values = [v for v in map(_value, map(str, table_format.missing)) if not np.isnan(v)]
    columns: dict[str, Any] = {}
    notes = list(table.notes)
    for name in table.names:
        column = table.frame[name]
        if _holds_cells(column):
            cells = _Cells(table, name, column, table_format)
            column = cells.texts() if name in {*categorical, *embedding} else cells.settled()
            notes += cells.notes
        if missing_values and pd.api.types.is_numeric_dtype(column.dtype):
            column = column.mask(column.isin(missing_values))
        if isinstance(column.dtype, pd.CategoricalDtype):
            levels = [c for c in column.cat.categories if str(c) in table_format.missing]
            column = column.cat.remove_categories(levels)
        if name in categorical:
            if pd.api.types.is_numeric_dtype(column.dtype):
                column = column.astype(object).map(class_name, na_action="ignore")
            column = column.astype("category")
        columns[name] = column
    frame = pd.DataFrame(columns, index=table.frame.index, copy=False)
    return replace(table, frame=frame, notes=tuple(notes), embedding=embedding)


def _value(text: object) -> float:
    return read_cell(text, TableFormat()).value


def _holds_cells(column: pd.Series[Any]) -> bool:
    """Whether a column is text, or texts and numbers mixed as in a spreadsheet."""
    import pandas as pd

    if isinstance(column.dtype, pd.StringDtype):
        return True
    if column.dtype != object:
        return False
    kinds = set(map(type, column.dropna()))
    return all(
        issubclass(kind, str | numbers.Number) and not issubclass(kind, bool | complex | np.bool_)
        for kind in kinds
    )


class _Cells:
    """The cells of one column; each different text is looked at once."""

    def __init__(
        self, table: RawTable, name: str, column: pd.Series[Any], table_format: TableFormat
    ) -> None:
        import pandas as pd

        self._table, self._name, self._format = table, name, table_format
        self._index = column.index
        # Codes are in the order of first appearance, -1 where missing.
        self._codes, values = pd.factorize(column.to_numpy(dtype=object))
        self._texts = [value.strip() if isinstance(value, str) else value for value in values]
        missing = {*MISSING, *table_format.missing}
        self._is_missing = np.array([text in missing for text in self._texts], dtype=bool)
        counts = np.bincount(self._codes[self._codes >= 0], minlength=len(self._texts))
        self._counts = np.where(self._is_missing, 0, counts)
        self.notes: list[str] = []

    def texts(self) -> pd.Series[Any]:
        """The column as text, NaN where missing."""
        texts = [
            np.nan if missing else str(text)
            for text, missing in zip(self._texts, self._is_missing, strict=True)
        ]
        return self._column(np.array([*texts, np.nan], dtype=object))

    def settled(self) -> pd.Series[Any]:
        """The column as numbers if it holds them, else as text."""
        cells = [
            Cell("") if missing else read_cell(text, self._format)
            for text, missing in zip(self._texts, self._is_missing, strict=True)
        ]
        is_text = np.array([cell.fault == "text" for cell in cells], dtype=bool)
        if 2 * self._counts[is_text].sum() >= self._counts.sum() > 0:
            self._add_unit_note()
            self._add_names_note(cells)
            return self.texts()
        odd = [code for code, cell in enumerate(cells) if cell.fault]
        if odd:
            raise DataError(self._refusal(cells, odd))
        self._add_note(cells)
        return self._column(np.array([*(cell.value for cell in cells), np.nan]))

    def _column(self, values: NDArray[Any]) -> pd.Series[Any]:
        """A column of the value of each code; the last value is that of missing cells."""
        import pandas as pd

        return pd.Series(values[self._codes], index=self._index)

    def _add_note(self, cells: Sequence[Cell]) -> None:
        changes = [c for c, cell in enumerate(cells) if cell.change and self._counts[c]]
        if changes:
            self.notes.append(
                f'{self._table.name}: column "{self._name}": {self._counts[changes].sum()} cells '
                f"such as {as_toml(str(self._texts[changes[0]]))} are read as numbers, their "
                f"{cells[changes[0]].change} taken for plain"
            )

    def _add_unit_note(self) -> None:
        """A note if most cells are a number and letters, such as ``12 kg``."""
        units: Counter[str] = Counter()
        for text, count in zip(self._texts, self._counts.tolist(), strict=True):
            units[unit_of(text)] += count
        del units[""]
        if 2 * units.total() <= self._counts.sum() or len(units) > _MOST_UNITS:
            return
        names = [unit for unit, _ in units.most_common()]
        remedy = f"write units = {as_toml(names)}"
        if self._table.is_from_python:
            remedy = "take the letters off"
        if len(names) > 1:
            remedy = f"convert them to one unit, and {remedy}"
        self.notes.append(
            f'{self._table.name}: column "{self._name}": {units.total()} cells are a number and '
            f"{' or '.join(map(as_toml, names))}, and are taken for names; {remedy} to read "
            "numbers"
        )

    def _add_names_note(self, cells: Sequence[Cell]) -> None:
        """A note if many different numbers are taken for names because of a few other texts."""
        numbers = [c for c, cell in enumerate(cells) if self._counts[c] and not cell.fault]
        words = [c for c, cell in enumerate(cells) if self._counts[c] and cell.fault]
        if len(numbers) < _FEWEST_NUMBERS or len(numbers) <= len(words):
            return
        texts = [str(self._texts[code]) for code in words]
        remedy = "replacing them by NaN" if self._table.is_from_python else "the key missing"
        self.notes.append(
            f'{self._table.name}: column "{self._name}": {self._counts[numbers].sum()} of '
            f"{self._counts.sum()} cells are numbers, and all are taken for names; if cells such "
            f"as {as_toml(texts[0])} are missing values, {remedy} makes numbers of the others"
        )

    def _refusal(self, cells: Sequence[Cell], odd: Sequence[int]) -> str:
        """The message about the first cell that is no number, with the key that mends it."""
        first = cells[odd[0]]
        row = int((self._codes == odd[0]).argmax())
        n_odd, n_cells = int(self._counts[odd].sum()), int(self._counts.sum())
        share = f" ({n_cells - n_odd} of {n_cells} cells are)" if n_odd < n_cells else ""
        fault = (
            f'{self._table.place(row)}, column "{self._name}": {as_toml(str(first.text))} is not '
            f"a number{share}"
        )
        if self._table.is_from_python:
            return (
                f"{fault}; replace such cells by NaN or by numbers, or make the column "
                'categorical with astype("category")'
            )
        names = f"categorical = {as_toml([self._name])} if the column holds names"
        same = [cells[code] for code in odd if cells[code].fault == first.fault]
        match first.fault:
            case "text":
                texts = list(dict.fromkeys(str(cell.text) for cell in same))
                more = f" ({len(texts)} different ones)" if len(texts) > _SHOWN else ""
                return (
                    f"{fault}; write missing = {as_toml(texts[:_SHOWN])}{more} if such cells are "
                    f"missing values, {names}, or mend the cell"
                )
            case "unit":
                units = list(dict.fromkeys(cell.mark for cell in same))
                return f"{fault}; write units = {as_toml(units)} to take the sign off, or {names}"
            case "negative":
                return f"{fault}; write negative numbers with a minus before them, or {names}"
        return f"{fault}; write {self._digit_keys(cells, first)}, or {names}"

    def _digit_keys(self, cells: Sequence[Cell], first: Cell) -> str:
        """The keys that read the digits of the first odd cell and of those like it."""
        if first.decimal_mark:
            return f"decimal = {as_toml(first.decimal_mark)} and thousands = {as_toml(first.mark)}"
        decimal = f"decimal = {as_toml(first.mark)}"
        mark = self._format.decimal
        is_settled = any(not c.fault and has_decimal_mark(c.text, mark) for c in cells)
        if is_settled and first.fault == "decimal":
            return f'"{mark}" for "{first.mark}" in the cell, as others have it'
        if any(cell.fault == "decimal" and cell.mark == first.mark for cell in cells):
            return f"{decimal} (and thousands, if digits are grouped)"
        thousands = f"thousands = {as_toml(first.mark)} if it groups digits"
        can_be_decimal = (
            first.mark in ",."
            and not is_settled
            and all(
                str(cell.text).count(first.mark) < 2 for cell in cells if cell.mark == first.mark
            )
        )
        if not can_be_decimal:
            return thousands
        return f"{thousands}, {decimal} if it is the decimal mark"
