"""A model in use: predict rows of a table, with marks where the model never saw the like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.known_columns import KnownTable, encode_known
from remix_study.data.python_tables import frame_of_matrix, frame_or_array
from remix_study.data.raw_table import RawTable
from remix_study.deploy.image_chunks import read_image_chunks
from remix_study.deploy.records import ESTIMATOR, Answers, FeatureFile
from remix_study.deploy.table_chunks import read_chunks
from remix_study.errors import DataError, UsageError, did_you_mean, join_names

if TYPE_CHECKING:
    import pandas as pd

# Rows that the model takes at a time; bounds the memory of hidden layers.
_BLOCK = 4096
# Columns that a mark or a note names.
_NAMED = 5


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A model of a folder.

    Attributes:
        folder: Where it lies.
        features: How rows become its inputs.
        answers: How its outputs become classes.
        manifest: Versions, scores and hashes.
        outputs: Gives what the model says (n, K) of inputs (n, ...).
    """

    folder: Path
    features: FeatureFile
    answers: Answers
    manifest: dict[str, Any]
    outputs: Callable[[NDArray[Any]], NDArray[Any]]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of :meth:`predict_proba`."""
        return self.answers.classes

    @property
    def is_network(self) -> bool:
        """Whether it is a network, and no estimator of scikit-learn."""
        return ESTIMATOR not in self.manifest.get("files", {})

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (n, K) of the rows of a file, a data frame or an array.

        Raises:
            DataError: A column is missing, or a cell is of another kind than in training.
        """
        return np.concatenate([answer.probabilities for answer in self._answers(X)])

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row, str (n,); errors are those of :meth:`predict_proba`."""
        codes = [self.answers.codes(answer.probabilities) for answer in self._answers(X)]
        return np.array(self.classes, dtype=object)[np.concatenate(codes)]

    def frames(
        self,
        X: Any,
        note: Callable[[str], None] = lambda _: None,
        keep: Sequence[str] = (),
    ) -> Iterator[pd.DataFrame]:
        """Yield the answers of a table part by part, as data frames with one line a row.

        Columns: ``probability CLASS`` of each class, ``class``, and ``mark``: what of the row the
        model never saw, "" for nothing; before them ``file`` of images in a folder, or the columns
        to keep.

        Args:
            X: A path, a data frame, a dictionary of columns, or an array; of images a path as
                :func:`~remix_study.deploy.image_chunks.read_image_chunks` takes it, or an array.
            note: Receives remarks, such as on columns that are not used.
            keep: Columns of the table that stand before the answers, such as an identifier.

        Raises:
            DataError: As :meth:`predict_proba`; also a column to keep that is not there.
            UsageError: Images have no columns to keep, or an answer has the name of one.
        """
        import pandas as pd

        names = [f"probability {name}" for name in self.classes]
        if keep and self.features.images:
            raise UsageError("images have no columns to keep; answers begin with their file")
        if taken := {*names, "class", "mark"}.intersection(keep):
            raise UsageError(f'column "{min(taken)}" cannot be kept: an answer has this name')
        for answer in self._answers(X, note, tuple(dict.fromkeys(keep))):
            frame = pd.DataFrame(answer.probabilities, columns=names)
            codes = self.answers.codes(answer.probabilities)
            frame["class"] = np.array(self.classes, dtype=object)[codes]
            frame["mark"] = answer.marks
            if answer.files is not None:
                frame.insert(0, "file", answer.files)
            if answer.kept is not None:
                frame = pd.concat([answer.kept, frame], axis=1)
            yield frame

    def raw_outputs(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """What the model gives of inputs (n, ...), some rows at a time."""
        starts = range(0, len(inputs), _BLOCK)
        return np.concatenate([self.outputs(inputs[start : start + _BLOCK]) for start in starts])

    def _answers(
        self,
        X: Any,
        note: Callable[[str], None] = lambda _: None,
        keep: tuple[str, ...] = (),
    ) -> Iterator[_Answer]:
        if self.features.images:
            for pixels, files in read_image_chunks(X, self.features.images, _BLOCK):
                outputs = self.raw_outputs(pixels.astype(np.float32))
                marks = np.full(len(pixels), "", object)
                yield _Answer(self._probabilities(outputs), marks, files)
            return
        for number, table in enumerate(self._tables(X, keep)):
            self._check_columns(table, note if not number else lambda _: None, keep)
            features, marks = self._encode(table)
            outputs = self.raw_outputs(self.features.inputs(features))
            kept = table.frame[list(keep)].reset_index(drop=True) if keep else None
            yield _Answer(self._probabilities(outputs), marks, kept=kept)

    def _probabilities(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities (n, K) of what the model gives; UsageError where some are no numbers."""
        probabilities = self.answers.probabilities(outputs)
        if not np.isfinite(probabilities).all():
            raise UsageError(f"{self.folder}: gives no probabilities but NaN; fit it again")
        return probabilities

    def _tables(self, X: Any, keep: Sequence[str]) -> Iterator[RawTable]:
        """The rows as raw tables; columns to keep that the model does not use stay verbatim."""
        import pandas as pd

        known = self.features.table
        if isinstance(X, str | Path):
            texts = [column.name for column in known.columns if column.is_text]
            used = {column.name for column in known.columns if column.features}
            texts += [name for name in keep if name not in {*texts, *used}]
            yield from read_chunks(Path(X), known.format, texts)
            return
        frame = frame_or_array(X, "X")
        if not isinstance(frame, pd.DataFrame):
            matrix = np.asarray(frame)
            columns = [column.name for column in known.columns]
            if matrix.ndim != 2 or matrix.shape[1] != len(columns):
                raise DataError(
                    f"X has shape {matrix.shape}, and the model takes rows of {len(columns)} "
                    f"columns ({join_names(columns, _NAMED)}); give a data frame or such an array"
                )
            frame = frame_of_matrix(matrix, columns, "X")
        if not len(frame):
            raise DataError("X has no rows")
        yield RawTable('data set "X"', frame.reset_index(drop=True))

    def _check_columns(
        self, table: RawTable, note: Callable[[str], None], keep: tuple[str, ...]
    ) -> None:
        """Refuse a table that lacks a column, and note those that are not used."""
        known, names = self.features.table, table.names
        _refuse_shifted(known, table)
        needed = [column.name for column in known.columns if column.features]
        lacking = [name for name in needed if name not in names]
        if lacking:
            several = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise DataError(
                f'{table.source}: column "{lacking[0]}"{several}, which the model needs, is '
                f"missing{did_you_mean(lacking[0], names)}"
            )
        for name in keep:
            if name not in names:
                hint = did_you_mean(name, names)
                raise DataError(f'{table.source}: column "{name}" to keep is not there{hint}')
        unused = {*(column.name for column in known.columns), *known.other_columns, *keep}
        extra = [f'"{name}"' for name in names if name not in unused]
        if extra:
            note(f"{table.name}: not known to the model, ignored: {join_names(extra, _NAMED)}")

    def _encode(self, table: RawTable) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Features (n, d) in the model's order, and the marks of the rows."""
        known = self.features.table
        place_of = {feature.name: place for place, feature in enumerate(self.features.features)}
        X = np.empty((table.n_rows, len(place_of)))
        marks = np.full(table.n_rows, "", dtype=object)
        for column in (column for column in known.columns if column.features):
            values, unseen = encode_known(column, table, known.format)
            X[:, [place_of[name] for name in column.features]] = values
            _mark(marks, unseen, f"unseen {column.name}")
        for place, feature in enumerate(self.features.features):
            if feature.low is not None and feature.high is not None:
                is_out = (X[:, place] < feature.low) | (X[:, place] > feature.high)
                _mark(marks, is_out, f"outside {feature.name}")
        return X, marks


def _refuse_shifted(known: KnownTable, table: RawTable) -> None:
    """Refuse a table without names whose columns may be others than those of their numbers.

    Raises:
        DataError: It has another number of columns; only a label at the end may be left out.
    """
    total = len(known.columns) + len(known.other_columns)
    is_labelled_last = known.label == f"column {total}"
    fitting = (total, total - 1) if is_labelled_last else (total,)
    is_read = not table.is_from_python and not known.format.header
    if is_read and len(table.names) not in fitting:
        raise DataError(
            f"{table.source}: has {len(table.names)} columns without names, and the model "
            f"learned from {total}; write all of them, with empty cells in place of the label"
        )


@dataclass(frozen=True, eq=False)
class _Answer:
    """Probabilities (n, K) of rows, their marks, str (n,), files of images, columns to keep."""

    probabilities: NDArray[np.float64]
    marks: NDArray[Any]
    files: list[str] | None = None
    kept: pd.DataFrame | None = None


def _mark(marks: NDArray[Any], rows: NDArray[np.bool_], text: str) -> None:
    for row in np.flatnonzero(rows):
        marks[row] = f"{marks[row]}; {text}" if marks[row] else text
