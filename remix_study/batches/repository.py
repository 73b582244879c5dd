"""Samplers as the authors' public repository has them, where it differs from the paper."""

from __future__ import annotations

import numpy as np

from remix_study.batches.cells import (
    Cells,
    Drawn,
    IntArray,
    Streams,
    TrainingRows,
    between,
    group,
    plain,
    shuffled,
)
from remix_study.batches.smote import NEIGHBOURS

FEWEST = 3
"""Rows of the smallest class in a batch, below which its SMOTE becomes random oversampling."""


def balanced_repo(streams: Streams, training: TrainingRows, batch_size: int) -> Drawn:
    """Each class present grown to the batch's largest by repetition, then B rows with replacement.

    So the classes of a batch are equal on average only, and a row that was repeated by chance is
    drawn more often. A class missing from the batch is not made up for.
    """
    rng = streams.epoch
    cells = group(shuffled(rng, len(training.rows), batch_size), training.y, training.n_classes)
    size, _ = _grown(cells)
    places = rng.integers(size[:, None], size=(len(size), batch_size))
    slots, offset = _look_up(cells, places)
    # A grown batch is drawn once: whoever draws one of its places twice meets the same row.
    made = np.flatnonzero(offset >= cells.count.ravel()[slots])
    key = slots[made] * (batch_size + 1) + offset[made]
    _, known, again = np.unique(key, return_index=True, return_inverse=True)
    offset[made] = rng.integers(cells.count.ravel()[slots[made][known]])[again]
    return plain(cells.rows[cells.start[slots] + offset].reshape(places.shape))


def smote_repo(streams: Streams, training: TrainingRows, batch_size: int) -> Drawn:
    """Each class present grown to the batch's largest by SMOTE, then cut to B rows at random.

    k = min(5, m - 1), where m is the size of the smallest class present and k holds for all.
    With m below 3 all classes are grown by repetition instead. A batch of one class is left as
    it is.
    """
    rng = streams.epoch
    cells = group(shuffled(rng, len(training.rows), batch_size), training.y, training.n_classes)
    size, fewest = _grown(cells)
    places = np.stack([rng.choice(n, batch_size, replace=False) for n in size])
    slots, offset = _look_up(cells, places)
    made = np.flatnonzero(offset >= cells.count.ravel()[slots])
    offset[made] = rng.integers(cells.count.ravel()[slots[made]])
    first = cells.rows[cells.start[slots] + offset]
    second, weight = first.copy(), np.ones(len(slots), np.float32)

    most = np.where(fewest < FEWEST, 0, np.minimum(fewest - 1, NEIGHBOURS))
    limit = most[slots[made] // training.n_classes]
    blended = made[limit > 0]
    if len(blended):
        second[blended], weight[blended] = between(
            rng,
            training.features(),
            cells,
            slots[blended],
            offset[blended],
            limit[limit > 0],
        )
    shape = places.shape
    return Drawn(first.reshape(shape), second.reshape(shape), weight.reshape(shape))


def _grown(cells: Cells) -> tuple[IntArray, IntArray]:
    """Rows of each batch once every class in it is as large as the largest, and the smallest."""
    largest = cells.count.max(axis=1)
    present = cells.count > 0
    smallest = np.where(present, cells.count, largest[:, None]).min(axis=1)
    return largest * present.sum(axis=1), smallest


def _look_up(cells: Cells, places: IntArray) -> tuple[IntArray, IntArray]:
    """Cell and place in it of places (steps, batch) in grown batches, class after class."""
    steps, n_classes = cells.count.shape
    rank, offset = np.divmod(places, cells.count.max(axis=1)[:, None])
    # The present classes of each batch first, in the order of their codes.
    order = np.argsort(cells.count == 0, axis=1, kind="stable")
    code = np.take_along_axis(order, rank, axis=1)
    slots = code + np.arange(steps)[:, None] * n_classes
    return slots.ravel(), offset.ravel()
