"""What a data set is: rows of numbers, the names of their classes, and where they came from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.errors import DataError

# Standardising squares the features: beyond this a variance is no longer a finite float64.
LARGEST = 1e100

_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_INTEGER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Named rows and labels as their makers published them.

    Attributes:
        name: What a study file calls it.
        X: Features, float64 of shape (n, d), NaN where a value is missing, or the pixels of
            images, uint8 of shape (n, height, width, channels); read-only.
        y: Class codes, intp of shape (n,), indices into ``classes``; read-only.
        classes: Class names as a study file writes them, in numeric order when all are
            integers, else sorted.
        features: The d feature names; none for images.
        groups: Codes 0..G-1 of what each row belongs to (a molecule, a patient), intp of shape
            (n,), or None.
        source: Where the rows came from, in one line.
        licence: The licence the makers gave, in one line.
        citation: Whom to cite, in one line.
        sha256: Of the content: the bytes of files (uncompressed), or of the arrays.
        notes: Warnings that every output repeats.
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

    @property
    def counts(self) -> NDArray[np.intp]:
        """Rows of each class, intp of shape (K,)."""
        return np.bincount(self.y, minlength=len(self.classes))

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
        """Numbers in a row: features, or pixels times channels."""
        return int(np.prod(self.row_shape))


def class_name(value: object) -> str:
    """A label as a study file writes it: ``1.0`` and ``1.`` are the class ``1``."""
    text = value.decode() if isinstance(value, bytes) else str(value)
    text = text.strip()
    whole = _WHOLE.fullmatch(text)
    return str(int(whole[1])) if whole else text


def encode_labels(labels: Iterable[object]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Codes and names of labels, names in numeric order when all are integers, else sorted."""
    names = [class_name(label) for label in labels]
    known = set(names)
    if all(_INTEGER.fullmatch(name) for name in known):
        classes = sorted(known, key=lambda name: (int(name), name))
    else:
        classes = sorted(known)
    code = {name: index for index, name in enumerate(classes)}
    return np.array([code[name] for name in names], dtype=np.intp), tuple(classes)


def encode_groups(groups: Iterable[object]) -> NDArray[np.intp]:
    """Codes 0..G-1 of the groups, in the sorted order of their texts."""
    return encode_labels(groups)[0]


def check_features(X: NDArray[np.float64], features: Sequence[str], where: str) -> None:
    """Refuse infinite and overflowing features, naming the column.

    Raises:
        DataError: A value is infinite or larger than ``LARGEST`` in size.
    """
    # NaN compares false, so missing values pass.
    bad = np.abs(X) > LARGEST
    if bad.any():
        column = int(bad.any(axis=0).argmax())
        what = "infinite" if np.isinf(X[:, column]).any() else f"larger than {LARGEST:g}"
        raise DataError(
            f"{where}: column {features[column]!r} holds {int(bad[:, column].sum())} values that "
            f"are {what}; mend them, leave them empty or drop the column"
        )


def check_labels(classes: Sequence[str], rows: int, where: str) -> None:
    """Refuse labels that no classifier can learn from.

    Raises:
        DataError: One class only, or as many classes as rows.
    """
    if len(classes) == 1:
        raise DataError(
            f"{where}: all {rows} rows are of one class, {classes[0]}; two or more are needed"
        )
    if len(classes) == rows and rows > 2:
        raise DataError(
            f"{where}: each of the {rows} rows has a label of its own; labels must be class names"
        )


def fingerprint(
    X: NDArray[Any],
    y: NDArray[np.intp],
    classes: Sequence[str],
    groups: NDArray[np.intp] | None,
) -> str:
    """The sha256 of arrays, the same on machines of either byte order."""
    digest = hashlib.sha256(repr((X.shape, tuple(classes))).encode())
    # Pixels as they are: as float64 they would take eight times the memory.
    pixels = X.dtype == np.uint8
    digest.update(np.ascontiguousarray(X, dtype="u1" if pixels else "<f8").data)
    digest.update(np.ascontiguousarray(y, dtype="<i8").tobytes())
    if groups is not None:
        digest.update(np.ascontiguousarray(groups, dtype="<i8").tobytes())
    return digest.hexdigest()


def freeze(*arrays: NDArray[np.generic] | None) -> None:
    """Make arrays read-only: problems share them."""
    for array in arrays:
        if array is not None:
            array.flags.writeable = False
