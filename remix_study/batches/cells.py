"""What samplers are made of: a member's rows, its random streams, rows grouped by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.smote import NEIGHBOURS, Rows, nearest_neighbours

IntArray = NDArray[np.intp]

DRAWING, MIXING, ONCE = 1, 2, 3
"""What a stream of draws is for. Mixing has one of its own, so that all samplers at one alpha
share their lambdas, and so has what is made once for a member; none may be 0, which would be lost
at the end of a seed sequence."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """What a sampler may see of a member: its own inner training part.

    Attributes:
        rows: (n,) int32 positions in the problem's rows.
        y: (n,) int32 class codes.
        n_classes: Number of classes K of the problem, whether or not all are present.
        features: Answers the float32 preprocessed features by row, (n, d) or (n, ...); only
            SMOTE asks.
        kept: What a sampler makes once for a member, by sampler and seed.
    """

    rows: NDArray[np.int32]
    y: NDArray[np.int32]
    n_classes: int
    features: Callable[[], Rows]
    kept: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Streams:
    """A member's random draws.

    Attributes:
        epoch: New in every epoch.
        seed: The member's seed.
    """

    epoch: np.random.Generator
    seed: int

    @property
    def member(self) -> np.random.Generator:
        """Begins the same in every epoch; made when asked for, as few samplers ask."""
        return np.random.default_rng([self.seed, 0, ONCE])


class Drawn(NamedTuple):
    """One epoch of drawn rows, before mixing; each array is (steps, batch).

    ``first`` and ``second`` are positions among the training rows, ``weight`` is float32: a row
    is ``weight * X[first] + (1 - weight) * X[second]``. Both rows are of one class.
    """

    first: IntArray
    second: IntArray
    weight: NDArray[np.float32]


Sampler = Callable[[Streams, TrainingRows, int], Drawn]


@dataclass(frozen=True, eq=False)
class Cells:
    """Rows grouped by (batch, class): cell i is ``count.flat[i]`` rows from ``start[i]`` on."""

    rows: IntArray  # (steps * batch,)
    start: IntArray  # (steps * K,)
    count: IntArray  # (steps, K)


def shuffled(rng: np.random.Generator, n_rows: int, batch_size: int) -> IntArray:
    """A random order of the rows cut into whole batches: (steps, batch)."""
    steps = n_rows // batch_size
    return rng.permutation(n_rows)[: steps * batch_size].reshape(steps, batch_size)


def plain(first: IntArray, shuffle: np.random.Generator | None = None) -> Drawn:
    """Rows as they are, each batch put in random order where ``shuffle`` is given."""
    if shuffle is not None:
        # Sorted by class, halves of a batch would differ where a framework splits it.
        first = shuffle.permuted(first, axis=1)
    return Drawn(first, first, np.ones(first.shape, np.float32))


def group(batches: IntArray, y: NDArray[np.int32], n_classes: int) -> Cells:
    """Group the rows of each batch by class; within a cell they keep their order."""
    steps = len(batches)
    cell = (y[batches] + np.arange(steps)[:, None] * n_classes).ravel()
    count = np.bincount(cell, minlength=steps * n_classes)
    rows = batches.ravel()[np.argsort(cell, kind="stable")]
    return Cells(rows, np.cumsum(count) - count, count.reshape(steps, n_classes))


def quotas(rng: np.random.Generator, present: NDArray[np.bool_], batch_size: int) -> IntArray:
    """Share a batch among the classes present: (steps, K), each row adds up to the batch."""
    n_present = present.sum(axis=1, keepdims=True)
    lot = np.where(present, rng.random(present.shape), 2.0)
    rank = np.argsort(np.argsort(lot, axis=1), axis=1)
    quota: IntArray = batch_size // n_present + (rank < batch_size % n_present)
    return np.where(present, quota, 0)


def slots_of(quota: IntArray) -> IntArray:
    """The cell of every place of every batch, batch after batch: (steps * batch,)."""
    return np.repeat(np.arange(quota.size), quota.ravel())


def draw(rng: np.random.Generator, cells: Cells, slots: IntArray) -> IntArray:
    """One row of its cell for every place, with replacement."""
    offset = rng.integers(cells.count.ravel()[slots])
    drawn: IntArray = cells.rows[cells.start[slots] + offset]
    return drawn


def between(
    rng: np.random.Generator,
    features: Rows,
    cells: Cells,
    slots: IntArray,
    offset: IntArray,
    most: IntArray | int = NEIGHBOURS,
) -> tuple[IntArray, NDArray[np.float32]]:
    """SMOTE's other half (Chawla et al. 2002): a near row of the cell, and how far to go to it.

    Args:
        rng: Draws neighbours, then gaps from U(0, 1).
        features: (n, d) or (n, ...) of the training rows.
        cells: The groups.
        slots: (m,) the cell of each row to be made, of at least 2 rows.
        offset: (m,) place in its cell of the row that it is made from.
        most: k, for all or for each row; a cell of n rows gives at most n - 1 neighbours.

    Returns:
        (m,) the neighbours, and (m,) float32 weights of the rows that they are made from.
    """
    used, inverse = np.unique(slots, return_inverse=True)
    near = nearest_neighbours(features, cells.rows, cells.start[used], cells.count.ravel()[used])
    limit = np.minimum(np.minimum(near.shape[2], most), cells.count.ravel()[slots] - 1)
    other = near[inverse, offset, rng.integers(limit)]
    weight = (1.0 - rng.random(len(slots))).astype(np.float32)
    return cells.rows[cells.start[slots] + other], weight
