"""The data sets a study file may name, one's own files, and arrays."""

from __future__ import annotations

from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.data.embedded import load_embedded
from remix_study.data.facts import FACTS, Facts
from remix_study.data.files import load_file
from remix_study.data.pictures import load_images
from remix_study.data.sources import load_source
from remix_study.errors import DataError, did_you_mean

__all__ = [
    "Dataset",
    "dataset_names",
    "find_facts",
    "from_arrays",
    "load_dataset",
    "load_file",
    "load_images",
]


def dataset_names() -> tuple[str, ...]:
    """The names of all data sets, those that need no file first."""
    return tuple(FACTS)


def load_dataset(name: str) -> Dataset:
    """Load a data set by its name.

    Raises:
        DataError: The name is not known, or its files are missing, damaged or changed.
    """
    return load_source(name) if find_facts(name).files else load_embedded(name)


def find_facts(name: str) -> Facts:
    """The fixed facts of a data set.

    Raises:
        DataError: The name is not known.
    """
    if name in FACTS:
        return FACTS[name]
    raise DataError(f'there is no data set "{name}"{did_you_mean(name, FACTS)}')
