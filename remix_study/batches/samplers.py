"""Samplers: how the rows of a mini-batch are drawn.

A sampler plans all batches of one epoch of one member at once. It sees the member's own training
rows and nothing else, and answers in positions among those rows. All give floor(n / B) batches of
B rows, so that strategies are compared at equal steps. The words of the paper: a *natural* batch
is a slice of a random order of the training rows; a class's *quota* is its share B/C of a batch
of B rows that holds C classes.
"""

from __future__ import annotations

import numpy as np

from remix_study.batches.cells import (
    Drawn,
    IntArray,
    Sampler,
    Streams,
    TrainingRows,
    between,
    draw,
    group,
    plain,
    quotas,
    shuffled,
    slots_of,
)
from remix_study.batches.repository import balanced_repo, smote_repo
from remix_study.batches.whole import smote_dataset, undersample

__all__ = ["BLENDING", "SAMPLERS", "Drawn", "IntArray", "Sampler", "TrainingRows"]


def natural(streams: Streams, training: TrainingRows, batch_size: int) -> Drawn:
    """A random order of the training rows, cut into batches; the last partial one is dropped."""
    return plain(shuffled(streams.epoch, len(training.rows), batch_size))


def balanced(streams: Streams, training: TrainingRows, batch_size: int) -> Drawn:
    """Algorithm 1, lines 1-3: B/C rows of each class present in the natural batch.

    They are drawn with replacement from that batch. A class missing from the batch is not made
    up for; the remainder of B/C goes to classes drawn at random.
    """
    rng = streams.epoch
    batches = shuffled(rng, len(training.rows), batch_size)
    cells = group(batches, training.y, training.n_classes)
    slots = slots_of(quotas(rng, cells.count > 0, batch_size))
    return plain(draw(rng, cells, slots).reshape(batches.shape), shuffle=rng)


def balanced_dataset(streams: Streams, training: TrainingRows, batch_size: int) -> Drawn:
    """B/C rows of each class of the training rows, drawn with replacement from all of them.

    Unlike ``balanced``, no batch lacks a class as long as the batch is as large as C.
    """
    rng, steps = streams.epoch, len(training.rows) // batch_size
    cells = group(np.arange(len(training.rows))[None], training.y, training.n_classes)
    present = np.broadcast_to(cells.count > 0, (steps, training.n_classes))
    slots = slots_of(quotas(rng, present, batch_size)) % training.n_classes
    return plain(draw(rng, cells, slots).reshape(steps, batch_size), shuffle=rng)


def smote(streams: Streams, training: TrainingRows, batch_size: int) -> Drawn:
    """SMOTE in the batch: each class present is brought to its quota B/C.

    A smaller class is kept whole and filled up by SMOTE (Chawla et al. 2002): a row drawn
    uniformly, one of its k = min(5, n - 1) nearest rows of the class in the batch, and a gap
    from U(0, 1); by repetition where the batch holds one row of it. A larger class is cut down
    without replacement.
    """
    rng = streams.epoch
    batches = shuffled(rng, len(training.rows), batch_size)
    cells = group(batches, training.y, training.n_classes)
    quota = quotas(rng, cells.count > 0, batch_size)
    slots = slots_of(quota)
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
        second[blended], weight[blended] = between(
            rng, training.features(), cells, slots[blended], offset[blended]
        )

    order = rng.permuted(np.arange(batches.size).reshape(batches.shape), axis=1)
    return Drawn(first[order], second[order], weight[order])


SAMPLERS: dict[str, Sampler] = {
    "natural": natural,
    "balanced": balanced,
    "balanced-dataset": balanced_dataset,
    "smote": smote,
    "undersample": undersample,
    "smote-dataset": smote_dataset,
    "balanced-repo": balanced_repo,
    "smote-repo": smote_repo,
}

BLENDING = ("smote", "smote-dataset", "smote-repo")
"""Samplers whose rows are blends of two rows already, so that nothing can be mixed with them."""
