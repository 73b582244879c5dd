"""Dropout masks, a function of a member's seed and the epoch alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Four 16-bit numbers come from one 64-bit draw.
_PER_DRAW = 4
# Plans of the same seed and epoch draw from streams of other numbers.
_MASKS = 3


class EpochMasks:
    """The masks of one epoch, drawn chunk by chunk.

    Each member has a stream of its own, seeded by its seed and the epoch, so its masks depend
    neither on its place in the stack nor on how long a chunk is. SFC64 draws twice as fast as
    Philox, and masks are most of what a dense network is fed.
    """

    def __init__(self, seeds: list[int], epoch: int, values_per_step: int) -> None:
        """Open the streams; a step needs ``values_per_step`` = batch * units values a member."""
        self._values = values_per_step
        self._draws = -(-values_per_step // _PER_DRAW)
        self._streams = [
            np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, epoch, _MASKS])))
            for seed in seeds
        ]

    def draw(self, steps: int, out: NDArray[np.uint16]) -> None:
        """Fill the first ``steps`` of ``out``, uint16 (M, chunk, values_per_step)."""
        if self._values == 0:
            return
        for member, stream in enumerate(self._streams):
            draws = stream.integers(0, 2**64, (steps, self._draws), np.uint64)
            out[member, :steps] = draws.view(np.uint16)[:, : self._values]
