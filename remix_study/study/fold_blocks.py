"""Blocks of folds that train together: all, whole repeats, or one outer fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remix_study.data.folds import Fold

Blocks = tuple[tuple[int, ...], ...]
"""Positions of folds that train together, block by block."""

MIN_FOLDS = 5
"""Fewest folds of a block: with fewer, no signed-rank test can reach 5 %."""


def blocks_of(folds: Sequence[Fold], *, is_outer: bool, prune: bool) -> Blocks:
    """The blocks of a task, in the order in which they train: outer folds one by one, repeats
    where a trial may be pruned between them, else all folds at once."""
    if is_outer:
        return by_fold(folds)
    return by_repeat(folds) if prune else (tuple(range(len(folds))),)


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
