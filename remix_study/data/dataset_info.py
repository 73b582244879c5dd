"""Describe data sets: the facts of the catalogue, and whether the files are there and right."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from remix_study.data.catalogue import DatasetFacts, dataset_names, find_facts
from remix_study.data.dataset import Dataset
from remix_study.data.named_datasets import load_dataset
from remix_study.data.published_files import FilesMissingError, locate
from remix_study.errors import DataError

# Files were loaded and checked; exist, unopened; are missing; or are damaged or different ones.
STATES = ("verified", "present", "absent", "refused")


@dataclass(frozen=True)
class DatasetInfo:
    """A data set as ``remix_study datasets`` shows it.

    Attributes:
        name: What a study file calls it.
        about: What its classes mean.
        classes: Class names as a study file writes them, with their rows.
        rows: Number of rows.
        features: Number of features; of images, pixels times channels.
        shape: Height, width and channels of images; empty for a table.
        missing: Number of missing cells, None where unknown.
        duplicates: Rows equal to an earlier one in all features and the label, None where
            unknown.
        groups: Number of groups, 0 where there are none.
        grouped_by: What a group is, such as a molecule.
        source: Where the rows come from.
        licence: The licence the makers gave.
        citation: Whom to cite.
        files: Its files under the folder that REMIX_STUDY_DATA names; empty if it needs none.
        notes: Warnings that every output repeats.
        state: ``verified`` (loaded and checked), ``present`` (not opened), ``absent`` or
            ``refused`` (damaged, or another file).
        available: Whether it can be used.
        reason: Why it cannot be used, in one line; empty where it can.
    """

    name: str
    about: str
    classes: tuple[tuple[str, int], ...]
    rows: int
    features: int
    shape: tuple[int, ...]
    missing: int | None
    duplicates: int | None
    groups: int
    grouped_by: str
    source: str
    licence: str
    citation: str
    files: tuple[str, ...]
    notes: tuple[str, ...]
    state: str
    available: bool
    reason: str


def describe(name: str) -> DatasetInfo:
    """Load a data set and describe it; one that cannot be loaded is described by its facts.

    Raises:
        DataError: The name is unknown.
    """
    facts = find_facts(name)
    try:
        facts = _edition_at_hand(facts)
        dataset = load_dataset(name)
    except FilesMissingError as error:
        return _from_facts(facts, "absent", str(error))
    except DataError as error:
        return _from_facts(facts, "refused", str(error))
    return _from_dataset(facts, dataset)


def overview() -> tuple[DatasetInfo, ...]:
    """Describe every data set by its facts, without opening a file."""
    infos = []
    for name in dataset_names():
        facts = find_facts(name)
        try:
            infos.append(_from_facts(_edition_at_hand(facts), "present", ""))
        except FilesMissingError as error:
            infos.append(_from_facts(facts, "absent", str(error)))
    return tuple(infos)


def check_all() -> tuple[DatasetInfo, ...]:
    """Describe every data set, loading and verifying those whose files exist."""
    return tuple(describe(name) for name in dataset_names())


def _edition_at_hand(facts: DatasetFacts) -> DatasetFacts:
    """The facts of the edition whose files exist, which may be the partial one."""
    return locate(facts)[0] if facts.files else facts


def _from_facts(facts: DatasetFacts, state: str, reason: str) -> DatasetInfo:
    return DatasetInfo(
        name=facts.name,
        about=facts.about,
        classes=tuple(facts.counts.items()),
        rows=facts.rows,
        features=facts.features,
        shape=facts.shape,
        missing=facts.missing,
        duplicates=facts.duplicates,
        groups=facts.groups,
        grouped_by=facts.grouped_by,
        source=facts.source,
        licence=facts.licence,
        citation=facts.citation,
        files=tuple(file.path for file in facts.files),
        notes=(),
        state=state,
        available=not reason,
        reason=reason,
    )


def _from_dataset(facts: DatasetFacts, dataset: Dataset) -> DatasetInfo:
    return DatasetInfo(
        name=dataset.name,
        about=facts.about,
        classes=tuple(zip(dataset.classes, dataset.counts.tolist(), strict=True)),
        rows=len(dataset.X),
        features=dataset.n_features,
        shape=dataset.row_shape if dataset.has_images else (),
        missing=0 if dataset.has_images else int(np.isnan(dataset.X).sum()),
        duplicates=count_duplicates(dataset),
        groups=0 if dataset.groups is None else len(np.unique(dataset.groups)),
        grouped_by=facts.grouped_by,
        source=dataset.source,
        licence=dataset.licence,
        citation=dataset.citation,
        files=tuple(file.path for file in facts.files),
        notes=dataset.notes,
        state="verified",
        available=True,
        reason="",
    )


def count_duplicates(dataset: Dataset) -> int:
    """Count rows equal to an earlier one in features and label, missing values being equal."""
    if dataset.has_images:
        # Compared by hash: the bytes of all rows at once would be a copy of the data set.
        pairs = zip(dataset.X, dataset.y.tolist(), strict=True)
        distinct = {(hashlib.sha256(image.data).digest(), label) for image, label in pairs}
        return len(dataset.X) - len(distinct)
    # One bit pattern for each value: a single NaN, and no negative zero.
    X = np.where(np.isnan(dataset.X), np.nan, dataset.X + 0.0)
    rows = np.column_stack([X, dataset.y])
    return len(rows) - len({row.tobytes() for row in rows})
