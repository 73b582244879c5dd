"""The data sets a study file may name, one's own files, and arrays."""

from __future__ import annotations

import difflib

from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.data.embedded import EMBEDDED, load_embedded
from remix_study.data.files import load_file
from remix_study.errors import DataError

__all__ = ["Dataset", "dataset_names", "from_arrays", "load_dataset", "load_file"]


def dataset_names() -> tuple[str, ...]:
    """The names of all data sets, those that need no file first."""
    return tuple(EMBEDDED)


def load_dataset(name: str) -> Dataset:
    """Load a data set by its name.

    Raises:
        DataError: The name is not known, or its files are missing, damaged or changed.
    """
    if name in EMBEDDED:
        return load_embedded(name)
    raise unknown_dataset(name)


def unknown_dataset(name: str) -> DataError:
    """The error for a name that is no data set, with the names there are."""
    known = dataset_names()
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return DataError(f"data set {name!r} is not known; {hint}known: {', '.join(known)}")
