"""A user's own data: a CSV or TSV file with a header line, plain or gzip."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from remix_study.data.columns import MISSING, encode_columns
from remix_study.data.dataset import (
    Dataset,
    check_labels,
    encode_groups,
    encode_labels,
    freeze,
    listed,
)
from remix_study.data.reading import decode, read_content
from remix_study.errors import DataError

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
    header = _header(text, separator, path)
    for role, column in [("label", label), ("groups", groups), *(("drop", d) for d in drop)]:
        if column is not None and column not in header:
            raise DataError(_unknown_column(path, role, column, header))
    if label == groups or label in drop:
        raise DataError(f"{path}: column {label!r} is the label; it cannot be groups or dropped")

    frame = _table(text, separator, header, [label, groups], path)
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
    if not separator:
        separator = _look(text)
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise DataError(f"{path}: line 1 cannot be read ({error})") from None
    names = [" ".join(cell.split()) for cell in cells]
    names = [name or f"column {place}" for place, name in enumerate(names, start=1)]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError(f"{path}: two columns are named {repeated[0]!r}; rename one")
    return names


def _look(text: str) -> str:
    """Tabs where the first line has one, else commas."""
    return "\t" if "\t" in text.split("\n", 1)[0] else ","


def _unknown_column(path: Path, role: str, column: str, header: Sequence[str]) -> str:
    """Why a column is not there, with the likeliest cause."""
    message = f"{path}: {role} column {column!r} is not there; the columns are {listed(header)}"
    if len(header) == 1 and ";" in header[0]:
        return f"{message} (is the file separated by semicolons? commas or tabs are needed)"
    close = difflib.get_close_matches(column, header, 1)
    if close:
        return f"{message} (did you mean {close[0]!r}?)"
    if all(_is_number(name) for name in header):
        return f"{message} (the first line must name the columns)"
    return message


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _table(
    text: str, separator: str, header: Sequence[str], as_text: Sequence[str | None], path: Path
) -> pd.DataFrame:
    """The rows under the header; columns in ``as_text`` stay as they are written."""
    import pandas as pd

    separator = separator or _look(text)
    _refuse_ragged(text, separator, len(header), path)
    places = [place for place, name in enumerate(header) if name in as_text]
    dtypes: dict[int, type[str]] = dict.fromkeys(places, str)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            names=list(range(len(header))),
            skiprows=1,
            index_col=False,
            dtype=dtypes,
            na_values=list(MISSING),
            keep_default_na=False,
            skipinitialspace=True,
            low_memory=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise DataError(f"{path}: not a table ({' '.join(str(error).split())})") from None
    if frame.empty:
        raise DataError(f"{path}: the file has a header but no rows")
    return frame.set_axis(list(header), axis=1)


def _refuse_ragged(text: str, separator: str, columns: int, path: Path) -> None:
    """The reader fills short rows with missing values without a word."""
    number, lines = 0, _cells_by_line(text, separator)
    try:
        for number, cells in enumerate(lines, start=1):
            if cells not in (0, columns):
                raise DataError(
                    f"{path}: line {number} has {cells} cells where the header has {columns}"
                )
    except csv.Error as error:
        raise DataError(f"{path}: line {number + 1} cannot be read ({error})") from None


def _cells_by_line(text: str, separator: str) -> Iterator[int]:
    """How many cells each line has, 0 for a blank one."""
    if '"' in text:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return (len(row) for row in rows)
    # Without quotes counting is enough, and many times faster.
    lines = io.StringIO(text, newline=None)
    return (line.count(separator) + 1 if line.strip() else 0 for line in lines)


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
