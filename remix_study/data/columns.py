"""Turn the columns of a table into features, each by its kind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.categories import encode_categories, encode_sentences, is_free_text
from remix_study.data.dataset import check_features
from remix_study.data.dates import encode_dates, encode_durations, encode_time_texts
from remix_study.data.known_columns import KnownColumn, cell_text
from remix_study.data.memory import check_memory, free_bytes
from remix_study.data.number_columns import encode_numbers
from remix_study.data.raw_table import RawTable, repeated_name
from remix_study.data.sentence_vectors import encode_vectors
from remix_study.data.text_column import FeatureBlock, TextColumn, refuse_type
from remix_study.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Columns that a note names.
_NAMED = 5
# Columns that a message on too many features names.
_WIDEST = 3


@dataclass(frozen=True, eq=False)
class EncodedColumns:
    """Features made of columns.

    Attributes:
        X: float64 of shape (n, d), NaN where missing.
        features: The d feature names.
        notes: Warnings about columns, one line each.
        nominal: Positions of the features of each nominal column.
        columns: How other rows become the same features.
    """

    X: NDArray[np.float64]
    features: tuple[str, ...]
    notes: tuple[str, ...]
    nominal: tuple[tuple[int, ...], ...]
    columns: tuple[KnownColumn, ...] = ()


def encode_columns(table: RawTable) -> EncodedColumns:
    """Turn the columns of a table into float64 features.

    Numbers stay numbers; a missing one becomes NaN, which is imputed later, per fold. True and
    False become 1 and 0. Dates become year, month, day, weekday, hour (where there are times) and
    seconds since 1970, durations their seconds. Categories become a feature each, many of them
    hashed features, sentences hashed words and letters, or vectors where the key ``embedding``
    says so; where the text is missing, these are 0. Texts that are all different are taken for
    identifiers and left out. Nothing here depends on labels or folds.

    Args:
        table: Feature columns, texts without outer blanks.

    Raises:
        DataError: A column of a kind that has no features, a date that may be read in two ways,
            infinite values, more features than the memory holds, or no column left.
        UsageError: The package of the key ``embedding`` is not installed.
    """
    blocks = {name: encode_column(name, table.frame[name], table) for name in table.names}
    return join_blocks(blocks, table)


def join_blocks(blocks: dict[str, FeatureBlock], table: RawTable) -> EncodedColumns:
    """Put the features of a table's columns side by side.

    Raises:
        DataError: As :func:`encode_columns`.
    """
    names = [name for block in blocks.values() for name in block.names]
    if not names:
        raise DataError(f"{table.source}: no feature column is left; drop fewer columns")
    # Such as a column a=1 beside the category 1 of a column a.
    if (repeated := repeated_name(names)) is not None:
        raise DataError(f'{table.source}: two columns are named "{repeated}"; rename or drop one')
    _check_size(blocks, table)
    X, start = np.empty((table.n_rows, len(names))), 0
    nominal = []
    for block in blocks.values():
        end = start + len(block.names)
        block.fill(X[:, start:end])
        if block.is_nominal:
            nominal.append(tuple(range(start, end)))
        start = end
    check_features(X, names, table.source, table.place)
    known = tuple(
        KnownColumn(name, block.kind, block.names, dict(block.levels), block.order, block.encoder)
        for name, block in blocks.items()
    )
    notes = tuple(_notes(blocks, table.name))
    return EncodedColumns(X, tuple(names), notes, tuple(nominal), known)


def encode_column(name: str, column: pd.Series[Any], table: RawTable) -> FeatureBlock:
    """Turn one column into features by its type."""
    import pandas as pd

    types, where = pd.api.types, f'{table.source}, column "{name}"'
    cell_types = refuse_type(column, where)
    if name in table.embedding:
        return encode_vectors(_texts_to_embed(name, column, table))
    if column.isna().all():
        return encode_numbers(name, pd.Series(np.full(len(column), np.nan)), table)
    is_truth = types.is_bool_dtype(column.dtype)
    if types.is_numeric_dtype(column.dtype) or is_truth:
        numbers = encode_numbers(name, column, table)
        return replace(numbers, is_nominal=True, kind="truth") if is_truth else numbers
    if types.is_datetime64_any_dtype(column.dtype):
        return encode_dates(name, column)
    if types.is_timedelta64_dtype(column.dtype):
        return encode_durations(name, column)
    if not cell_types <= {str}:
        # Cells that are equal in Python, such as 1 and True, are different texts.
        column = column.map(cell_text, na_action="ignore")
    texts = TextColumn.of(name, column, cell_text, table)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return encode_categories(texts)
    return _encode_texts(texts)


def _texts_to_embed(name: str, column: pd.Series[Any], table: RawTable) -> TextColumn:
    """The texts of a column that the key ``embedding`` names.

    Raises:
        DataError: The column has a type of its own.
    """
    if name not in table.texts and not column.isna().all():
        raise DataError(
            f'{table.source}, column "{name}": embedding takes texts, and the type of this column '
            f"is {column.dtype}; leave it out of embedding"
        )
    return TextColumn.of(name, column, cell_text, table)


def _encode_texts(texts: TextColumn) -> FeatureBlock:
    """Turn a column of texts into features by what most of them are."""
    import pandas as pd

    lower = [text.lower() for text in texts.levels[:3]]
    if len(texts.levels) <= 3 and set(lower) <= {"true", "false"}:
        truth = np.array([*(text == "true" for text in lower), np.nan])
        numbers = encode_numbers(texts.name, pd.Series(truth[texts.codes]), texts.table)
        return replace(numbers, is_nominal=True, kind="truth")
    if block := encode_time_texts(texts):
        return block
    if is_free_text(texts):
        return encode_sentences(texts)
    n_levels, n_rows = len(texts.levels), len(texts.codes)
    if n_levels == texts.n_present and 2 * n_levels > n_rows > 2:
        note = ("looks like an identifier (every text is different); left out", "")
        return FeatureBlock((), lambda _: None, (note,), kind="left out")
    return encode_categories(texts)


def _check_size(blocks: dict[str, FeatureBlock], table: RawTable) -> None:
    """Refuse features that the memory does not hold, naming the columns that make most of them."""
    widths = {name: len(block.names) for name, block in blocks.items()}
    total = sum(widths.values())
    widest = sorted(widths, key=lambda name: widths[name], reverse=True)[:_WIDEST]
    shown = ", ".join(f'"{name}" ({widths[name]})' for name in widest)
    check_memory(
        8 * table.n_rows * total,
        f"{table.source}: {table.n_rows:,} rows of {total:,} features",
        free_bytes(),
        "free memory is",
        f"drop columns, of which these make most features: {shown}",
    )


def _notes(blocks: dict[str, FeatureBlock], source: str) -> list[str]:
    """One line a remark, with the columns that it is about."""
    columns: dict[str, list[str]] = {}
    for name, block in blocks.items():
        for remark, detail in block.notes:
            columns.setdefault(remark, []).append(f'"{name}"' + (f" ({detail})" if detail else ""))
    lines = []
    for remark, names in columns.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        shown = f"{', '.join(names[:_NAMED])}{more}"
        start = f"columns {shown}: each" if len(names) > 1 else f"column {shown}"
        lines.append(f"{source}: {start} {remark}")
    return lines
