"""Studies as files for other programs: CSV, Parquet or JSON, written and never read back.

The lossless form of a study is its database; see :mod:`remix_study.study.transfer`.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from remix_study.errors import StorageError, UsageError
from remix_study.results.frames import StudyFrames
from remix_study.results.whole_folders import folder_beside

FORMATS = ("csv", "parquet", "json")

# A spreadsheet reads a text cell that begins with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# A class may be called -1.
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def write_export(frames: StudyFrames, output: Path, form: str) -> None:
    """Write studies into a new folder (``csv``, ``parquet``) or file (``json``).

    A folder has one file each for problems, trials, folds, scores and probabilities; ``run``
    joins trials with the last three. JSON is one document of all but the probabilities. The label
    of a trial's method is in the column ``method``.

    The output must not exist; the form is one of :data:`FORMATS`.

    Raises:
        UsageError: The output exists or cannot be written, or pyarrow is not installed.
    """
    tables = {
        "problems": frames.problems,
        "trials": frames.runs.rename(columns={"row": "method"}),
        "folds": frames.folds,
        "scores": frames.scores,
    }
    try:
        if output.exists() or output.is_symlink():
            raise UsageError(f"{output} exists already; name another one, nothing is overwritten")
        if form == "parquet":
            _check_pyarrow()
        with folder_beside(output) as folder:
            unfinished = folder / "export"
            if form == "json":
                records = {name: table.to_dict("records") for name, table in tables.items()}
                text = json.dumps(to_json(records), allow_nan=False)
                unfinished.write_text(text, encoding="utf-8")
            else:
                unfinished.mkdir()
                write = _write_csv if form == "csv" else _write_parquet
                for name, table in tables.items():
                    write(unfinished / f"{name}.{form}", [_map_text_columns(table, _flat)])
                write(unfinished / f"probabilities.{form}", _probability_tables(frames))
            # Only a complete export gets the name.
            shutil.move(unfinished, output)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written ({error.strerror or error})") from error


def _write_csv(path: Path, tables: Iterable[pd.DataFrame]) -> None:
    """Write frames below each other; no file where there is none."""
    for place, table in enumerate(tables):
        # With both characters in the line end, cells that contain either are quoted.
        without_formulas(table).to_csv(
            path, mode="a", index=False, header=place == 0, lineterminator="\r\n"
        )


def _write_parquet(path: Path, tables: Iterable[pd.DataFrame]) -> None:
    """Write frames below each other; no file where there is none."""
    import pyarrow as pa
    from pyarrow import parquet

    with contextlib.ExitStack() as stack:
        writer = None
        for table in tables:
            schema = None if writer is None else writer.schema
            rows = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(path, rows.schema))
            writer.write_table(rows)


def _check_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError(
            'Parquet needs pyarrow: pip install "remix-study[parquet]", or choose --format csv or '
            "json"
        ) from error


def to_json(value: Any) -> Any:
    """A value as JSON has it: null for numbers that are not finite."""
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(value: Any) -> Any:
    """A cell as it is, or as JSON where it is a tuple, a list or a dictionary."""
    return json.dumps(to_json(value)) if isinstance(value, tuple | list | dict) else value


def _probability_tables(frames: StudyFrames) -> Iterator[pd.DataFrame]:
    """Probabilities in long form, one frame a trial: a row for each scored row of the data.

    Yields:
        `run`, `study`, `problem`, `trial`, `method`, `repeat`, `fold`, `part`, `row` (of the data
        set), `class` (its true one), `weight` (1 where rows have none) and one float32 column
        ``probability_<class>`` for each class of any problem, NaN for classes that the trial's
        problem lacks. Folds that failed have none.
    """
    problems = frames.problems.set_index(["study", "problem"])["classes"]
    of_class = dict.fromkeys(f"probability_{name}" for names in problems for name in names)
    of_trial = ["run", "study", "problem", "trial", "method"]
    key = [*of_trial, "repeat", "fold", "part", "row", "class", "weight"]
    trained = frames.folds[frames.folds["failed"] == ""]
    for _, run in frames.runs.rename(columns={"row": "method"}).iterrows():
        folds = trained[trained["run"] == run["run"]]
        classes = np.array(problems[run["study"], run["problem"]], dtype=object)
        try:
            parts = _run_probabilities(frames, run["run"], folds, classes)
        except (zlib.error, ValueError, TypeError, LookupError) as error:
            raise StorageError(
                f"{run['study']}/{run['problem']}: probabilities of trial {run['trial']} cannot "
                f"be read ({error}); the database is damaged"
            ) from error
        if parts:
            table = pd.concat(parts, ignore_index=True).assign(**run[of_trial])
            yield table.reindex(columns=[*key, *of_class]).astype(
                dict.fromkeys(of_class, np.float32)
            )


def _run_probabilities(
    frames: StudyFrames, run: int, folds: pd.DataFrame, classes: Any
) -> list[pd.DataFrame]:
    """Probabilities of one trial, one frame a fold and part."""
    if frames.probabilities is None or run in frames.summaries:
        return []
    parts = []
    for repeat, fold in zip(folds["repeat"], folds["fold"], strict=True):
        for part in ("validation", "test"):
            rows, codes, shares, weights = frames.probabilities(run, repeat, fold, part)
            key = {"repeat": repeat, "fold": fold, "part": part}
            key |= {"row": rows, "class": classes[codes]}
            key["weight"] = np.ones(len(rows)) if weights is None else weights
            named = {f"probability_{name}": shares[:, code] for code, name in enumerate(classes)}
            parts.append(pd.DataFrame({**key, **named}))
    return parts


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before text that a spreadsheet would run."""
    safe = _map_text_columns(frame, _without_formula)
    safe.columns = pd.Index([_without_formula(str(column)) for column in frame.columns])
    return safe


def _without_formula(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def _map_text_columns(frame: pd.DataFrame, function: Callable[[Any], Any]) -> pd.DataFrame:
    """The frame with a function applied to each cell of the columns that are not numeric."""
    mapped = frame.copy()
    for position, dtype in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            mapped.isetitem(position, frame.iloc[:, position].map(function).array)
    return mapped
