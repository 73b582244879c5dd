"""Tables of an export: the tidy frames of studies, and their probabilities in long form."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from remix_study.errors import StorageError
from remix_study.results.frames import StudyFrames

# A spreadsheet reads a text cell that begins with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# A class may be called -1.
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def export_frames(frames: StudyFrames) -> dict[str, pd.DataFrame]:
    """The tables of an export without probabilities, by name, as the frames have them.

    The label of a trial's method is in the column ``method``.
    """
    return {
        "problems": frames.problems,
        "trials": frames.runs.rename(columns={"row": "method"}),
        "folds": frames.folds,
        "scores": frames.scores,
    }


def probability_frames(frames: StudyFrames) -> Iterator[pd.DataFrame]:
    """Probabilities in long form, one frame a trial: a row for each scored row of the data.

    Yields:
        `run`, `study`, `problem`, `trial`, `method`, `repeat`, `fold`, `part`, `row` (of the data
        set), `class` (its true one) and one float32 column ``probability_<class>`` for each class
        of any problem, NaN for classes that the trial's problem lacks. Folds that failed have
        none.
    """
    classes = {
        (study, problem): np.array(names, dtype=object)
        for study, problem, names in zip(
            *(frames.problems[name] for name in ("study", "problem", "classes")), strict=True
        )
    }
    columns = _probability_columns(frames)
    trained = frames.folds[frames.folds["failed"] == ""]
    for _, run in frames.runs.iterrows():
        folds = trained[trained["run"] == run["run"]]
        try:
            parts = _run_probabilities(frames, run, folds, classes[run["study"], run["problem"]])
        except (zlib.error, ValueError, TypeError, LookupError) as error:
            raise StorageError(
                f"{run['study']}/{run['problem']}: probabilities of trial {run['trial']} cannot "
                f"be read ({error}); the database is damaged"
            ) from error
        if parts:
            frame = pd.concat(parts, ignore_index=True)
            for name in ("run", "study", "problem", "trial"):
                frame[name] = run[name]
            frame["method"] = run["row"]
            yield frame.reindex(columns=columns).astype(_probability_types(columns))


def _run_probabilities(
    frames: StudyFrames, run: pd.Series[Any], folds: pd.DataFrame, classes: Any
) -> list[pd.DataFrame]:
    """Probabilities of one trial, one frame a fold and part."""
    if frames.probabilities is None:
        return []
    parts = []
    for repeat, fold in zip(folds["repeat"], folds["fold"], strict=True):
        for part in ("validation", "test"):
            rows, codes, shares = frames.probabilities(run["run"], repeat, fold, part)
            key = {"repeat": repeat, "fold": fold, "part": part}
            named = {f"probability_{name}": shares[:, code] for code, name in enumerate(classes)}
            parts.append(pd.DataFrame({**key, "row": rows, "class": classes[codes], **named}))
    return parts


def _probability_types(columns: list[str]) -> dict[str, Any]:
    return {name: np.float32 for name in columns if name.startswith("probability_")}


def _probability_columns(frames: StudyFrames) -> list[str]:
    names = dict.fromkeys(name for classes in frames.problems["classes"] for name in classes)
    key = ["run", "study", "problem", "trial", "method", "repeat", "fold", "part", "row", "class"]
    return [*key, *(f"probability_{name}" for name in names)]


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before text that a spreadsheet would run."""
    safe = map_text_columns(frame, _without_formula)
    safe.columns = pd.Index([_without_formula(str(column)) for column in frame.columns])
    return safe


def _without_formula(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def map_text_columns(frame: pd.DataFrame, function: Callable[[Any], Any]) -> pd.DataFrame:
    """The frame with a function applied to each cell of the columns that are not numeric."""
    mapped = frame.copy()
    for position, dtype in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            mapped.isetitem(position, frame.iloc[:, position].map(function).array)
    return mapped
