"""Which methods are compared where a problem has thousands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from remix_study.metrics import better_sign
from remix_study.results.methods import Method

MOST_METHODS = 500
"""Methods of a problem beyond which only the best are compared, which takes a minute."""


def best_methods(methods: Sequence[Method], objectives: Sequence[str]) -> tuple[Method, ...]:
    """Select the methods with the best validation scores, and the best one of each family.

    With several objectives they are ordered by the mean of their ranks.

    Args:
        methods: Of one problem, with one validation score an objective; of up to `MOST_METHODS`
            all are taken.
        objectives: Names of metrics.

    Returns:
        In the given order.
    """
    if len(methods) <= MOST_METHODS:
        return tuple(methods)
    signs = [better_sign(metric) for metric in objectives]
    scores = np.nan_to_num(np.array([method.values for method in methods]) * signs, nan=-np.inf)
    order = rankdata(-scores, axis=0).mean(axis=1).argsort(kind="stable").tolist()
    best_of_family = {methods[place].family: place for place in reversed(order)}
    kept = {*order[:MOST_METHODS], *best_of_family.values()}
    return tuple(method for place, method in enumerate(methods) if place in kept)
