"""The data sets that come with scikit-learn: nothing to download, nothing to set."""

from __future__ import annotations

import numpy as np

from remix_study.data.dataset import Dataset, encode_labels, fingerprint, freeze

_UCI = "UCI Machine Learning Repository, CC BY 4.0"

# name -> (source, licence, citation)
EMBEDDED: dict[str, tuple[str, str, str]] = {
    "breast_cancer": (
        "scikit-learn load_breast_cancer: UCI Breast Cancer Wisconsin (Diagnostic)",
        _UCI,
        "W. H. Wolberg, W. N. Street, O. L. Mangasarian (1995), doi 10.24432/C5DW2B",
    ),
    "digits": (
        "scikit-learn load_digits: the test half (1,797 of 5,620 rows) of UCI optdigits",
        _UCI,
        "E. Alpaydin, C. Kaynak (1998), doi 10.24432/C50P49",
    ),
    "wine": (
        "scikit-learn load_wine: UCI Wine",
        _UCI,
        "S. Aeberhard, M. Forina (1991), doi 10.24432/C5PC7J",
    ),
}


def load_embedded(name: str) -> Dataset:
    """Load ``digits``, ``breast_cancer`` or ``wine`` from scikit-learn."""
    from sklearn import datasets as sklearn_datasets

    bunch = getattr(sklearn_datasets, f"load_{name}")()
    source, licence, citation = EMBEDDED[name]
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
        source=source,
        licence=licence,
        citation=citation,
        sha256=fingerprint(X, y, classes, None),
        notes=(),
    )
