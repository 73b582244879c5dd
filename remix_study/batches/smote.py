"""The nearest neighbours that SMOTE needs, of many small groups of rows at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5
"""k of SMOTE; a group of n rows uses min(k, n - 1)."""

_BLOCK_BYTES = 1 << 22


def nearest_neighbours(
    features: NDArray[np.float32],
    rows: NDArray[np.intp],
    start: NDArray[np.intp],
    count: NDArray[np.intp],
    k: int = NEIGHBOURS,
) -> NDArray[np.intp]:
    """Find each row's nearest other rows of its own group, by Euclidean distance.

    Groups are padded to the largest and worked on as whole arrays. Equally near rows come in any
    order, the same one every time.

    Args:
        features: (n, d) or (n, ...), no missing value.
        rows: Row numbers into ``features``, group after group.
        start: (G,) where in ``rows`` each group begins.
        count: (G,) its rows, each at least 2.
        k: Neighbours wanted.

    Returns:
        (G, m, k') positions within the group, nearest first, where m is the largest group and
        k' = min(k, m - 1). Of a group of n rows only ``[:n, : n - 1]`` means anything.
    """
    largest = int(count.max())
    k = min(k, largest - 1)
    flat = features.reshape(len(features), -1)
    place = np.arange(largest)
    near = np.empty((len(count), largest, k), np.intp)
    block = max(1, _BLOCK_BYTES // (8 * largest * (flat.shape[1] + largest)))
    for low in range(0, len(count), block):
        part = slice(low, low + block)
        real = place < count[part, None]
        # A pad repeats the group's first row: it costs nothing to gather and is masked below.
        # In float64 the squares below still tell any two float32 rows of like size apart.
        points = flat[rows[start[part, None] + np.where(real, place, 0)]].astype(np.float64)
        square = np.einsum("gmd,gmd->gm", points, points)
        # The row's own square is left out: it moves all distances of the row alike.
        distance = square[:, None, :] - 2.0 * (points @ points.transpose(0, 2, 1))
        distance[:, place, place] = np.inf
        distance[np.broadcast_to(~real[:, None, :], distance.shape)] = np.inf
        for rank in range(k):
            nearest = distance.argmin(axis=2)
            near[part, :, rank] = nearest
            np.put_along_axis(distance, nearest[:, :, None], np.inf, axis=2)
    return near
