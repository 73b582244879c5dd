"""Random and damaged tables: read as they are written, or refused in one line."""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fuzz.draws import both_lengths, draws
from fuzz.random_tables import Cells, damaged, random_frame, random_table, written
from people_table import FILES, buffer_of, write

from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.data.table_file import load_file
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

MISSING = {"", "?", "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>"}
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]+\.0*")
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
SEPARATORS = {".csv": ",", ".tsv": "\t", ".psv": "|", ".data": ";"}

PLAIN = TableFormat()


def cells_of(text: bytes, separator: str) -> tuple[list[str], Cells]:
    """Names and rows as Python's own reader has them, without blank lines."""
    decoded = text.decode("utf-8-sig")
    if re.search(r"\r(?!\n)", decoded):
        decoded = decoded.replace("\r\n", "\n").replace("\r", "\n")
    reader = csv.reader(
        io.StringIO(decoded, newline=""), delimiter=separator, skipinitialspace=True
    )
    names, *rows = [row for row in reader if "".join(row).strip() or len(row) > 1]
    return [" ".join(name.split()) for name in names], rows


def assert_is_read_as_written(dataset: Dataset, names: Sequence[str], rows: Cells) -> None:
    """Compare every cell whose meaning leaves no doubt with what became of it."""
    assert len(dataset.X) == len(dataset.y) == len(rows)
    for row, code in zip(rows, dataset.y, strict=True):
        label = row[names.index("y")].strip()
        label = str(int(label.split(".")[0])) if WHOLE.fullmatch(label) else label
        assert dataset.classes[code] == label
    assert dataset.table is not None
    columns = {column.name: column for column in dataset.table.columns}
    for place, name in enumerate(names):
        if name == "y":
            continue
        column, cells = (
            columns[name or f"column {place + 1}"],
            [row[place].strip() for row in rows],
        )
        X = dataset.X[:, [dataset.features.index(feature) for feature in column.features]]
        is_missing = np.array([cell in MISSING for cell in cells])
        if column.kind == "number":
            for cell, value in zip(cells, X[:, 0], strict=True):
                if cell in MISSING:
                    assert np.isnan(value), (name, cell)
                elif NUMBER.fullmatch(cell):
                    assert value == pytest.approx(float(cell), rel=1e-14), (name, cell)
                else:
                    assert any(f'"{name}"' in note for note in dataset.notes), (name, cell, value)
        elif column.kind == "truth":
            truth = [{"true": 1, "false": 0}.get(cell.lower(), np.nan) for cell in cells]
            np.testing.assert_array_equal(X[:, 0], truth)
        elif column.kind == "category":
            for feature, values in zip(column.features, X.T, strict=True):
                level = feature.removeprefix(f"{column.name}=")
                if level != "<rare>":
                    expected = [cell == level and cell not in MISSING for cell in cells]
                    np.testing.assert_array_equal(values, expected)
        elif column.kind == "date":
            for cell, values in zip(cells, X, strict=True):
                if match := DATE.fullmatch(cell):
                    day = date(*map(int, match.groups()))
                    assert values[:4].tolist() == [day.year, day.month, day.day, day.weekday()]
            assert np.isnan(X[is_missing]).all()
        elif column.kind == "left out":
            assert any(f'"{column.name}"' in note for note in dataset.notes)


def load_or_refuse(
    path: Path, table_format: TableFormat = PLAIN, label: str = "y"
) -> Dataset | None:
    """Load a file; None where it is refused in one line that begins with its name."""
    message = ""
    try:
        return load_file(path, label=label, table_format=table_format)
    except DataError as error:
        message = str(error)
    assert message.startswith(str(path)), message
    assert len(message) < 2000, message
    return None


def check_text(draw: random.Random, folder: Path) -> None:
    """Text that is damaged or not is read as Python's own reader has it."""
    ending = draw.choice(list(SEPARATORS))
    content = written(draw, *random_table(draw), SEPARATORS[ending])
    content = damaged(draw, content) if draw.random() < 0.5 else content
    path = write(folder, f"t{ending}", content)
    dataset = load_or_refuse(path, TableFormat(separator=SEPARATORS[ending], quote='"'))
    if dataset is not None:
        assert_is_read_as_written(dataset, *cells_of(content, SEPARATORS[ending]))


def check_damage(draw: random.Random, folder: Path) -> None:
    """A damaged file of any format is read or refused."""
    name = draw.choice(list(FILES))
    load_or_refuse(write(folder, name, damaged(draw, FILES[name]())), label="target")


