"""The data sets that come with scikit-learn: nothing to download, nothing to set."""

from __future__ import annotations

import numpy as np

from remix_study.data.dataset import Dataset, encode_labels, fingerprint, freeze
from remix_study.data.facts import FACTS


def load_embedded(name: str) -> Dataset:
    """Load ``digits``, ``breast_cancer`` or ``wine`` from scikit-learn."""
    from sklearn import datasets as sklearn_datasets

    bunch = getattr(sklearn_datasets, f"load_{name}")()
    facts = FACTS[name]
    X = np.ascontiguousarray(bunch.data, dtype=np.float64)
    y, classes = encode_labels(np.asarray(bunch.target_names)[bunch.target])
    freeze(X, y)
    return Dataset(
        name=name,
        X=X,
        y=y,
        classes=classes,
        features=tuple(str(feature) for feature in bunch.feature_names),
        groups=None,
        source=facts.source,
        licence=facts.licence,
        citation=facts.citation,
        sha256=fingerprint(X, y, classes, None),
        notes=(),
    )
