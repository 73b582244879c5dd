"""The nearest neighbours that SMOTE needs, of many small groups of rows at once."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5
"""k of SMOTE; a group of n rows uses min(k, n - 1)."""

_BLOCK_BYTES = 1 << 22


class Rows(Protocol):
    """Numbers by row: an array, or images that become numbers when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""

    def __getitem__(self, rows: NDArray[np.intp], /) -> NDArray[Any]:
        """The rows at positions of any shape, which comes before the shape of a row."""


def nearest_neighbours(
    features: Rows,
    rows: NDArray[np.intp],
    start: NDArray[np.intp],
    count: NDArray[np.intp],
    k: int = NEIGHBOURS,
) -> NDArray[np.intp]:
    """Find each row's nearest other rows of its own group, by Euclidean distance.

    Groups are padded to the largest and worked on as whole arrays. Equally near rows come in any
    order, the same one every time.

    Args:
        features: (n, d) or (n, ...), no missing value; only the groups' rows are asked for.
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
    width = int(np.prod(features.shape[1:]))
    place = np.arange(largest)
    near = np.empty((len(count), largest, k), np.intp)
    block = max(1, _BLOCK_BYTES // (8 * largest * (width + largest)))
    for low in range(0, len(count), block):
        part = slice(low, low + block)
        real = place < count[part, None]
        # A pad repeats the group's first row: it costs nothing to gather and is masked below.
        # In float64 the squares below still tell any two float32 rows of like size apart.
        points = features[rows[start[part, None] + np.where(real, place, 0)]].astype(np.float64)
        points = points.reshape(*real.shape, width)
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
