"""A study of a table for which there is no study file: planned by rules, as the text of one.

The rules depend on the numbers of rows and classes alone, never on a score.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.data.label_choice import label_hint
from remix_study.data.plain_cells import text_of
from remix_study.data.python_tables import frame_or_array
from remix_study.data.raw_table import are_data
from remix_study.data.readers import PARSERS, read_tables
from remix_study.data.table_file import load_file
from remix_study.errors import DataError, UsageError, did_you_mean, join_names
from remix_study.studyfile.cross_validation import CrossValidation
from remix_study.studyfile.model_options import DEFAULT_HIDDEN
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.schema import Study, Training
from remix_study.studyfile.table_format import TableFormat
from remix_study.studyfile.validation import as_toml

# Up to so many rows: repeats of the cross-validation, epochs at most, rows of a batch.
_SIZES: tuple[tuple[float, int, int, int], ...] = (
    (2_000, 10, 200, 64),
    (20_000, 5, 200, 64),
    (100_000, 3, 100, 256),
    (float("inf"), 2, 50, 512),
)
# Up to so many rows the network is a small one: wider ones learn what few rows have by chance.
_SMALL_TABLE = 2_000
_NETWORK_RULE = f"units of each hidden layer; one layer of 64 up to {_SMALL_TABLE:,} rows"
_SMALL_NETWORK_RATE = "learning_rate = 0.003   # of a small network"
# A forest's trees grow with the rows: above so many they would take longer than the networks.
_FOREST_ROWS, _FOREST = 20_000, '\n    "random-forest",'
_SIZE_RULE = "10 repeats up to 2,000 rows, 5 up to 20,000, 3 up to 100,000, else 2"
# Rows a class that a label has at least, on average.
_ROWS_PER_CLASS = 10
_SMALLEST_BATCH = 8
_WHICH = 'name the column to predict, --label COLUMN or label="COLUMN"'

_METHODS = """
# First these methods, on the same folds; the report ranks and judges them.
[search]
algorithm = "grid"
# What is reached without a network.
estimators = [
    "hist-gradient-boosting", "hist-gradient-boosting-weighted", "logistic-regression",{forest}
]

[search.space]
strategy = ["baseline", "cost", "smote", "balance", "logit-adjusted", "mixup", "remix"]
alpha = [0.1]

# Then Optuna varies sampler, mixing (one lambda a batch, or one a row) and alpha.
[search.then]
algorithm = "tpe"
trials = 12

