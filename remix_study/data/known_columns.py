"""Columns whose features are known: other rows of a table become what earlier rows became.

What a column became is a plain record that a file can hold. A cell that does not fit it is refused
by its line; a category that the earlier rows lacked counts as missing.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from remix_study.data.categories import encode_texts_like
from remix_study.data.dates import (
    encode_date_texts,
    encode_dates,
    encode_duration_texts,
    encode_durations,
)
from remix_study.data.file_contents import MISSING
from remix_study.data.number_cells import read_cell
from remix_study.data.raw_table import RawTable
from remix_study.data.sentence_vectors import encode_vectors
from remix_study.data.text_column import ColumnKind, FeatureBlock, TextColumn, refuse_type
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat
from remix_study.studyfile.validation import as_toml

if TYPE_CHECKING:
    import pandas as pd

_TRUTH = {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}
_NOUNS = {"number": "number", "truth": "truth value", "date": "date", "duration": "time"}


class KnownColumn(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a column became.

    Attributes:
        name: Its name.
        kind: What it holds.
        features: Names of its features; none where it was left out.
        levels: Of the kind ``category`` the place among the features of each text.
        order: Of the kind ``date`` how days and months were told apart.
        encoder: Of the kind ``embedding`` the network, its package and the version.
    """

    name: str
    kind: ColumnKind
    features: tuple[str, ...]
    levels: dict[str, int] = {}
    order: str = ""
    encoder: str = ""

    @property
    def is_text(self) -> bool:
        """Whether its cells are taken as they are written."""
        return self.kind not in ("number", "left out")


class KnownTable(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the columns of a table became.

    Attributes:
        columns: Those that features are made of, in the order of these.
        other_columns: Those that are no features, such as the label.
        format: How the table was written.
        label: The one among the others that holds the class; "" where there is none.
    """

    columns: tuple[KnownColumn, ...]
    other_columns: tuple[str, ...] = ()
    format: TableFormat = TableFormat()
    label: str = ""


def number_columns(names: tuple[str, ...]) -> KnownTable:
    """A table whose columns of numbers are its features."""
    return KnownTable(tuple(KnownColumn(name, "number", (name,)) for name in names))


def cell_text(value: object) -> str:
    """A cell as text, without outer blanks; a date as the text that a file has."""
    if isinstance(value, datetime.datetime):
        value = value.isoformat(" ")
    if isinstance(value, float) and value.is_integer():
        # A category that is a number, in a column that lacks some.
        value = int(value)
    return str(value).strip()


def encode_known(
    known: KnownColumn, table: RawTable, table_format: TableFormat
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Make the known features of a column of other rows.

    Returns:
        float64 (n, number of its features), NaN where missing, and bool (n,): rows with a
        category that is not known.

    Raises:
        DataError: A cell of another kind; the message names its line and its column.
        UsageError: The package of the kind ``embedding`` is missing or has another version.
    """
    column = table.frame[known.name]
    refuse_type(column, f'{table.source}, column "{known.name}"')
    unseen = np.zeros(table.n_rows, dtype=bool)
    out = np.empty((table.n_rows, len(known.features)))
    missing = {*MISSING, *map(str, table_format.missing)}
    if known.kind in ("number", "truth"):
        out[:, 0] = _numbers(known, column, table, table_format, missing)
        return out, unseen
    if typed := _typed_block(known, column):
        typed.fill(out)
        return out, unseen
    texts = TextColumn.of(known.name, _without(column, missing), cell_text, table)
    if known.kind in ("date", "duration") and (times := _time_block(known, texts)):
        times.fill(out)
        return out, unseen
    if known.kind == "embedding":
        encode_vectors(texts, known.encoder).fill(out)
        return out, unseen
    if known.kind == "category":
        is_new = np.array([level not in known.levels for level in texts.levels], dtype=bool)
        unseen = np.append(is_new, False)[texts.codes]
    encode_texts_like(known.kind, known.features, known.levels, texts).fill(out)
    return out, unseen


def _without(column: pd.Series[Any], missing: set[str]) -> pd.Series[Any]:
    """The column as objects, without cells that stand for a missing value."""
    cells = column.astype(object)
    return cells.mask(cells.map(lambda cell: cell_text(cell) in missing, na_action="ignore") == 1)


def _typed_block(known: KnownColumn, column: pd.Series[Any]) -> FeatureBlock | None:
    """Features of a column that has the type of dates or durations; None for another one."""
    import pandas as pd

    if known.kind == "date" and pd.api.types.is_datetime64_any_dtype(column.dtype):
        return encode_dates(known.name, column, has_times=_has_times(known))
    if known.kind == "duration" and pd.api.types.is_timedelta64_dtype(column.dtype):
        return encode_durations(known.name, column)
    return None


def _has_times(known: KnownColumn) -> bool:
    return any(feature.endswith(".hour") for feature in known.features)


def _time_block(known: KnownColumn, texts: TextColumn) -> FeatureBlock | None:
    """Features of dates or durations that are written as texts.

    Raises:
        DataError: A text is neither, or a day and a month cannot be told apart.
    """
    if not len(texts.levels):
        return FeatureBlock(known.features, lambda out: out.fill(np.nan))
    if known.kind == "date":
        return encode_date_texts(texts, known.order, has_times=_has_times(known))
    return encode_duration_texts(texts, is_known=True)


def _numbers(
    known: KnownColumn,
    column: pd.Series[Any],
    table: RawTable,
    table_format: TableFormat,
    missing: set[str],
) -> NDArray[np.float64]:
    """The numbers or truth values of a column, float64 (n,), NaN where missing."""
    import pandas as pd

    types = pd.api.types
    if types.is_bool_dtype(column.dtype) or (
        known.kind == "number" and types.is_numeric_dtype(column.dtype)
    ):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        absent = [read_cell(text, TableFormat()).value for text in missing]
        return np.where(np.isin(values, [v for v in absent if not np.isnan(v)]), np.nan, values)
    if types.is_datetime64_any_dtype(column.dtype) or types.is_timedelta64_dtype(column.dtype):
        raise _refusal(known, table, 0, column.iloc[0])
    read: Callable[[Any], float] = lambda cell: read_cell(cell, table_format).value  # noqa: E731
    if known.kind == "truth":
        read = lambda cell: _TRUTH.get(cell_text(cell).lower(), np.nan)  # noqa: E731
    codes, cells = pd.factorize(column.to_numpy(dtype=object))
    texts = [cell_text(cell) for cell in cells]
    # A number of a spreadsheet has no decimal mark.
    plain = [cell if isinstance(cell, float) else cell_text(cell) for cell in cells]
    pairs = zip(texts, plain, strict=True)
    numbers = np.array([np.nan if text in missing else read(v) for text, v in pairs] + [np.nan])
    odd = [i for i, text in enumerate(texts) if np.isnan(numbers[i]) and text not in missing]
    if odd:
        raise _refusal(known, table, int((codes == odd[0]).argmax()), cells[odd[0]])
    return np.asarray(numbers[codes], dtype=np.float64)


def _refusal(known: KnownColumn, table: RawTable, row: int, cell: object) -> DataError:
    return DataError(
        f'{table.place(row)}, column "{known.name}": {as_toml(str(cell))} is no '
        f"{_NOUNS[known.kind]}, as the cells were that the model learned from; mend the cell, or "
        "leave it empty"
    )
