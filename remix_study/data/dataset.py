"""A data set: features or images, class codes and names, groups, and where they came from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.known_columns import KnownTable
from remix_study.data.plain_cells import text_of
from remix_study.data.split import Split
from remix_study.errors import DataError

# Standardising squares the features; beyond this value a variance is no longer a finite float64.
LARGEST = 1e30
# Cells that are hashed at a time.
_MOST_CELLS = 1 << 20

_WHOLE_NUMBER = re.compile(r"([+-]?\d{1,4000})\.0*")
_INTEGER = re.compile(r"[+-]?\d{1,4000}")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows and labels as published, or as a user's file or arrays give them.

    Attributes:
        name: What a study file calls it.
        X: Features, float64 of shape (n, d), or float32 where an array of it was given, NaN where
            a value is missing; or the pixels of images, uint8 of shape (n, height, width,
            channels); read-only.
        y: Class codes, intp of shape (n,), indices into ``classes``; read-only.
        classes: Class names as a study file writes them, in numeric order when all are
            integers, else sorted.
        features: The d feature names; none for images.
        groups: Codes 0..G-1 of the group of each row (a molecule, a patient), intp of shape
            (n,), or None.
        source: Where the rows came from, in one line.
        licence: The licence the makers gave, in one line.
        citation: Whom to cite, in one line.
        sha256: Hash of the files' uncompressed bytes, or of the arrays.
        notes: Warnings that every output repeats, one line each.
        nominal: For each nominal column of a table the positions of its features: those of its
            categories, or the one of a truth value. Other features are numeric.
        split: How the data themselves split the rows; None where shuffled folds do.
        weights: How much each row counts, float64 of shape (n,) and not negative; None where all
            count alike.
        table: What the columns of the table became that it was made of; None for other data.
    """

    name: str
    X: NDArray[Any]
    y: NDArray[np.intp]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    groups: NDArray[np.intp] | None
    source: str
    licence: str
    citation: str
    sha256: str
    notes: tuple[str, ...]
    nominal: tuple[tuple[int, ...], ...] = ()
    split: Split | None = None
    weights: NDArray[np.float64] | None = None
    table: KnownTable | None = None

    @property
    def counts(self) -> NDArray[np.intp]:
        """Number of rows of each class, intp of shape (K,)."""
        return np.bincount(self.y, minlength=len(self.classes))

    @property
    def training_counts(self) -> NDArray[np.intp]:
        """The same without the rows of a test part of its own, which decide nothing."""
        is_apart = self.split is not None and self.split.kind == "test"
        y = self.y[self.split.codes == 0] if self.split and is_apart else self.y
        return np.bincount(y, minlength=len(self.classes))

    @property
    def has_images(self) -> bool:
        """Whether rows are images."""
        return self.X.ndim == 4

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row: (d,), or (height, width, channels)."""
        return self.X.shape[1:]

    @property
    def n_features(self) -> int:
        """Number of values in a row: features, or pixels times channels."""
        return int(np.prod(self.row_shape))


def user_dataset(
    name: str,
    X: NDArray[Any],
    y: NDArray[np.intp],
    classes: tuple[str, ...],
    groups: NDArray[np.intp] | None,
    *,
    source: str,
    features: Sequence[str] = (),
    sha256: str = "",
    notes: Sequence[str] = (),
    nominal: tuple[tuple[int, ...], ...] = (),
    split: Split | None = None,
    weights: NDArray[np.float64] | None = None,
    table: KnownTable | None = None,
) -> Dataset:
    """Make a data set of a user's own rows, whose arrays become read-only.

    The arguments are the attributes of :class:`Dataset`; ``sha256`` is of the arrays where it is
    left out.
    """
    freeze(X, y, groups, weights)
    return Dataset(
        name=name,
        X=X,
        y=y,
        classes=classes,
        features=tuple(features),
        groups=groups,
        source=source,
        licence="your own data",
        citation="your own data",
        sha256=sha256 or fingerprint(X, y, classes, groups, weights),
        notes=tuple(notes),
        nominal=nominal,
        split=split,
        weights=weights,
        table=table,
    )


def class_name(value: object) -> str:
    """Write a label as a study file does: ``1.0`` and ``1.`` are the class ``1``."""
    text = text_of(value).strip()
    whole_number = _WHOLE_NUMBER.fullmatch(text)
    return str(int(whole_number[1])) if whole_number else text


def encode_labels(labels: Iterable[object]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Turn labels into class codes.

    Returns:
        Codes 0..K-1, intp of shape (n,), and the K class names, in numeric order when all are
        integers, else sorted.
    """
    names = [class_name(label) for label in labels]
    unique_names = set(names)
    if all(_INTEGER.fullmatch(name) for name in unique_names):
        classes = sorted(unique_names, key=lambda name: (int(name), name))
    else:
        classes = sorted(unique_names)
    codes = {name: code for code, name in enumerate(classes)}
    return np.array([codes[name] for name in names], dtype=np.intp), tuple(classes)


