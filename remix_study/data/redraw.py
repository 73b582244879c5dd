"""A problem whose imbalance is drawn anew for every repeat of the cross-validation.

One draw decides which rows of a class a whole study sees, and repeats that share it hide how much
hangs on it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from remix_study.data.dataset import Dataset, freeze
from remix_study.data.problems import Problem, make_problem


def make_redrawn_problem(
    dataset: Dataset,
    *,
    kind: str | None = None,
    minority: tuple[str, ...] = (),
    imbalance: float | None = None,
    seed: int = 0,
    repeats: int,
) -> Problem:
    """Make a data set imbalanced once for every repeat.

    Each draw is a problem as :func:`make_problem` makes it, of the same sizes, with permutations
    that depend on the repeat too. Classes that are not reduced are the same in all draws.

    Args:
        dataset: The data set.
        kind: As for :func:`make_problem`, as are the next three.
        minority: Names of the rare classes.
        imbalance: N_minority / N_majority.
        seed: The study's seed.
        repeats: How many draws.

    Returns:
        A problem of all rows that are drawn at least once; its ``draws`` say which of them each
        repeat uses.

    Raises:
        DataError: As :func:`make_problem`.
    """
    made = [
        make_problem(
            dataset, kind=kind, minority=minority, imbalance=imbalance, seed=seed, repeat=repeat
        )
        for repeat in range(repeats)
    ]
    every = np.concatenate([problem.rows for problem in made])
    rows, first = np.unique(every, return_index=True)
    y = np.concatenate([problem.y for problem in made])[first]
    draws = tuple(np.searchsorted(rows, problem.rows) for problem in made)
    freeze(rows, y, *draws)
    return replace(made[0], rows=rows, y=y, draws=draws)
