"""Folds in blocks: trained together, and looked at before the next block begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remix_study.data.folds import Fold

FEWEST = 5
"""Folds of a block: with fewer, no difference in signs could be told from chance at 5 %."""


def by_repeat(folds: Sequence[Fold]) -> tuple[tuple[int, ...], ...]:
    """Positions of the folds in blocks of whole repeats, the larger blocks first."""
    repeats = list(dict.fromkeys(fold.repeat for fold in folds))
    count = min(len(repeats), max(1, len(folds) // FEWEST))
    return tuple(
        tuple(at for at, fold in enumerate(folds) if fold.repeat in set(part.tolist()))
        for part in np.array_split(np.array(repeats), count)
    )


def by_fold(folds: Sequence[Fold]) -> tuple[tuple[int, ...], ...]:
    """Positions of the folds, those of the same number in all repeats together."""
    numbers = dict.fromkeys(fold.fold for fold in folds)
    return tuple(
        tuple(at for at, fold in enumerate(folds) if fold.fold == number) for number in numbers
    )
