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
from remix_study.data.known_columns import KnownTable
from remix_study.data.numbers import settle_numbers
from remix_study.data.raw_table import RawTable
from remix_study.data.readers import read_tables, read_test_table
from remix_study.data.row_weights import column_weights, weight_notes
from remix_study.data.split import Split
from remix_study.data.split_columns import split_by_fold, split_by_time, split_off_test
from remix_study.data.test_rows import encode_with_test
from remix_study.errors import DataError
from remix_study.studyfile.given_split import GivenSplit
from remix_study.studyfile.table_format import TableFormat

if TYPE_CHECKING:
    import pandas as pd

_PLAIN_FORMAT = TableFormat()
_NOT_GIVEN = GivenSplit()


def load_file(
    path: Path | Sequence[Path],
    *,
    label: str | int | None = None,
    groups: str | int | None = None,
    weights: str | int | None = None,
    drop: Sequence[str | int] = (),
    table_format: TableFormat = _PLAIN_FORMAT,
    split: GivenSplit = _NOT_GIVEN,
    test_path: Path | None = None,
) -> Dataset:
    """Load a table; the data set is named after the file, or the first of several.

    See :func:`~remix_study.data.numbers.settle_numbers` for what is a number and
    :func:`~remix_study.data.columns.encode_columns` for what other columns become.

    Args:
        path: The file, or several to join, which have the same columns.
        label: The column that holds the class, by name or by number from 1 (-1 is the last); None
            for the one that the file itself says.
        groups: The column that holds the group of each row, such as a patient; not a feature.
        weights: The column that says how much each row counts; not a feature.
        drop: Columns to leave out.
        table_format: How the files are written.
        split: How the rows are split, if the table says so.
        test_path: A file of the same columns whose rows are only tested.

    Raises:
        DataError: A file cannot be read as a table, a column is not in its header, a label or
            group is missing, a cell among numbers is none, or there is one class only.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(part) for part in path]
    verbatim = [column for column in (label, groups, split.fold) if column is not None]
    table, n_test = read_tables(paths, table_format, verbatim), 0
    if test_path is not None:
        n_train = table.n_rows
        table = read_test_table(table, test_path, table_format, verbatim)
        n_test = table.n_rows - n_train
    return table_dataset(
        table,
        _stem(paths[0]),
        label=label,
        groups=groups,
        weights=weights,
        drop=drop,
        table_format=table_format,
        split=split,
        n_test=n_test,
    )


def table_dataset(
    table: RawTable,
    name: str,
    *,
    label: str | int | None,
    groups: str | int | None,
    weights: str | int | None = None,
    drop: Sequence[str | int],
    table_format: TableFormat,
    split: GivenSplit = _NOT_GIVEN,
    n_test: int = 0,
) -> Dataset:
    """Make a data set of a raw table, whose columns become features, classes and groups.

    The arguments and errors are those of :func:`load_file`; ``name`` is the data set's, and the
    last ``n_test`` rows are only tested.
    """
    label = table.label if label is None else label
    if label is None:
        raise DataError(f"{table.source}: write label = the column that holds the class")
    label_name = table.column(label, "label")
    groups_name = None if groups is None else table.column(groups, "groups")
    weights_name = None if weights is None else table.column(weights, "weights")
    dropped = [table.column(column, "drop") for column in drop]
    if label_name in (groups_name, weights_name, *dropped):
        raise DataError(
            f'{table.source}, column "{label_name}": is the label; leave it out of groups, '
            "weights and drop"
        )
    if weights_name is not None and weights_name in (groups_name, *dropped):
        raise DataError(
            f'{table.source}, column "{weights_name}": holds the weights; leave it out of groups '
            "and drop"
        )
    missing = table_format.missing
    labels = _texts_without_gaps(table, label_name, "label", missing)
    group_codes = None
    if groups_name is not None:
        group_codes = encode_groups(_texts_without_gaps(table, groups_name, "groups", missing))
    row_weights = None
    if weights_name is not None:
        row_weights = column_weights(table, weights_name, table_format)
    left_out = [f'{table.name}: column "{column}"' for column in dropped]
    notes = [note for note in table.notes if not note.startswith(tuple(left_out))]
    notes += similar_class_notes(f'{table.name}: column "{label_name}"', labels)
    if weights_name is not None and row_weights is not None:
        notes += weight_notes(f'{table.name}: column "{weights_name}"', row_weights)
    row_split, split_names = _split(table, split, n_test, label_name, table_format)
    no_features = {label_name, groups_name, weights_name, *dropped}
    if not split.keep_time:
        no_features |= set(split_names)
    if table.names[0] not in no_features and _has_nameless_index(table.frame):
        notes.append(f"{table.name}: the first column has no name and numbers the rows; left out")
        no_features.add(table.names[0])
    features = replace(table.without([c for c in no_features if c]), notes=())
    feature_format = table.feature_format(table_format, features.names)
    if n_test:
        encoded, reading_notes = encode_with_test(features, table.n_rows - n_test, feature_format)
        _refuse_new_classes(table, labels, label_name, table.n_rows - n_test)
    else:
        features = settle_numbers(features, feature_format)
        encoded, reading_notes = encode_columns(features), features.notes
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
        notes=(*notes, *reading_notes, *encoded.notes),
        nominal=encoded.nominal,
        split=row_split,
        weights=row_weights,
        table=KnownTable(
            encoded.columns,
            tuple(name for name in table.names if name in no_features),
            feature_format,
            label_name,
        ),
    )


def _split(
    table: RawTable, split: GivenSplit, n_test: int, label: str, table_format: TableFormat
) -> tuple[Split | None, list[str]]:
    """The split of a table's rows, and the columns that say it."""
    if split.fold is None and split.time is None:
        return (split_off_test(table.n_rows, n_test) if n_test else None), []
    key = "time" if split.fold is None else "fold"
    name = table.column(getattr(split, key), key)
    if name == label:
        raise DataError(
            f'{table.source}, column "{name}": is the label; leave it out of fold and time'
        )
    if key == "time":
        keys = {"time": name, "keep_time": True} if split.keep_time else {"time": name}
        return split_by_time(table, name, table_format, keys), [name]
    texts = _texts_without_gaps(table, name, "fold", table_format.missing)
    if len(set(texts)) < 2:
        raise DataError(
            f'{table.source}, column "{name}" (fold): every row has the value "{texts[0]}"; '
            "it needs two folds or more"
        )
    return split_by_fold(texts, {"fold": name}), [name]


def _refuse_new_classes(table: RawTable, labels: list[str], label: str, n_train: int) -> None:
    """Refuse classes that test rows have and training rows lack."""
    known = set(map(class_name, labels[:n_train]))
    names = list(map(class_name, labels))
    row = next((row for row, name in enumerate(names) if name not in known), None)
    if row is not None:
        raise DataError(
            f'{table.place(row)}, column "{label}": class "{names[row]}" is in no training row, '
            f"as in {sum(name not in known for name in names)} test rows; leave such rows out of "
            "the test file"
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
            f"as in {is_gap.sum():,} of {len(texts):,} rows; fill in or remove those rows"
        )
    return texts


def _has_nameless_index(frame: pd.DataFrame) -> bool:
    """Whether the first column is the index of a saved data frame: nameless, counting rows."""
    first: Any = frame.iloc[:, 0]
    if frame.columns[0] != "column 1" or first.dtype.kind != "i":
        return False
    return bool(np.array_equal(first.to_numpy() - first.iloc[0], np.arange(len(first))))
