"""Rows of each batch grouped by class, and draws from the groups of all batches at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.nominal import NominalFeatures
from remix_study.batches.training_rows import DrawnRows, FeatureRows, IntArray, TrainingRows

NEIGHBOURS = 5
"""k of SMOTE (Chawla et al. 2002); a group of n rows uses min(k, n - 1)."""

_BLOCK_BYTES = 1 << 22


def nearest_neighbours(
    features: FeatureRows,
    rows: NDArray[np.intp],
    start: NDArray[np.intp],
    count: NDArray[np.intp],
    k: int = NEIGHBOURS,
    nominal: NominalFeatures | None = None,
    grid: int = 0,
) -> NDArray[np.intp]:
    """Find each row's nearest other rows of its own group, by Euclidean distance.

    Groups are padded to the largest and computed as whole arrays. The order of equally near rows
    is arbitrary but always the same.

    Args:
        features: (n, d) or (n, ...), without missing values; only the groups' rows are read.
        rows: Row numbers into ``features``, group after group.
        start: (G,) first entry of ``rows`` of each group.
        count: (G,) rows of each group, at least 2.
        k: Neighbours of each row.
        nominal: Nominal features, which count as in :meth:`NominalFeatures.points`.
        grid: Steps of a grid for each unit of a feature, to which features are rounded, so that
            distances are exact; 0 for none.

    Returns:
        (G, m, k') positions within the group, nearest first, where m is the size of the largest
        group and k' = min(k, m - 1). Of a group of n rows only ``[:n, : n - 1]`` is defined.
    """
    largest = int(count.max())
    k = min(k, largest - 1)
    width = int(np.prod(features.shape[1:]))
    place = np.arange(largest)
    near = np.empty((len(count), largest, k), np.intp)
    block = max(1, _BLOCK_BYTES // (8 * largest * (width + largest)))
    for low in range(0, len(count), block):
        part = slice(low, low + block)
        is_row = place < count[part, None]
        # Padding repeats the group's first row, which is cheap to gather, and is masked below.
        # float64 keeps the squares of any two different float32 rows of like size apart.
        present = rows[start[part, None] + np.where(is_row, place, 0)]
        points = features[present].astype(np.float64).reshape(*is_row.shape, width)
        if grid:
            points = np.rint(points * grid)
        if nominal:
            points = nominal.points(points, present, is_row)
        square = np.einsum("gmd,gmd->gm", points, points)
        # Without the row's own square, which shifts all distances of the row alike.
        distance = square[:, None, :] - 2.0 * (points @ points.transpose(0, 2, 1))
        distance[:, place, place] = np.inf
        distance[np.broadcast_to(~is_row[:, None, :], distance.shape)] = np.inf
        for rank in range(k):
            nearest = distance.argmin(axis=2)
            near[part, :, rank] = nearest
            np.put_along_axis(distance, nearest[:, :, None], np.inf, axis=2)
    return near


@dataclass(frozen=True, eq=False)
class ClassGroups:
    """Rows grouped by (batch, class), batch after batch.

    Group g, the rows of class ``g % K`` in batch ``g // K``, is ``count.flat[g]`` entries of
    ``rows`` from ``start[g]`` on.

    Attributes:
        rows: (steps * batch,) positions among the training rows.
        start: (steps * K,) first entry of each group.
        count: (steps, K) size of each group.
    """

    rows: IntArray
    start: IntArray
    count: IntArray


def group_by_class(batches: IntArray, y: NDArray[np.int32], n_classes: int) -> ClassGroups:
    """Group the rows of each batch by class; within a group they keep their order.

    Args:
        batches: (steps, batch) positions among the training rows.
        y: (n,) class codes of the training rows.
        n_classes: Number of classes K.
    """
    steps = len(batches)
    group = (y[batches] + np.arange(steps)[:, None] * n_classes).ravel()
    count = np.bincount(group, minlength=steps * n_classes)
    rows = batches.ravel()[np.argsort(group, kind="stable")]
    return ClassGroups(rows, np.cumsum(count) - count, count.reshape(steps, n_classes))


def draw_smote_rows(
    rng: np.random.Generator,
    training: TrainingRows,
    groups: ClassGroups,
    slots: IntArray,
    offset: IntArray,
    most: IntArray | int = NEIGHBOURS,
) -> DrawnRows:
    """Draw one row for each slot; those beyond the slot's group by SMOTE (Chawla et al. 2002).

    Args:
        rng: Draws rows to start from, then neighbours, then gaps from U(0, 1).
        training: The member's rows.
        groups: Rows by batch and class.
        slots: (m,) the group of each slot.
        offset: (m,) position within the group; a row beyond its end is synthetic.
        most: k, for all or for each slot; a group of n rows has at most n - 1 neighbours. Where
            there is none, a synthetic row repeats a row of the group.

    Returns:
        Rows of shape (m,), neighbours (m, ``NEIGHBOURS``).
    """
    count = groups.count.ravel()[slots]
    synthetic = np.flatnonzero(offset >= count)
    offset = offset.copy()
    offset[synthetic] = rng.integers(count[synthetic])
    first = groups.rows[groups.start[slots] + offset]
    second, weight = first.copy(), np.ones(len(slots), np.float32)
    neighbours = None if training.nominal is None else np.full((len(slots), NEIGHBOURS), -1)
    limit = np.minimum(most, count - 1)
    blended = synthetic[limit[synthetic] > 0]
    if len(blended):
        used, inverse = np.unique(slots[blended], return_inverse=True)
        parts = groups.rows, groups.start[used], groups.count.ravel()[used]
        near = nearest_neighbours(training.features(), *parts, nominal=training.nominal)
        places = groups.start[slots[blended], None] + near[inverse, offset[blended]]
        # Past the neighbours of a small group a place may be none.
        rows, k = groups.rows.take(places, mode="clip"), near.shape[2]
        second[blended] = rows[np.arange(len(rows)), rng.integers(limit[blended])]
        weight[blended] = 1.0 - rng.random(len(blended))
        if neighbours is not None:
            neighbours[blended, :k] = np.where(np.arange(k) < limit[blended, None], rows, -1)
    return DrawnRows(first, second, weight, neighbours)
