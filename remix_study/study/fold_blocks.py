"""Blocks of folds that train together: all, whole repeats, one outer fold, or one share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remix_study.data.folds import Fold

Blocks = tuple[tuple[int, ...], ...]
"""Positions of folds that train together, block by block."""

MIN_FOLDS = 5
"""Fewest folds of a block: with fewer, no signed-rank test can reach 5 %."""


def all_folds(folds: Sequence[Fold]) -> Blocks:
    """One block of all folds."""
    return (tuple(range(len(folds))),)


def by_repeat(folds: Sequence[Fold]) -> Blocks:
    """Group the positions of folds into blocks of whole repeats, the larger blocks first."""
    repeats = list(dict.fromkeys(fold.repeat for fold in folds))
    count = min(len(repeats), max(1, len(folds) // MIN_FOLDS))
    return tuple(
        tuple(at for at, fold in enumerate(folds) if fold.repeat in set(block.tolist()))
        for block in np.array_split(np.array(repeats), count)
    )


def by_fold(folds: Sequence[Fold]) -> Blocks:
    """Group the positions of folds by number, each with its repeats."""
    numbers = dict.fromkeys(fold.fold for fold in folds)
    return tuple(
        tuple(at for at, fold in enumerate(folds) if fold.fold == number) for number in numbers
    )


def by_share(folds: Sequence[Fold]) -> Blocks:
    """Group the positions of folds that come once for every share of the rare rows, by share."""
    n = len({(fold.repeat, fold.fold) for fold in folds})
    return tuple(tuple(range(start, start + n)) for start in range(0, len(folds), n))
