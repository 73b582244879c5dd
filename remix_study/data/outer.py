"""Folds around a whole search: what it never sees scores what it chose."""

from __future__ import annotations

import numpy as np

from remix_study.data import folds as parts
from remix_study.data.folds import Fold, make_folds
from remix_study.data.problems import Problem
from remix_study.seeds import derive


def outer_folds(
    problem: Problem,
    *,
    folds: int,
    repeats: int,
    validation: float,
    grouped: bool = False,
    seed: int = 0,
) -> tuple[Fold, ...]:
    """One split into outer folds, each with several draws of its validation part.

    Args:
        problem: What to split; its name is part of every seed.
        folds: Outer folds, 2 or more.
        repeats: Draws of the validation part, so that what is scored on an outer fold is a mean
            over as many networks.
        validation: Share of each training part, in (0, 1).
        grouped: Keep rows of a group on one side of both splits.
        seed: The study's seed.

    Returns:
        By repeat, then fold; the test part of a fold is the same in all repeats.

    Raises:
        DataError: A class has too few rows (or groups), or there are no groups.
    """
    split = make_folds(
        problem, folds=folds, repeats=1, validation=validation, grouped=grouped, seed=seed
    )
    found = list(split)
    for repeat in range(1, repeats):
        for fold in split:
            rest = np.sort(np.concatenate([fold.train, fold.validation]))
            state = derive(seed, problem.name, repeat, fold.fold, "validation") % 2**32
            held = fold.train, fold.validation
            if grouped and problem.groups is not None:
                held = (
                    parts._hold_out_groups(problem, problem.groups, rest, validation, state)
                    or held
                )
            else:
                held = parts._hold_out(problem.y, rest, validation, state)
            found.append(Fold(repeat, fold.fold, *held, fold.test))
    return tuple(found)
