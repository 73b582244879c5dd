"""Random numbers of the training step: dropout masks, and seeds of random transformations.

Each member draws from streams of its own, seeded by the member's seed and the epoch, so that its
numbers depend neither on its place in a stack nor on the members beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Last part of a seed sequence; batch plans draw from other generators.
_MASK_STREAM = 3
_AUGMENTATION_STREAM = 4
# Four 16-bit numbers come from one 64-bit draw.
_VALUES_PER_DRAW = 4


class EpochMasks:
    """The dropout masks of one epoch, drawn chunk by chunk.

    They do not depend on how long a chunk is. SFC64 draws twice as fast as Philox, and masks are
    most of the random numbers that a dense network needs.
    """

    def __init__(self, seeds: Sequence[int], epoch: int, values_per_step: int) -> None:
        """Open one stream a member; a step needs ``values_per_step`` = batch * units values."""
        self._values = values_per_step
        self._draws = -(-values_per_step // _VALUES_PER_DRAW)
        self._streams = [
            np.random.Generator(
                np.random.SFC64(np.random.SeedSequence([seed, epoch, _MASK_STREAM]))
            )
            for seed in seeds
        ]

    def draw(self, steps: int, out: NDArray[np.uint16]) -> None:
        """Fill the first ``steps`` of ``out``, uint16 (M, chunk, values_per_step)."""
        if self._values == 0:
            return
        for member, stream in enumerate(self._streams):
            draws = stream.integers(0, 2**64, (steps, self._draws), np.uint64)
            out[member, :steps] = draws.view(np.uint16)[:, : self._values]


def augmentation_seeds(
    seeds: Sequence[int], epoch: int, steps: int, generators: int | None, uses: int = 2
) -> NDArray[np.uint32]:
    """Draw the seeds of an epoch's random image transformations.

    Two uses of a row in one step are transformed differently.

    Args:
        seeds: Seeds of the M members.
        epoch: Number of the epoch, from 0.
        steps: Steps of the epoch.
        generators: Random generators to seed; None where nothing is transformed.
        uses: Rows that each training row is blended from, one or two; the seeds of the first are
            the same in both cases.

    Returns:
        uint32 (steps, M, uses, generators, 2); (steps, M, 0, 0, 2) where ``generators`` is None.
    """
    if generators is None:
        return np.zeros((steps, len(seeds), 0, 0, 2), np.uint32)
    shape = (steps, 2, generators, 2)
    streams = (np.random.default_rng([seed, epoch, _AUGMENTATION_STREAM]) for seed in seeds)
    draws = [stream.integers(0, 2**32, shape, np.uint32) for stream in streams]
    return np.stack(draws, axis=1)[:, :, :uses]
