"""Simulated data and folds, for processes whose training is simulated, too.

They save the import of scikit-learn, which takes most of a short process's time. Folds are
stratified, as the real ones are.
"""

from __future__ import annotations

import numpy as np

from remix_study.data import folds, named_datasets
from remix_study.data.dataset import Dataset, fingerprint, freeze
from remix_study.data.folds import Fold
from remix_study.seeds import derive_seed

SIZES = {"class_0": 59, "class_1": 71, "class_2": 48}


def load(name: str) -> Dataset:
    """Data of the size of ``wine``, whatever the name."""
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
    """One repetition of stratified k-fold: rows of a class go to the folds in turn."""
    rng = np.random.default_rng(derive_seed(seed, problem.name, number))
    order = rng.permutation(len(problem.y))
    order = order[np.argsort(problem.y[order], kind="stable")]
    # Position of each row in the order of classes.
    position = np.empty(len(order), dtype=int)
    position[order] = np.arange(len(order))
    validation_step = round(1 / validation)
    for fold in range(n_folds):
        is_test = position % n_folds == fold
        is_validation = ~is_test & (position // n_folds % validation_step == 0)
        is_training = ~is_test & ~is_validation
        parts = (np.flatnonzero(part) for part in (is_training, is_validation, is_test))
        yield Fold(number, fold, *parts)


def make_up_data(setattr) -> None:
    """Patch this process; ``setattr`` is Python's own or that of pytest's monkeypatch."""
    setattr(named_datasets, "load_from_sklearn", load)
    setattr(folds, "stratified_folds", repeat)
