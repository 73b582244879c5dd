"""Load a user's table: a CSV or TSV file with a header line, plain or gzip."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from remix_study.data.columns import encode_columns
from remix_study.data.dataset import (
    Dataset,
    check_labels,
    encode_groups,
    encode_labels,
    user_dataset,
)
from remix_study.data.file_contents import decode, first_cells, read_table, read_unpacked
from remix_study.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


def load_file(
    path: Path, *, label: str, groups: str | None = None, drop: tuple[str, ...] = ()
) -> Dataset:
    """Load a table; the data set is named after the file.

    The ending of the name decides the separator: commas for ``.csv``, tabs for ``.tsv`` and
    ``.tab``; for ``.txt`` tabs where the header line has one, else commas; ``.gz`` may follow. See
    :func:`~remix_study.data.columns.encode_columns` for what text and missing values become.

    Args:
        path: The file.
        label: The column that holds the class.
        groups: The column that holds the group of each row, such as a patient; not a feature.
        drop: Columns to leave out.

    Raises:
        DataError: The file cannot be read as a table, a column is not in its header, a label or
            group is missing, or there is one class only.
    """
    path = Path(path)
    name, separator = _name_and_separator(path)
    content = read_unpacked(path)
    text = decode(content, path).lstrip("\r\n")
    if not separator:
        separator = "\t" if "\t" in text.split("\n", 1)[0] else ","
    header = _header(text, separator, path)
    for role, column in [("label", label), ("groups", groups), *(("drop", d) for d in drop)]:
        if column is not None and column not in header:
            raise DataError(_unknown_column(path, role, column, header))
    if label == groups or label in drop:
        raise DataError(f'{path}, column "{label}": is the label; leave it out of groups and drop')

    frame = read_table(
        text, path, separator=separator, names=header, skip=1, as_text=(label, groups)
    )
    labels = _texts_without_gaps(frame, label, "label", path)
    group_codes = None
    if groups is not None:
        group_codes = encode_groups(_texts_without_gaps(frame, groups, "groups", path))
    notes: list[str] = []
    no_features = {label, groups, *drop}
    if header[0] not in no_features and _has_nameless_index(frame):
        notes.append(f"{path.name}: the first column has no name and numbers the rows; left out")
        no_features.add(header[0])
    encoded = encode_columns(frame[[c for c in header if c not in no_features]], path.name)
    y, classes = encode_labels(labels)
    check_labels(classes, len(y), f'{path}, column "{label}"')
    return user_dataset(
        name,
        encoded.X,
        y,
        classes,
        group_codes,
        source=f"file {path.name}",
        features=encoded.features,
        sha256=hashlib.sha256(content).hexdigest(),
        notes=(*notes, *encoded.notes),
    )


def _name_and_separator(path: Path) -> tuple[str, str]:
    """The data set's name, and the separator by the file's ending ("" where it is open)."""
    stem = Path(path.stem) if path.suffix.lower() == ".gz" else Path(path.name)
    separators = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": ""}
    if stem.suffix.lower() not in separators:
        raise DataError(
            f"{path}: a table's name must end in .csv, .tsv, .tab or .txt, with or without .gz"
        )
    return stem.stem, separators[stem.suffix.lower()]


def _header(text: str, separator: str, path: Path) -> list[str]:
    """The column names of the first line; a nameless third column becomes ``column 3``."""
    cells = first_cells(text, separator, path)
    names = [name or f"column {number}" for number, name in enumerate(cells, start=1)]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError(f'{path}, line 1: two columns are named "{repeated[0]}"; rename one')
    return names


def _unknown_column(path: Path, role: str, column: str, header: Sequence[str]) -> str:
    """The message about a column that is not in the header, with the likeliest cause."""
    message = f'{path}: {role} column "{column}" is not in the header'
    if len(header) == 1 and ";" in header[0]:
        return f"{message}: cells are separated by semicolons; commas or tabs are needed"
    if all(_is_number(name) for name in header):
        return f"{message}: all its names are numbers; the first line must name the columns"
    return f"{message}{did_you_mean(column, header)}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _texts_without_gaps(frame: pd.DataFrame, column: str, role: str, path: Path) -> list[str]:
    """The texts of a column; one that is empty in some row is refused."""
    missing = frame[column].isna().to_numpy()
    if missing.any():
        raise DataError(
            f'{path}, column "{column}" ({role}): empty in {missing.sum()} of {len(frame)} rows, '
            f"first in data row {int(missing.argmax()) + 1}; fill in or remove those rows"
        )
    return [str(value) for value in frame[column]]


def _has_nameless_index(frame: pd.DataFrame) -> bool:
    """Whether the first column is the index of a saved data frame: nameless, counting rows."""
    first = frame.iloc[:, 0]
    if frame.columns[0] != "column 1" or first.dtype.kind != "i":
        return False
    return bool(np.array_equal(first.to_numpy() - first.iloc[0], np.arange(len(first))))
