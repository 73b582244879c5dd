"""Nearest neighbours for SMOTE, of many small groups of rows at once."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5
"""k of SMOTE (Chawla et al. 2002); a group of n rows uses min(k, n - 1)."""

_BLOCK_BYTES = 1 << 22


class FeatureRows(Protocol):
    """Features by row: an array, or images that are decoded when they are indexed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""

    def __getitem__(self, rows: NDArray[np.intp], /) -> NDArray[Any]:
        """Features at positions of shape (...): an array (..., *shape of a row)."""


def nearest_neighbours(
    features: FeatureRows,
    rows: NDArray[np.intp],
    start: NDArray[np.intp],
    count: NDArray[np.intp],
    k: int = NEIGHBOURS,
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
        points = features[rows[start[part, None] + np.where(is_row, place, 0)]].astype(np.float64)
        points = points.reshape(*is_row.shape, width)
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
