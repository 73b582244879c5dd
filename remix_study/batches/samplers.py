"""Samplers: how the rows of a mini-batch are drawn.

A sampler plans all batches of one epoch of one member at once. It sees the member's own training
rows and nothing else, and answers in positions among those rows. The words of the paper: a
*natural* batch is a slice of a random order of the training rows; a class's *quota* is its share
B/C of a batch of B rows that holds C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.smote import nearest_neighbours

IntArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """What a sampler may see of a member: its own inner training part.

    Attributes:
        rows: (n,) int32 positions in the problem's rows.
        y: (n,) int32 class codes.
        n_classes: Number of classes K of the problem, whether or not all are present.
        features: Answers the (n, d) float32 preprocessed features; only ``smote`` asks.
    """

    rows: NDArray[np.int32]
    y: NDArray[np.int32]
    n_classes: int
    features: Callable[[], NDArray[np.float32]]


class Drawn(NamedTuple):
    """One epoch of drawn rows, before mixing; each array is (steps, batch).

    ``first`` and ``second`` are positions among the training rows, ``weight`` is float32: a row
    is ``weight * X[first] + (1 - weight) * X[second]``. Both rows are of one class.
    """

    first: IntArray
    second: IntArray
    weight: NDArray[np.float32]


Sampler = Callable[[np.random.Generator, TrainingRows, int], Drawn]


def natural(rng: np.random.Generator, training: TrainingRows, batch_size: int) -> Drawn:
    """A random order of the training rows, cut into batches; the last partial one is dropped."""
    return _plain(_shuffled(rng, len(training.rows), batch_size))


def balanced(rng: np.random.Generator, training: TrainingRows, batch_size: int) -> Drawn:
    """Algorithm 1, lines 1-3: B/C rows of each class present in the natural batch.

    They are drawn with replacement from that batch. A class missing from the batch is not made
    up for; the remainder of B/C goes to classes drawn at random.
    """
    batches = _shuffled(rng, len(training.rows), batch_size)
    cells = _group(batches, training.y, training.n_classes)
    slots = _slots(_quotas(rng, cells.count > 0, batch_size))
    return _plain(_draw(rng, cells, slots).reshape(batches.shape), shuffle=rng)


def balanced_dataset(rng: np.random.Generator, training: TrainingRows, batch_size: int) -> Drawn:
    """B/C rows of each class of the training rows, drawn with replacement from all of them.

    Unlike ``balanced``, no batch lacks a class as long as the batch is as large as C.
    """
    steps = len(training.rows) // batch_size
    cells = _group(np.arange(len(training.rows))[None], training.y, training.n_classes)
    present = np.broadcast_to(cells.count > 0, (steps, training.n_classes))
    slots = _slots(_quotas(rng, present, batch_size)) % training.n_classes
    return _plain(_draw(rng, cells, slots).reshape(steps, batch_size), shuffle=rng)


def smote(rng: np.random.Generator, training: TrainingRows, batch_size: int) -> Drawn:
    """SMOTE in the batch: each class present is brought to its quota B/C.

    A smaller class is kept whole and filled up by SMOTE (Chawla et al. 2002): a row drawn
    uniformly, one of its k = min(5, n - 1) nearest rows of the class in the batch, and a gap
    from U(0, 1); by repetition where the batch holds one row of it. A larger class is cut down
    without replacement.
    """
    batches = _shuffled(rng, len(training.rows), batch_size)
    cells = _group(batches, training.y, training.n_classes)
    quota = _quotas(rng, cells.count > 0, batch_size)
    slots = _slots(quota)
    place = np.arange(len(slots)) - (np.cumsum(quota) - quota.ravel())[slots]
    count = cells.count.ravel()[slots]

    # A cell's rows stand in the random order of the epoch, so its first rows are a fair cut.
    offset = place.copy()
    made = np.flatnonzero(place >= count)
    offset[made] = rng.integers(count[made])
    first = cells.rows[cells.start[slots] + offset]
    second = first.copy()
    weight = np.ones(len(slots), np.float32)

    blended = made[count[made] > 1]
    if len(blended):
        used, inverse = np.unique(slots[blended], return_inverse=True)
        near = nearest_neighbours(
            training.features(), cells.rows, cells.start[used], cells.count.ravel()[used]
        )
        rank = rng.integers(np.minimum(near.shape[2], count[blended] - 1))
        other = near[inverse, offset[blended], rank]
        second[blended] = cells.rows[cells.start[slots[blended]] + other]
        weight[blended] = 1.0 - rng.random(len(blended))

    order = rng.permuted(np.arange(batches.size).reshape(batches.shape), axis=1)
    return Drawn(first[order], second[order], weight[order])


SAMPLERS: dict[str, Sampler] = {
    "natural": natural,
    "balanced": balanced,
    "balanced-dataset": balanced_dataset,
    "smote": smote,
}


@dataclass(frozen=True, eq=False)
class _Cells:
    """Rows grouped by (batch, class): cell i is ``count.flat[i]`` rows from ``start[i]`` on."""

    rows: IntArray  # (steps * batch,)
    start: IntArray  # (steps * K,)
    count: IntArray  # (steps, K)


def _shuffled(rng: np.random.Generator, n_rows: int, batch_size: int) -> IntArray:
    steps = n_rows // batch_size
    return rng.permutation(n_rows)[: steps * batch_size].reshape(steps, batch_size)


def _plain(first: IntArray, shuffle: np.random.Generator | None = None) -> Drawn:
    if shuffle is not None:
        # Sorted by class, halves of a batch would differ where a framework splits it.
        first = shuffle.permuted(first, axis=1)
    return Drawn(first, first, np.ones(first.shape, np.float32))


def _group(batches: IntArray, y: NDArray[np.int32], n_classes: int) -> _Cells:
    steps = len(batches)
    cell = (y[batches] + np.arange(steps)[:, None] * n_classes).ravel()
    count = np.bincount(cell, minlength=steps * n_classes)
    rows = batches.ravel()[np.argsort(cell, kind="stable")]
    return _Cells(rows, np.cumsum(count) - count, count.reshape(steps, n_classes))


def _quotas(rng: np.random.Generator, present: NDArray[np.bool_], batch_size: int) -> IntArray:
    """Share a batch among the classes present: (steps, K), each row adds up to the batch."""
    n_present = present.sum(axis=1, keepdims=True)
    lot = np.where(present, rng.random(present.shape), 2.0)
    rank = np.argsort(np.argsort(lot, axis=1), axis=1)
    quota: IntArray = batch_size // n_present + (rank < batch_size % n_present)
    return np.where(present, quota, 0)


def _slots(quota: IntArray) -> IntArray:
    """The cell of every place of every batch, batch after batch: (steps * batch,)."""
    return np.repeat(np.arange(quota.size), quota.ravel())


def _draw(rng: np.random.Generator, cells: _Cells, slots: IntArray) -> IntArray:
    """One row of its cell for every place, with replacement."""
    offset = rng.integers(cells.count.ravel()[slots])
    drawn: IntArray = cells.rows[cells.start[slots] + offset]
    return drawn
