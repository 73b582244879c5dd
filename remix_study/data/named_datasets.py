"""Data sets by the names that a study file gives them: load one, or describe each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from remix_study.data.catalogue import CATALOGUE, DatasetFacts, dataset_names, find_facts
from remix_study.data.dataset import Dataset, encode_labels, fingerprint, freeze
from remix_study.data.published_files import FilesMissingError, load_published, locate
from remix_study.errors import DataError


def load_dataset(name: str) -> Dataset:
    """Load a data set of the catalogue.

    Raises:
        DataError: The name is unknown, or the data set's files are missing, damaged or changed.
    """
    return load_published(name) if find_facts(name).files else load_from_sklearn(name)


def load_from_sklearn(name: str) -> Dataset:
    """Load one of the data sets that come with scikit-learn and need no file.

    Args:
        name: ``digits``, ``digits-images``, ``breast_cancer`` or ``wine``.
    """
    from sklearn import datasets as sklearn_datasets

    facts = CATALOGUE[name]
    bunch = getattr(sklearn_datasets, f"load_{name.removesuffix('-images')}")()
    if facts.shape:
        pixels = np.round(bunch.images * (facts.maximum / bunch.images.max()))
        X = np.ascontiguousarray(pixels[..., None], dtype=np.uint8)
    else:
        X = np.ascontiguousarray(bunch.data, dtype=np.float64)
    y, classes = encode_labels(np.asarray(bunch.target_names)[bunch.target])
    freeze(X, y)
    return Dataset(
        name=name,
        X=X,
        y=y,
        classes=classes,
        features=() if facts.shape else tuple(map(str, bunch.feature_names)),
        groups=None,
        source=facts.source,
        licence=facts.licence,
        citation=facts.citation,
        sha256=fingerprint(X, y, classes, None),
        notes=(),
    )


STATES = ("verified", "present", "absent", "refused")
"""Files were loaded and checked; exist, unopened; are missing; are damaged or different ones."""


@dataclass(frozen=True)
class DatasetInfo:
    """A data set as ``remix_study datasets`` shows it.

    Attributes (the others are those of :class:`.DatasetFacts`):
        classes: Class names as a study file writes them, with their rows.
        files: Its files under the folder that REMIX_STUDY_DATA names; empty if it needs none.
        notes: Warnings that every output repeats.
        state: One of ``STATES``.
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
    return replace(
        _from_facts(facts, "verified", ""),
        classes=tuple(zip(dataset.classes, dataset.counts.tolist(), strict=True)),
        rows=len(dataset.X),
        features=dataset.n_features,
        shape=dataset.row_shape if dataset.has_images else (),
        missing=0 if dataset.has_images else int(np.isnan(dataset.X).sum()),
        duplicates=count_duplicates(dataset),
        groups=0 if dataset.groups is None else len(np.unique(dataset.groups)),
        notes=dataset.notes,
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
