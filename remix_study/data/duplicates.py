"""Rows of a problem that are equal: a test row that was trained on is no test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remix_study.data.folds import Fold
from remix_study.data.problems import Problem


def duplicate_notes(problem: Problem, folds: Sequence[Fold]) -> list[str]:
    """A note if test rows have all features of a training row of their split, with counts.

    Counted are the splits of the first repetition, in which every row is tested once.
    """
    X = problem.dataset.X
    hashes = np.array([hash(X[row].tobytes()) for row in problem.rows], dtype=np.int64)
    codes = np.unique(hashes, return_inverse=True)[1]
    if codes.max() + 1 == len(codes):
        return []
    n_tested = n_equal = 0
    for fold in folds:
        if fold.repeat == 0:
            n_tested += len(fold.test)
            n_equal += int(np.isin(codes[fold.test], codes[fold.train]).sum())
    if not n_equal:
        return []
    return [
        f"{problem.name}: {n_equal:,} of {n_tested:,} test rows have the same features as a "
        "training row of their split; if they are copies, scores are too good: remove them, or "
        "keep them together with groups and cv.grouped = true"
    ]