def arrays_of(column: pd.Series) -> np.ndarray:
    """A column as an array that needs no pickle."""
    values = column.to_numpy()
    if values.dtype == object:
        return np.array(["" if pd.isna(cell) else str(cell) for cell in values])
    return values


WRITERS = {
    "parquet": lambda frame: buffer_of(frame.to_parquet),
    "feather": lambda frame: buffer_of(frame.to_feather),
    "xlsx": lambda frame: buffer_of(lambda file: frame.to_excel(file, index=False)),
    "npz": lambda frame: buffer_of(
        lambda file: np.savez(file, **{name: arrays_of(column) for name, column in frame.items()})
    ),
}


def check_types(draw: random.Random, folder: Path) -> None:
    """A data frame that is written as a file with types is read as it was."""
    frame, ending = random_frame(draw), draw.choice(list(WRITERS))
    if ending == "xlsx":
        # Excel has fractions of days.
        frame = frame.drop(columns="durations", errors="ignore")
    dataset = load_or_refuse(write(folder, f"t.{ending}", WRITERS[ending](frame)))
    if dataset is not None:
        assert_is_the_frame(dataset, frame)


def assert_is_the_frame(dataset: Dataset, frame: pd.DataFrame) -> None:
    """Compare labels and columns of numbers, truth values, dates and durations."""
    assert dataset.table is not None
    columns = {column.name: column for column in dataset.table.columns}
    labels = [str(label) for label in frame["y"]]
    assert [dataset.classes[code] for code in dataset.y] == labels
    for name in frame.columns.drop("y"):
        column, values = columns[name], frame[name]
        X = dataset.X[:, [dataset.features.index(feature) for feature in column.features]]
        if column.kind in ("number", "truth"):
            is_missing = [pd.isna(cell) or cell in MISSING for cell in values]
            expected = [
                np.nan if missing else float(cell)
                for cell, missing in zip(values, is_missing, strict=True)
            ]
            np.testing.assert_allclose(X[:, 0], expected, rtol=1e-14)
        elif column.kind == "duration":
            expected = [cell.total_seconds() for cell in values]
            np.testing.assert_allclose(X[:, 0], expected, rtol=1e-9)
        elif column.kind == "date":
            expected = [[c.year, c.month, c.day, c.weekday()] for c in values]
            np.testing.assert_array_equal(X[:, :4], expected)
        elif column.kind == "category":
            for feature, is_level in zip(column.features, X.T, strict=True):
                level = feature.removeprefix(f"{name}=")
                if level != "<rare>":
                    texts = ["" if pd.isna(cell) else str(cell).strip() for cell in values]
                    np.testing.assert_array_equal(is_level, [text == level for text in texts])
        elif column.kind == "left out":
            assert any(f'"{name}"' in note for note in dataset.notes)


def outcome(X: Any, y: Sequence[str]) -> tuple[Any, ...]:
    """What becomes of data from Python: the features or the message."""
    try:
        dataset = from_arrays(X, y)
    except DataError as error:
        return (str(error),)
    return dataset.features, dataset.X.tobytes(), dataset.classes, dataset.notes


def check_python(draw: random.Random, _folder: Path) -> None:
    """Texts, their bytes, lists of them and an array of them become the same."""
    names, rows = random_table(draw)
    if draw.random() < 0.2:
        draw.choice(rows)[0] = "\ud800"
    *columns, y = map(list, zip(*rows, strict=True))
    texts = pd.DataFrame(dict(zip(names, columns, strict=False)), dtype=object)
    forms = (
        texts.map(lambda cell: cell.encode(errors="surrogatepass") if cell.isascii() else cell),
        dict(zip(names, columns, strict=False)),
        texts.to_numpy(),
        texts.to_numpy().astype(str),
    )
    form = draw.choice(forms)
    is_array = isinstance(form, np.ndarray)
    expected = outcome(texts.set_axis([f"x{i}" for i in range(texts.shape[1])], axis=1), y)
    assert outcome(form, y) == (expected if is_array else outcome(texts, y))


@both_lengths
@pytest.mark.parametrize(
    ("check", "few"), [(check_text, 40), (check_damage, 40), (check_types, 25), (check_python, 12)]
)
def test_tables_are_read_as_they_are_or_refused_in_one_line(
    tmp_path: Path, check: Callable[[random.Random, Path], None], few: int, seconds: float
) -> None:
    for draw in draws(few, seconds):
        check(draw, tmp_path)
