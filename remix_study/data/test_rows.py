"""Features of a table with rows that are only tested: the other rows decide what they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from remix_study.data.categories import encode_texts_like
from remix_study.data.columns import EncodedColumns, encode_column, join_blocks
from remix_study.data.known_columns import cell_text
from remix_study.data.numbers import settle_numbers
from remix_study.data.raw_table import RawTable
from remix_study.data.text_column import FeatureBlock, TextColumn
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat


def encode_with_test(
    table: RawTable, n_train: int, table_format: TableFormat
) -> tuple[EncodedColumns, tuple[str, ...]]:
    """Turn columns into features as the first rows alone would have it.

    Kinds of columns, categories, which of them are rare, and the number of features come from the
    training rows. A category that only test rows have counts as missing there, with a note.

    Args:
        table: Feature columns, the test rows last.
        n_train: Number of training rows.
        table_format: As :func:`~remix_study.data.numbers.settle_numbers` takes it.

    Returns:
        The features of all rows, and notes on how the cells were read.

    Raises:
        DataError: As for a table without test rows, or the test rows make something else of a
            column than the training rows.
    """
    train = settle_numbers(table.first_rows(n_train), table_format)
    texts = train.texts
    # What is text in the training rows is text in the test rows, even where these hold numbers.
    as_texts = msgspec.structs.replace(
        table_format, categorical=tuple({*table_format.categorical, *texts})
    )
    whole = settle_numbers(table, as_texts)
    for name in set(texts) - set(table_format.categorical):
        whole.frame[name] = whole.frame[name].astype(train.frame[name].dtype)
    blocks = {name: _encode_alike(name, train, whole) for name in table.names}
    return join_blocks(blocks, whole), whole.notes


def _encode_alike(name: str, train: RawTable, whole: RawTable) -> FeatureBlock:
    """Make the features of a column that its training rows have, in all rows.

    Raises:
        DataError: The test rows make the column something else.
    """
    block = encode_column(name, train.frame[name], train)
    if not block.names:
        return block
    if block.kind in ("category", "hashed", "sentence"):
        texts = TextColumn.of(name, whole.frame[name], cell_text, whole)
        alike = encode_texts_like(block.kind, block.names, block.levels, texts)
        notes = tuple(dict.fromkeys((*block.notes, *alike.notes)))
        return replace(block, fill=alike.fill, notes=notes)
    alike = encode_column(name, whole.frame[name], whole)
    places = [alike.names.index(n) for n in block.names if n in alike.names]
    if len(places) < len(block.names):
        test = whole.parts[-1][0] if whole.parts else "the test rows"
        raise DataError(
            f'{whole.source}, column "{name}": the cells of {test} make another kind of column of '
            "it; mend those cells, or drop the column"
        )

    def fill(out: np.ndarray[Any, Any]) -> None:
        features = np.empty((len(out), len(alike.names)))
        alike.fill(features)
        out[:] = features[:, places]

    return replace(block, fill=fill)
