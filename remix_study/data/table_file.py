"""A user's own data: a CSV or TSV file with a header line, plain or gzip."""

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
    freeze,
)
from remix_study.data.delimited_text import first_cells, read_table
from remix_study.data.file_bytes import decode, read_content
from remix_study.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


def load_file(
    path: Path, *, label: str, groups: str | None = None, drop: tuple[str, ...] = ()
) -> Dataset:
    """Load a file of one's own.

    The name says how the columns are separated: ``.csv`` by commas, ``.tsv`` and ``.tab`` by
    tabs, ``.txt`` by tabs where its header line has one, else by commas; ``.gz`` may follow. The
    data set is named after the file. See ``columns`` for what text and missing values become.

    Args:
        path: The file.
        label: The column that holds the class.
        groups: The column that says what each row belongs to, such as a patient; no feature.
        drop: Columns to leave out.

    Raises:
        DataError: The file cannot be read as a table, a column is not there, a label or group
            is missing, or there is one class only.
    """
    path = Path(path)
    name, separator = _name_and_separator(path)
    content = read_content(path)
    text = decode(content, path).lstrip("\r\n")
    if not separator:
        separator = "\t" if "\t" in text.split("\n", 1)[0] else ","
    header = _header(text, separator, path)
    for role, column in [("label", label), ("groups", groups), *(("drop", d) for d in drop)]:
        if column is not None and column not in header:
            raise DataError(_unknown_column(path, role, column, header))
    if label == groups or label in drop:
        raise DataError(f"{path}: column {label!r} is the label; it cannot be groups or dropped")

    frame = read_table(
        text, path, separator=separator, names=header, skip=1, as_text=(label, groups)
    )
    labels = _complete(frame, label, "label", path)
    members = None if groups is None else encode_groups(_complete(frame, groups, "group", path))
    notes: list[str] = []
    unwanted = {label, groups, *drop}
    if header[0] not in unwanted and _is_nameless_index(frame):
        notes.append(f"{path.name}: the first column has no name and numbers the rows; left out")
        unwanted.add(header[0])
    numbers = encode_columns(frame[[c for c in header if c not in unwanted]], path.name)
    y, classes = encode_labels(labels)
    check_labels(classes, len(y), f"{path}: column {label!r}")
    freeze(numbers.X, y, members)
    return Dataset(
        name=name,
        X=numbers.X,
        y=y,
        classes=classes,
        features=numbers.features,
        groups=members,
        source=f"file {path.name}",
        licence="your own data",
        citation="your own data",
        sha256=hashlib.sha256(content).hexdigest(),
        notes=(*notes, *numbers.notes),
    )


def _name_and_separator(path: Path) -> tuple[str, str]:
    """The data set's name and the separator the file's name promises ("" = look)."""
    stem = Path(path.stem) if path.suffix.lower() == ".gz" else Path(path.name)
    separators = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": ""}
    if stem.suffix.lower() not in separators:
        raise DataError(f"{path}: the name must end in .csv, .tsv, .tab or .txt, or so with .gz")
    return stem.stem, separators[stem.suffix.lower()]


def _header(text: str, separator: str, path: Path) -> list[str]:
    """The column names of the first line; a nameless column is called by its place."""
    cells = first_cells(text, separator, path)
    names = [name or f"column {place}" for place, name in enumerate(cells, start=1)]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError(f"{path}: two columns are named {repeated[0]!r}; rename one")
    return names


def _unknown_column(path: Path, role: str, column: str, header: Sequence[str]) -> str:
    """Why a column is not there, with the likeliest cause."""
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


def _complete(frame: pd.DataFrame, column: str, what: str, path: Path) -> list[str]:
    """The texts of a column that must be filled in every row."""
    missing = frame[column].isna().to_numpy()
    if missing.any():
        raise DataError(
            f"{path}: {what} column {column!r} is empty in {missing.sum()} of {len(frame)} rows, "
            f"first in data row {int(missing.argmax()) + 1}; fill or remove those rows"
        )
    return [str(value) for value in frame[column]]


def _is_nameless_index(frame: pd.DataFrame) -> bool:
    """A data frame saved with its index has such a first column."""
    first = frame.iloc[:, 0]
    if frame.columns[0] != "column 1" or first.dtype.kind != "i":
        return False
    return bool(np.array_equal(first.to_numpy() - first.iloc[0], np.arange(len(first))))
