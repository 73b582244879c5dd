"""Folds with fewer rare rows to train on, which show how a score grows with their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from remix_study.data.folds import Fold, Rows
from remix_study.data.problems import Problem
from remix_study.seeds import derive_seed

SHARES = (0.25, 0.5, 0.75)
"""Shares of each rare class's training rows that the methods are trained with once more."""


def with_fewer_rare_rows(
    problem: Problem, folds: Sequence[Fold], share: float, seed: int
) -> tuple[Fold, ...]:
    """The same folds with a share of each rare class's training rows.

    All other training rows stay, and the validation and test parts: every share is scored on the
    same rows. The rows of a smaller share are among those of a larger one, and no class loses its
    last row.

    Args:
        problem: Says which classes are rare.
        folds: Repeated cross-validation.
        share: In (0, 1].
        seed: The study's seed.
    """
    return tuple(replace(fold, train=_kept_rows(problem, fold, share, seed)) for fold in folds)


def _kept_rows(problem: Problem, fold: Fold, share: float, seed: int) -> Rows:
    rng = np.random.default_rng(
        derive_seed(seed, problem.name, fold.repeat, fold.fold, "rare rows")
    )
    classes = problem.y[fold.train]
    is_kept = np.ones(len(classes), bool)
    for code in sorted(problem.minority):
        rows = rng.permutation(np.flatnonzero(classes == code))
        is_kept[rows[max(1, round(share * len(rows))) :]] = False
    return fold.train[is_kept]