def encode_groups(groups: Iterable[object]) -> NDArray[np.intp]:
    """Turn groups into codes 0..G-1, in the order of :func:`encode_labels`; intp of shape (n,)."""
    return encode_labels(groups)[0]


def check_features(
    X: NDArray[np.floating],
    features: Sequence[str],
    where: str,
    place: Callable[[int], str] | None = None,
) -> None:
    """Refuse features that are infinite, or that numbers of 32 bits do not hold.

    Args:
        X: The features.
        features: Their names.
        where: The start of the message.
        place: Where a row stands, instead of ``where``.

    Raises:
        DataError: A value is infinite or its size exceeds ``LARGEST``, or none of a column
            exceeds its inverse; begins with ``where``.
    """
    # By column, as a comparison of all values would take as much memory as they do. NaN compares
    # false, so missing values pass.
    highest, lowest = (f.reduce(X, axis=0).astype(np.float64) for f in (np.fmax, np.fmin))
    too_large = (highest > LARGEST) | (lowest < -LARGEST)
    if too_large.any():
        column = int(too_large.argmax())
        values = X[:, column].astype(np.float64)
        is_odd = np.abs(values) > LARGEST
        fault = "infinite" if np.isinf(values).any() else f"larger than {LARGEST:g}"
        begin = place(int(is_odd.argmax())) if place else where
        raise DataError(
            f'{begin}, column "{features[column]}": {is_odd.sum()} values are {fault}; correct '
            "them, leave them empty or drop the column"
        )
    sizes = np.fmax(np.abs(highest), np.abs(lowest))
    too_small = (sizes < 1 / LARGEST) & (sizes > 0)
    if too_small.any():
        column = int(too_small.argmax())
        raise DataError(
            f'{where}, column "{features[column]}": all values are smaller than {1 / LARGEST:g}; '
            "write them in another unit or drop the column"
        )


def check_labels(classes: Sequence[str], rows: int, where: str) -> None:
    """Refuse labels that no classifier can learn from.

    Raises:
        DataError: One class only, or as many classes as rows; begins with ``where``.
    """
    if len(classes) == 1:
        raise DataError(
            f"{where}: all {rows:,} rows are of class {classes[0]}; two classes or more are needed"
        )
    if len(classes) == rows and rows > 2:
        raise DataError(
            f"{where}: each of the {rows:,} rows has a different label; labels must be class "
            "names, not identifiers or measurements"
        )


def fingerprint(
    X: NDArray[Any],
    y: NDArray[np.intp],
    classes: Sequence[str],
    groups: NDArray[np.intp] | None,
    weights: NDArray[np.float64] | None = None,
) -> str:
    """The sha256 of a data set's arrays, as hexadecimal; the same for either byte order."""
    digest = hashlib.sha256(repr((X.shape, tuple(classes))).encode())
    # Images stay bytes: as float64 they would take eight times the memory.
    has_images = X.dtype == np.uint8
    rows_at_a_time = max(1, _MOST_CELLS // max(1, X[0].size))
    for start in range(0, len(X), rows_at_a_time):
        rows = X[start : start + rows_at_a_time]
        digest.update(np.ascontiguousarray(rows, dtype="u1" if has_images else "<f8").data)
    digest.update(np.ascontiguousarray(y, dtype="<i8").tobytes())
    if groups is not None:
        digest.update(np.ascontiguousarray(groups, dtype="<i8").tobytes())
    if weights is not None:
        digest.update(b"weights" + np.ascontiguousarray(weights, dtype="<f8").tobytes())
    return digest.hexdigest()


def freeze(*arrays: NDArray[np.generic] | None) -> None:
    """Make arrays read-only, since problems share them; None is passed over."""
    for array in arrays:
        if array is not None:
            array.flags.writeable = False
