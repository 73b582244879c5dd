"""The data sets that come with scikit-learn: nothing to download, nothing to set."""

from __future__ import annotations

import numpy as np

from remix_study.data.dataset import Dataset, encode_labels, fingerprint, freeze
from remix_study.data.facts import FACTS


def load_embedded(name: str) -> Dataset:
    """Load ``digits``, ``digits-images``, ``breast_cancer`` or ``wine`` from scikit-learn."""
    from sklearn import datasets as sklearn_datasets

    facts = FACTS[name]
    bunch = getattr(sklearn_datasets, f"load_{name.removesuffix('-images')}")()
    if facts.shape:
        pixels = np.round(bunch.images * (facts.high / bunch.images.max()))
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
