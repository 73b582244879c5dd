"""Make a problem whose imbalance is drawn anew for every repeat of the cross-validation.

With one draw for all repeats, the scores do not show how much depends on which rows were drawn.
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
        kind: As for :func:`make_problem`.
        minority: Names of the rare classes, as for :func:`make_problem`.
        imbalance: N_minority / N_majority, as for :func:`make_problem`.
        seed: The study's seed.
        repeats: Number of draws.

    Returns:
        A problem of all rows that are drawn at least once; its ``draws`` are the positions of
        each repeat's rows among them.

    Raises:
        DataError: As :func:`make_problem`.
    """
    drawn = [
        make_problem(
            dataset, kind=kind, minority=minority, imbalance=imbalance, seed=seed, repeat=repeat
        )
        for repeat in range(repeats)
    ]
    all_rows = np.concatenate([problem.rows for problem in drawn])
    rows, first = np.unique(all_rows, return_index=True)
    y = np.concatenate([problem.y for problem in drawn])[first]
    draws = tuple(np.searchsorted(rows, problem.rows) for problem in drawn)
    freeze(rows, y, *draws)
    return replace(drawn[0], rows=rows, y=y, draws=draws)