[search.then.space]
sampler = ["natural", "balanced", "balanced-dataset"]
mixing = ["beta", "beta-sample"]
alpha = {{ low = 0.01, high = 1.0, log = true }}
"""


def is_table(name: str) -> bool:
    """Whether a name is that of a table, by its ending, rather than of a study file."""
    path = Path(name)
    ending = path.suffix.lower()
    return (Path(path.stem).suffix.lower() if ending in (".gz", ".zip") else ending) in PARSERS


def plan_file(
    path: str | Path,
    label: str | int | None,
    groups: str | int | None = None,
    *,
    name: str | None = None,
    header: bool = True,
    folder: Path = Path(),
) -> Study:
    """Plan the default study of a table in a file.

    Args:
        path: The file, of any format that is read.
        label: The column with the class, by name or number; None for the one that the file says.
        groups: The column of groups; the rows of a group stay on one side of every split.
        name: The study's name; made of the file's if None.
        header: Whether the first line of a text names the columns.
        folder: Where the study file would stand, to which its path of the table is relative.

    Raises:
        DataError: The file cannot be read, or no label is named; the message lists the columns.
    """
    path, table_format = Path(path), TableFormat(header=header)
    if label is None:
        table = read_tables([path], table_format, [])
        if table.label is None:
            looks = "; the first line looks like data (--no-header)"
            note = looks if header and are_data(table.names, table.frame) else ""
            raise DataError(f"{path}: {_WHICH}{note}; {label_hint(table.frame)}")
    dataset = load_file(path, label=label, groups=groups, table_format=table_format)
    keys: dict[str, Any] = {"label": label, "groups": groups}
    keys["header"] = None if header else False
    file = Path(os.path.relpath(path, folder)).as_posix()
    keys = {"file": file} | {key: value for key, value in keys.items() if value is not None}
    study_name = name or _study_name(dataset.name)
    text = study_text(dataset, study_name, keys)
    return parse_study(text, os.path.normpath(folder / f"{study_name}.toml"))


def plan_data(
    data: Any, label: object, groups: object = None, *, name: str = "data"
) -> tuple[Study, Dataset]:
    """Plan the default study of a data frame or a dictionary of columns.

    Args:
        data: A frame of pandas, polars or another library with Arrow's interface, or a dictionary.
        label: The column with the class.
        groups: The column of groups; the rows of a group stay on one side of every split.
        name: Name of the study and of the data.

    Returns:
        The study, whose problem names no data, and the data.

    Raises:
        UsageError: No label is named, or a column is not there; the message lists the columns.
        DataError: Data that cannot be used.
    """
    import pandas as pd

    where = f'data set "{text_of(name)}"'
    frame = frame_or_array(data, where)
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(
            f"{where}: a {type(data).__name__} has no named columns; give a path, a data frame or "
            "a dictionary of columns, or a study with X and y"
        )
    if label is None:
        raise UsageError(f"{where}: {_WHICH}; {label_hint(frame)}")
    columns = {"label": text_of(label)} | ({} if groups is None else {"groups": text_of(groups)})
    for key, column in columns.items():
        if column not in frame:
            hint = did_you_mean(column, frame.columns)
            raise UsageError(f'{where}: {key} column "{column}" is not there{hint}')
    if columns["label"] == columns.get("groups"):
        raise UsageError(
            f'{where}: column "{columns["label"]}" is the label; name another as groups'
        )
    dataset = from_arrays(
        frame.drop(columns=list(columns.values())),
        frame[columns["label"]],
        groups=None if groups is None else frame[columns["groups"]],
        name=name,
    )
    return parse_study(study_text(dataset, _study_name(dataset.name), {})), dataset


def study_text(dataset: Dataset, name: str, keys: Mapping[str, Any]) -> str:
    """The text of the default study of a data set.

    Args:
        dataset: The data.
        name: The study's name.
        keys: Keys of the problem that say where the data are; none for data from Python.

    Raises:
        DataError: Too many classes for the rows.
    """
    counts, n_rows, n_classes = dataset.counts, len(dataset.y), len(dataset.classes)
    if n_rows < _ROWS_PER_CLASS * n_classes:
        fault = (
            f"the label has {n_classes:,} values in {n_rows:,} rows; it must hold names of "
            "classes, no measurements: name another column, or merge values by classes.merge"
        )
        if n_rows < 2 * _ROWS_PER_CLASS:
            fault = f"{n_rows} rows are too few to compare methods; add rows"
        raise DataError(f"{keys.get('file', dataset.name)}: {fault}")
    _, repeats, epochs, batch = next(size for size in _SIZES if n_rows <= size[0])
    n_training = n_rows / CrossValidation().folds * (1 - CrossValidation().validation)
    while batch > _SMALLEST_BATCH and 2 * batch > n_training:
        batch //= 2
    rare, rule = _rare_classes(dataset)
    sizes = [f"{as_toml(c)}: {n:,}" for c, n in zip(dataset.classes, counts.tolist(), strict=True)]
    problem = [f"{key} = {as_toml(value)}" for key, value in keys.items()]
    problem.append(f"kind = {as_toml('binary' if n_classes == 2 else 'multi-class')}")
    problem += [f"# {rule}", *([f"minority = {as_toml(rare)}"] if rare else [])]
    is_small = n_rows <= _SMALL_TABLE
    grouped = ["grouped = true   # rows of a group stay on one side of a split"]
    lines = [
        f"# Planned by rules from {as_toml(dataset.name)}: {n_rows:,} rows, "
        f"{dataset.n_features:,} features; rows of each class:",
        f"# {join_names(sizes)}.",
        "# To change it, keep this file and run it: python -m remix_study run FILE.",
        "[study]",
        f"name = {as_toml(name)}",
        "",
        "[[problems]]" + ("" if keys else "   # the data are given from Python"),
        *problem,
        "",
        "[cv]",
        f"folds = {CrossValidation().folds}",
        f"repeats = {repeats}   # {_SIZE_RULE}",
        *(grouped if dataset.groups is not None else []),
        "",
        "[model]",
        f"hidden = {[64] if is_small else list(DEFAULT_HIDDEN)}   # {_NETWORK_RULE}",
        "",
        "[training]",
        *([f"epochs = {epochs}"] if epochs != Training().epochs else []),
        f"batch_size = {batch}",
        *([_SMALL_NETWORK_RATE] if is_small else []),
    ]
    methods = _METHODS.format(forest=_FOREST if n_rows <= _FOREST_ROWS else "")
    return "\n".join(lines) + "\n" + methods


def _rare_classes(dataset: Dataset) -> tuple[list[str], str]:
    """The classes that count as rare, and the rule that says so."""
    counts = dict(zip(dataset.classes, dataset.counts.tolist(), strict=True))
    smallest, half = min(counts.values()), len(dataset.y) / len(counts) / 2
    if smallest == max(counts.values()):
        return [], "no class is rare: all have as many rows"
    rare = [name for name, count in counts.items() if count < half]
    if len(counts) == 2:
        return [min(counts, key=lambda name: counts[name])], "rare is the smaller of two classes"
    if rare:
        return rare, f"rare are classes with less than half of an equal share, {half:,.0f} rows"
    rare = [name for name, count in counts.items() if count == smallest]
    return rare, "rare is the smallest class: none has less than half of an equal share"


def _study_name(text: str) -> str:
    """A study's name made of a text: other characters than those of names become dashes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100] or "study"
