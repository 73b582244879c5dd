"""Data and folds without scikit-learn, whose import is most of what a short process does.

For processes whose training is made up, too. Folds are stratified, as the real ones are.
"""

from __future__ import annotations

import numpy as np

from remix_study.data import folds, named_datasets
from remix_study.data.dataset import Dataset, fingerprint, freeze
from remix_study.data.folds import Fold
from remix_study.seeds import derive_seed

SIZES = {"class_0": 59, "class_1": 71, "class_2": 48}


def load(name: str) -> Dataset:
    """As many rows of as many classes as ``wine`` has, whatever the name."""
    y = np.repeat(np.arange(len(SIZES), dtype=np.int32), list(SIZES.values()))
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    classes = tuple(SIZES)
    freeze(X, y)
    return Dataset(
        name=name,
        X=X,
        y=y,
        classes=classes,
        features=("first", "second"),
        groups=None,
        source="made up",
        licence="none",
        citation="none",
        sha256=fingerprint(X, y, classes, None),
        notes=(),
    )


def repeat(problem, n_folds, number, validation, seed):
    """One shuffle of stratified k-fold: each class is dealt to the folds in turn."""
    rng = np.random.default_rng(derive_seed(seed, problem.name, number))
    order = rng.permutation(len(problem.y))
    order = order[np.argsort(problem.y[order], kind="stable")]
    dealt = np.empty(len(order), dtype=int)
    dealt[order] = np.arange(len(order))
    every = round(1 / validation)
    for fold in range(n_folds):
        rest = dealt % n_folds != fold
        held = rest & (dealt // n_folds % every == 0)
        parts = (np.flatnonzero(part) for part in (rest & ~held, held, ~rest))
        yield Fold(number, fold, *parts)


def make_up_data(setattr) -> None:
    """Patch this process; ``setattr`` is that of pytest's monkeypatch, or Python's own."""
    setattr(named_datasets, "load_from_sklearn", load)
    setattr(folds, "stratified_folds", repeat)
