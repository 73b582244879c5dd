"""Samplers that balance the whole training part, as most people do, rather than each batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.cells import Drawn, IntArray, Streams, TrainingRows, plain
from remix_study.batches.smote import NEIGHBOURS


def undersample(streams: Streams, training: TrainingRows, batch_size: int) -> Drawn:
    """Batches of a training part in which every class is cut to the size of the smallest.

    The cut is made without replacement and anew for every pass, so that no row of a large class
    is lost for good. An epoch has as many batches as without it: floor(n / B), of as many passes
    as that takes; a batch may end one pass and begin the next.
    """
    rng, y = streams.epoch, training.y
    present = np.flatnonzero(np.bincount(y, minlength=training.n_classes))
    classes = [np.flatnonzero(y == code) for code in present]
    fewest = min(map(len, classes))
    wanted = len(y) // batch_size * batch_size
    passes = -(-wanted // (fewest * len(classes)))
    first = np.concatenate(
        [
            rng.permutation(
                np.concatenate([rng.choice(c, fewest, replace=False) for c in classes])
            )
            for _ in range(passes)
        ]
    )
    return plain(first[:wanted].reshape(-1, batch_size))


def smote_dataset(streams: Streams, training: TrainingRows, batch_size: int) -> Drawn:
    """SMOTE on the whole training part, before any batch is cut.

    Every class is brought to the size of the largest, its own rows kept, with the k = min(5,
    n - 1) nearest among all its training rows; a class of one row is repeated. The rows are made
    once for a member, as is usual. An epoch has floor(n / B) batches as without it: a random part
    of the enlarged rows, another one in every epoch.
    """
    key = "smote-dataset", streams.seed
    if key not in training.kept:
        training.kept[key] = _enlarged(streams.member, training)
    first, second, weight = training.kept[key]
    steps = len(training.rows) // batch_size
    chosen = streams.epoch.permutation(len(first))[: steps * batch_size].reshape(steps, -1)
    return Drawn(first[chosen], second[chosen], weight[chosen])


def _enlarged(
    rng: np.random.Generator, training: TrainingRows
) -> tuple[IntArray, IntArray, NDArray[np.float32]]:
    """All training rows, then those that SMOTE adds to them, as pairs and weights."""
    counts = np.bincount(training.y, minlength=training.n_classes)
    everything = np.arange(len(training.y))
    first, second = [everything], [everything]
    weight = [np.ones(len(everything))]
    for code in np.flatnonzero((counts > 0) & (counts < counts.max())):
        own = np.flatnonzero(training.y == code)
        added = int(counts.max() - len(own))
        base = rng.integers(len(own), size=added)
        first.append(own[base])
        if len(own) == 1:
            second.append(own[base])
            weight.append(np.ones(added))
            continue
        near = _neighbours(training, own)
        second.append(own[near[base, rng.integers(near.shape[1], size=added)]])
        weight.append(1.0 - rng.random(added))
    return (
        np.concatenate(first),
        np.concatenate(second),
        np.concatenate(weight).astype(np.float32),
    )


def _neighbours(training: TrainingRows, own: IntArray) -> IntArray:
    """Of each row of a class its k nearest others, as places in the class."""
    from sklearn.neighbors import NearestNeighbors

    rows = training.features()[own].reshape(len(own), -1)
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(own) - 1)).fit(rows)
    # Asked for no rows in particular, a row is not its own neighbour.
    near: IntArray = search.kneighbors(return_distance=False)
    return near
