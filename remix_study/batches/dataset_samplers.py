"""Samplers that balance the whole training part before batches are cut from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.smote import NEIGHBOURS
from remix_study.batches.training_rows import (
    DrawnRows,
    IntArray,
    MemberStreams,
    TrainingRows,
    unblended,
)


def undersample(streams: MemberStreams, training: TrainingRows, batch_size: int) -> DrawnRows:
    """Cut every class to the size of the smallest, then cut batches.

    The cut is made without replacement and anew for every pass, so that over the epochs all rows
    of a large class are used. An epoch has floor(n / B) batches as with the other samplers, made
    of as many passes as that takes; a batch may end one pass and begin the next.
    """
    rng, y = streams.epoch, training.y
    present = np.flatnonzero(np.bincount(y, minlength=training.n_classes))
    classes = [np.flatnonzero(y == code) for code in present]
    smallest = min(map(len, classes))
    n_drawn = len(y) // batch_size * batch_size
    passes = -(-n_drawn // (smallest * len(classes)))
    first = np.concatenate(
        [
            rng.permutation(
                np.concatenate([rng.choice(c, smallest, replace=False) for c in classes])
            )
            for _ in range(passes)
        ]
    )
    return unblended(first[:n_drawn].reshape(-1, batch_size))


def smote_dataset(streams: MemberStreams, training: TrainingRows, batch_size: int) -> DrawnRows:
    """Enlarge every class to the size of the largest by SMOTE, then cut batches.

    The rows of the data are kept; synthetic rows use the k = min(5, n - 1) nearest rows of their
    class in the whole training part, and a class of one row is repeated. Synthetic rows are made
    once for a member. An epoch has floor(n / B) batches as with the other samplers: a random part
    of the enlarged rows, another one in every epoch.
    """
    key = "smote-dataset", streams.seed
    if key not in training.cache:
        training.cache[key] = _enlarge(streams.member(), training)
    first, second, weight = training.cache[key]
    steps = len(training.rows) // batch_size
    batches = streams.epoch.permutation(len(first))[: steps * batch_size].reshape(steps, -1)
    return DrawnRows(first[batches], second[batches], weight[batches])


def _enlarge(
    rng: np.random.Generator, training: TrainingRows
) -> tuple[IntArray, IntArray, NDArray[np.float32]]:
    """All training rows, then SMOTE's synthetic rows, as (m,) first rows, second rows, weights."""
    counts = np.bincount(training.y, minlength=training.n_classes)
    all_rows = np.arange(len(training.y))
    first, second = [all_rows], [all_rows]
    weight = [np.ones(len(all_rows))]
    for code in np.flatnonzero((counts > 0) & (counts < counts.max())):
        class_rows = np.flatnonzero(training.y == code)
        n_synthetic = int(counts.max() - len(class_rows))
        base = rng.integers(len(class_rows), size=n_synthetic)
        first.append(class_rows[base])
        if len(class_rows) == 1:
            second.append(class_rows[base])
            weight.append(np.ones(n_synthetic))
            continue
        near = _nearest_in_class(training, class_rows)
        second.append(class_rows[near[base, rng.integers(near.shape[1], size=n_synthetic)]])
        weight.append(1.0 - rng.random(n_synthetic))
    return (
        np.concatenate(first),
        np.concatenate(second),
        np.concatenate(weight).astype(np.float32),
    )


def _nearest_in_class(training: TrainingRows, class_rows: IntArray) -> IntArray:
    """Nearest other rows of each row of a class: (n, k) positions within ``class_rows``."""
    from sklearn.neighbors import NearestNeighbors

    features = training.features()[class_rows].reshape(len(class_rows), -1)
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(class_rows) - 1)).fit(features)
    # Without an argument, a row does not count as its own neighbour.
    near: IntArray = search.kneighbors(return_distance=False)
    return near
