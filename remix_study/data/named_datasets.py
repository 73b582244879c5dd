"""Load a data set by the name that a study file gives it."""

from __future__ import annotations

import numpy as np

from remix_study.data.catalogue import CATALOGUE, find_facts
from remix_study.data.dataset import Dataset, encode_labels, fingerprint, freeze
from remix_study.data.published_files import load_published


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
