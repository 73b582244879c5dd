"""Studies as files for other programs: CSV, Parquet or JSON, written and never read back.

The lossless form of a study is its database; see :mod:`remix_study.study.transfer`.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from remix_study.errors import UsageError
from remix_study.results.export_tables import (
    export_frames,
    map_text_columns,
    probability_frames,
    without_formulas,
)
from remix_study.results.frames import StudyFrames

FORMATS = ("csv", "parquet", "json")


def write_export(frames: StudyFrames, output: Path, form: str) -> None:
    """Write studies into a new folder (``csv``, ``parquet``) or file (``json``).

    A folder has one file each for problems, trials, folds, scores and probabilities; ``run``
    joins trials with the last three. JSON is one document of all but the probabilities.

    Args:
        frames: What to write.
        output: The folder or file, which must not exist.
        form: One of :data:`FORMATS`.

    Raises:
        UsageError: The output exists or cannot be written, or pyarrow is not installed.
    """
    try:
        if output.exists() or output.is_symlink():
            raise UsageError(f"{output} exists already; name another one, nothing is overwritten")
        if form == "parquet":
            _check_pyarrow()
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=output.parent, prefix=f".{output.name}-", ignore_cleanup_errors=True
        ) as scratch:
            unfinished = Path(scratch) / "export"
            if form == "json":
                _write_json(frames, unfinished)
            else:
                unfinished.mkdir()
                _write_folder(frames, unfinished, form)
            # Only a complete export gets the name.
            shutil.move(unfinished, output)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written ({error.strerror or error})") from error


def _write_folder(frames: StudyFrames, folder: Path, form: str) -> None:
    open_table = _csv_table if form == "csv" else _parquet_table
    for name, frame in export_frames(frames).items():
        with open_table(folder / f"{name}.{form}") as append:
            append(map_text_columns(frame, _flat))
    with open_table(folder / f"probabilities.{form}") as append:
        for frame in probability_frames(frames):
            append(frame)


def _flat(value: Any) -> Any:
    """A cell as it is, or as JSON where it is a tuple, a list or a dictionary."""
    return json.dumps(_plain(value)) if isinstance(value, tuple | list | dict) else value


@contextmanager
def _csv_table(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function that appends frames to a CSV file, which the first one creates."""

    def append(frame: pd.DataFrame) -> None:
        is_first = not path.exists()
        # With both characters in the line end, cells that contain either are quoted.
        without_formulas(frame).to_csv(
            path, mode="a", index=False, header=is_first, lineterminator="\r\n"
        )

    yield append


@contextmanager
def _parquet_table(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function that appends frames to a Parquet file, which the first one creates."""
    import pyarrow as pa
    from pyarrow import parquet

    writer = None

    def append(frame: pd.DataFrame) -> None:
        nonlocal writer
        schema = None if writer is None else writer.schema
        rows = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        if writer is None:
            writer = parquet.ParquetWriter(path, rows.schema)
        writer.write_table(rows)

    try:
        yield append
    finally:
        if writer is not None:
            writer.close()


def _check_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError(
            'Parquet needs pyarrow: pip install "remix-study[parquet]", or choose --format csv or '
            "json"
        ) from error


def _write_json(frames: StudyFrames, path: Path) -> None:
    document = {
        name: _plain(frame.to_dict(orient="records"))
        for name, frame in export_frames(frames).items()
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, allow_nan=False)


def _plain(value: Any) -> Any:
    """A value as JSON has it: null for numbers that are not finite."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
