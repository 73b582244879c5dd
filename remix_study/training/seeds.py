"""Seeds of random transformations, a function of a member's seed, the epoch and the step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Plans and masks of the same seed and epoch draw from streams of other numbers.
_TRANSFORMATIONS = 4


def epoch_seeds(
    seeds: Sequence[int], epoch: int, steps: int, generators: int | None, uses: int = 2
) -> NDArray[np.uint32]:
    """Draw the seeds of one epoch.

    Each member has a stream of its own, so its images are transformed alike whatever it is
    trained beside, and two uses of a row in one step are transformed apart.

    Args:
        seeds: Of the M members.
        epoch: 0 for the first.
        steps: Steps of the epoch.
        generators: Random generators to seed; None where nothing is transformed.
        uses: Rows that each training row is made of, two or one; the first draws alike in both.

    Returns:
        uint32 (steps, M, uses, generators, 2); no use where ``generators`` is None.
    """
    if generators is None:
        return np.zeros((steps, len(seeds), 0, 0, 2), np.uint32)
    shape = (steps, 2, generators, 2)
    drawn = [
        np.random.default_rng([seed, epoch, _TRANSFORMATIONS]).integers(0, 2**32, shape, np.uint32)
        for seed in seeds
    ]
    return np.stack(drawn, axis=1)[:, :, :uses]
