"""Load a user's table: one or more files whose columns become features, classes and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from remix_study.data.class_names import similar_class_notes
from remix_study.data.columns import encode_columns
from remix_study.data.dataset import (
    Dataset,
    check_labels,
    class_name,
    encode_groups,
    encode_labels,
    user_dataset,
)
from remix_study.data.numbers import settle_numbers
from remix_study.data.raw_table import RawTable
from remix_study.data.readers import read_tables
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

if TYPE_CHECKING:
    import pandas as pd

_PLAIN_FORMAT = TableFormat()


def load_file(
    path: Path | Sequence[Path],
    *,
    label: str | int | None = None,
    groups: str | int | None = None,
    drop: Sequence[str | int] = (),
    table_format: TableFormat = _PLAIN_FORMAT,
) -> Dataset:
    """Load a table; the data set is named after the file, or the first of several.

    See :func:`~remix_study.data.numbers.settle_numbers` for what is a number and
    :func:`~remix_study.data.columns.encode_columns` for what other columns become.

    Args:
        path: The file, or several to join, which have the same columns.
        label: The column that holds the class, by name or by number from 1 (-1 is the last); None
            for the one that the file itself says.
        groups: The column that holds the group of each row, such as a patient; not a feature.
        drop: Columns to leave out.
        table_format: How the files are written.

    Raises:
        DataError: A file cannot be read as a table, a column is not in its header, a label or
            group is missing, a cell among numbers is none, or there is one class only.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(part) for part in path]
    verbatim = [column for column in (label, groups) if column is not None]
    table = read_tables(paths, table_format, verbatim)
    return table_dataset(
        table, _stem(paths[0]), label=label, groups=groups, drop=drop, table_format=table_format
    )


def table_dataset(
    table: RawTable,
    name: str,
    *,
    label: str | int | None,
    groups: str | int | None,
    drop: Sequence[str | int],
    table_format: TableFormat,
) -> Dataset:
    """Make a data set of a raw table, whose columns become features, classes and groups.

    The arguments and errors are those of :func:`load_file`, and ``name`` is the data set's.
    """
    if label is None and table.label is None:
        raise DataError(f"{table.source}: write label = the column that holds the class")
    label = table.label if label is None else label
    label_name = table.column(label or "", "label")
    groups_name = None if groups is None else table.column(groups, "groups")
    dropped = [table.column(column, "drop") for column in drop]
    if label_name == groups_name or label_name in dropped:
        raise DataError(
            f'{table.source}, column "{label_name}": is the label; leave it out of groups and drop'
        )
    missing = table_format.missing
    labels = _texts_without_gaps(table, label_name, "label", missing)
    group_codes = None
    if groups_name is not None:
        group_codes = encode_groups(_texts_without_gaps(table, groups_name, "groups", missing))
    left_out = [f'{table.name}: column "{column}"' for column in dropped]
    notes = [note for note in table.notes if not note.startswith(tuple(left_out))]
    notes += similar_class_notes(f'{table.name}: column "{label_name}"', labels)
    no_features = {label_name, groups_name, *dropped}
    if table.names[0] not in no_features and _has_nameless_index(table.frame):
        notes.append(f"{table.name}: the first column has no name and numbers the rows; left out")
        no_features.add(table.names[0])
    features = replace(table.without([c for c in no_features if c]), notes=())
    features = settle_numbers(features, table.feature_format(table_format, features.names))
    encoded = encode_columns(features)
    y, classes = encode_labels(labels)
    check_labels(classes, len(y), f'{table.source}, column "{label_name}"')
    return user_dataset(
        name,
        encoded.X,
        y,
        classes,
        group_codes,
        source=_source(table)[:200],
        features=encoded.features,
        sha256=table.sha256,
        notes=(*notes, *features.notes, *encoded.notes),
        nominal=encoded.nominal,
    )


def _source(table: RawTable) -> str:
    """Where the rows came from, in one line; files without their folders."""
    if table.source.startswith("query "):
        return table.source
    paths = [source for source, _ in table.parts] or [table.source]
    return f"file {', '.join(Path(path).name for path in paths)}"


def _stem(path: Path) -> str:
    """The data set's name: the file's without its ending."""
    is_packed = path.suffix.lower() in (".gz", ".zip") and Path(path.stem).suffix
    return Path(path.stem if is_packed else path.name).stem


def _texts_without_gaps(
    table: RawTable, column: str, role: str, missing: Sequence[object]
) -> list[str]:
    """The texts of a column; one that is empty in some row, or said to be missing, is refused."""
    cells = table.frame[column]
    texts = [str(cell) for cell in cells]
    gaps = {"", *map(str, missing)}
    is_gap = cells.isna().to_numpy() | np.array([class_name(text) in gaps for text in texts])
    if is_gap.any():
        raise DataError(
            f'{table.place(int(is_gap.argmax()))}, column "{column}" ({role}): empty or missing, '
            f"as in {is_gap.sum()} of {len(texts)} rows; fill in or remove those rows"
        )
    return texts


def _has_nameless_index(frame: pd.DataFrame) -> bool:
    """Whether the first column is the index of a saved data frame: nameless, counting rows."""
    first: Any = frame.iloc[:, 0]
    if frame.columns[0] != "column 1" or first.dtype.kind != "i":
        return False
    return bool(np.array_equal(first.to_numpy() - first.iloc[0], np.arange(len(first))))
