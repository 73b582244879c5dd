"""A column of texts by its distinct ones, and what a column's features are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from remix_study.data.raw_table import RawTable
from remix_study.errors import DataError
from remix_study.studyfile.validation import as_toml

if TYPE_CHECKING:
    import pandas as pd

ColumnKind = Literal[
    "number",
    "truth",
    "date",
    "duration",
    "category",
    "hashed",
    "sentence",
    "embedding",
    "left out",
]
"""What a column holds, which says how its cells become features."""

_COLLECTIONS = (list, tuple, dict, set, frozenset, np.ndarray)

CONSTANT = "has one value only; it carries no information"
"""What is said of a column with a value in every row, the same in all."""


@dataclass(frozen=True, eq=False)
class FeatureBlock:
    """The features that one column becomes.

    Attributes:
        names: Their names; none where the column is left out.
        fill: Writes them into a float64 array (n, len(names)), which it is given.
        notes: Pairs of a remark and what it says of this column alone, such as
            ("is empty; it carries no information", ""): columns of one remark share a line.
        is_nominal: Whether they are the categories of the column, or its truth value.
        kind: What the column holds.
        levels: Of the kind ``category`` the place among ``names`` of each text.
        order: Of the kind ``date`` how days and months were told apart; "" without a question.
        encoder: Of the kind ``embedding`` the network, its package and the version.
    """

    names: tuple[str, ...]
    fill: Callable[[NDArray[np.float64]], None]
    notes: tuple[tuple[str, str], ...] = ()
    is_nominal: bool = False
    kind: ColumnKind = "number"
    levels: Mapping[str, int] = field(default_factory=dict)
    order: str = ""
    encoder: str = ""


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of texts.

    Attributes:
        name: The column's name.
        table: The table that it is in.
        levels: The distinct texts in sorted order, of shape (L,), without outer blanks.
        codes: Position of each row's text in ``levels``, -1 where missing, intp of shape (n,).
        counts: Rows of each text, intp of shape (L,).
    """

    name: str
    table: RawTable
    levels: NDArray[Any]
    codes: NDArray[np.intp]
    counts: NDArray[np.intp]

    @classmethod
    def of(
        cls, name: str, column: pd.Series[Any], text_of: Callable[[Any], str], table: RawTable
    ) -> TextColumn:
        """Make one of a column, whose different cells become texts by ``text_of``."""
        import pandas as pd

        cell_codes, cells = pd.factorize(column)
        texts = np.array([text_of(cell) for cell in cells], dtype=object)
        levels, level_of_cell = np.unique(texts, return_inverse=True)
        codes = np.append(level_of_cell, -1)[cell_codes]
        counts = np.bincount(codes[codes >= 0], minlength=len(levels))
        return cls(name, table, levels, codes, counts)

    @property
    def n_present(self) -> int:
        """Number of rows that have a text."""
        return int(self.counts.sum())

    def holds_mostly(self, chosen: NDArray[np.bool_]) -> bool:
        """Whether more than half of the rows that have a text have one of those chosen (L,)."""
        return bool(2 * self.counts[chosen].sum() > self.n_present)

    def first_of(self, chosen: NDArray[np.bool_]) -> int:
        """The text of the first row that has one of those chosen (L,): its position."""
        # Missing texts have the code -1.
        is_chosen = np.append(chosen, False)[self.codes]
        return int(self.codes[int(is_chosen.argmax())])

    def error(self, message: str, level: int | None = None) -> DataError:
        """An error about the column, or about the first row that has one of its texts."""
        begin = self.table.source
        if level is not None:
            begin = self.table.place(int((self.codes == level).argmax()))
        return DataError(f'{begin}, column "{self.name}": {message}')

    def rows_of(self, table: NDArray[np.floating], out: NDArray[np.float64]) -> None:
        """Write the rows of ``table`` (L + 1, d) to ``out``, its last where a text is missing."""
        # In parts: the rows of all at once would be a second copy of the features.
        step = 1 << 16
        for start in range(0, len(self.codes), step):
            out[start : start + step] = table[self.codes[start : start + step]]

    def missing_remedy(self, level: int) -> str:
        """What to do about a text that does not fit the others."""
        if self.table.is_from_python:
            return f"replace it by NaN or mend it, or {self.categorical_remedy}"
        text = as_toml(self.levels[level])
        return f"write missing = [{text}], mend the cell, or {self.categorical_remedy}"

    @property
    def categorical_remedy(self) -> str:
        """How to have the texts taken for categories."""
        return categorical_remedy(self.table, self.name)


def categorical_remedy(table: RawTable, name: str) -> str:
    """How to have the cells of a column taken for categories."""
    if table.is_from_python:
        return 'make the column categorical with astype("category")'
    return f"write categorical = {as_toml([name])}"


def _cell_types(column: pd.Series[Any]) -> set[type]:
    """The types of the cells of a column of Python objects; none for a column of one type."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "O":
        return set(map(type, column.to_numpy()[column.notna().to_numpy()]))
    return set()


def refuse_type(column: pd.Series[Any], where: str) -> set[type]:
    """Refuse types that have no features of their own.

    Returns:
        The types of the cells of a column of Python objects; none for a column of one type.

    Raises:
        DataError: Periods, complex numbers, or cells that hold several values.
    """
    import pandas as pd

    dtype, cell_types = column.dtype, _cell_types(column)
    if complex in cell_types or pd.api.types.is_complex_dtype(dtype):
        raise DataError(f"{where}: complex numbers; split them into real and imaginary columns")
    if isinstance(dtype, pd.PeriodDtype) or pd.Period in cell_types:
        raise DataError(
            f"{where}: periods; make dates of them with .dt.to_timestamp(), or drop it"
        )
    nested = [kind for kind in cell_types if issubclass(kind, _COLLECTIONS)]
    arrow_type = str(getattr(dtype, "pyarrow_dtype", ""))
    if nested or arrow_type.startswith(("list", "large_list", "fixed_size_list", "struct", "map")):
        what = f"{nested[0].__name__}s" if nested else "lists"
        raise DataError(
            f"{where}: its cells hold several values ({what}); make a column of each, or drop it"
        )
    return cell_types
