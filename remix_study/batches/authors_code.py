"""Samplers as the authors' published code has them, where it differs from the paper."""

from __future__ import annotations

import numpy as np

from remix_study.batches.class_groups import (
    NEIGHBOURS,
    ClassGroups,
    draw_smote_rows,
    group_by_class,
)
from remix_study.batches.training_rows import (
    DrawnRows,
    IntArray,
    MemberStreams,
    TrainingRows,
    unblended,
)

SMALLEST_FOR_SMOTE = 3
"""Rows of a batch's smallest class below which its SMOTE becomes random oversampling."""


def balanced_repo(streams: MemberStreams, training: TrainingRows, batch_size: int) -> DrawnRows:
    """Enlarge each class to the batch's largest by repetition, then draw B rows with replacement.

    Classes of a batch are equal on average only, and a row that was repeated by chance is drawn
    more often. A class missing from the batch stays missing.
    """
    rng = streams.generator()
    batches = streams.batches
    groups = group_by_class(batches, training.y, training.n_classes)
    size, _ = _enlarged_sizes(groups)
    places = rng.integers(size[:, None], size=(len(size), batch_size))
    slots, offset = _locate(groups, places)
    # An enlarged batch is made once: a place that is drawn twice holds the same row.
    repeated = np.flatnonzero(offset >= groups.count.ravel()[slots])
    key = slots[repeated] * (batch_size + 1) + offset[repeated]
    _, first_use, inverse = np.unique(key, return_index=True, return_inverse=True)
    offset[repeated] = rng.integers(groups.count.ravel()[slots[repeated][first_use]])[inverse]
    return unblended(groups.rows[groups.start[slots] + offset].reshape(places.shape))


def smote_repo(streams: MemberStreams, training: TrainingRows, batch_size: int) -> DrawnRows:
    """Enlarge each class to the batch's largest by SMOTE, then cut to B rows at random.

    k = min(5, m - 1), where m is the size of the smallest class present and k holds for all.
    With m below 3 all classes are enlarged by repetition instead. A batch of one class is left
    as it is.
    """
    rng = streams.generator()
    batches = streams.batches
    groups = group_by_class(batches, training.y, training.n_classes)
    size, smallest = _enlarged_sizes(groups)
    places = np.stack([rng.choice(n, batch_size, replace=False) for n in size])
    slots, offset = _locate(groups, places)
    most = np.where(smallest < SMALLEST_FOR_SMOTE, 0, np.minimum(smallest - 1, NEIGHBOURS))
    most = most[slots // training.n_classes]
    drawn = draw_smote_rows(rng, training, groups, slots, offset, most)
    return drawn.at(np.arange(places.size).reshape(places.shape))


def _enlarged_sizes(groups: ClassGroups) -> tuple[IntArray, IntArray]:
    """Rows of each enlarged batch, and rows of its smallest class before: (steps,) each."""
    largest = groups.count.max(axis=1)
    present = groups.count > 0
    smallest = np.where(present, groups.count, largest[:, None]).min(axis=1)
    return largest * present.sum(axis=1), smallest


def _locate(groups: ClassGroups, places: IntArray) -> tuple[IntArray, IntArray]:
    """Group and position in it of places (steps, batch) in enlarged batches, flattened.

    An enlarged batch holds its classes one after the other, each as large as the largest.
    """
    steps, n_classes = groups.count.shape
    rank, offset = np.divmod(places, groups.count.max(axis=1)[:, None])
    # The present classes of each batch first, in the order of their codes.
    order = np.argsort(groups.count == 0, axis=1, kind="stable")
    code = np.take_along_axis(order, rank, axis=1)
    slots = code + np.arange(steps)[:, None] * n_classes
    return slots.ravel(), offset.ravel()
