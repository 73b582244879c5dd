"""The cost of decisions: each row gets the class whose expected cost is least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.errors import DataError, did_you_mean
from remix_study.metrics.class_scores import RARE


def mean_cost(
    codes: NDArray[np.intp],
    p: NDArray[np.float64],
    weights: NDArray[np.float64],
    costs: NDArray[np.float64],
) -> float:
    """Mean cost of a row when each is decided by the least expected cost.

    Args:
        codes: (n,) class codes.
        p: (n, K) probabilities, taken as they are.
        weights: (n,) weights of the rows.
        costs: (K, K) cost of a row of a class (rows) that is decided for another (columns).

    Returns:
        The weighted mean over rows. Of decisions of equal expected cost the lowest code is taken.
    """
    decided = (p @ costs).argmin(axis=1)
    return float((costs[codes, decided] * weights).sum() / weights.sum())


def cost_matrix(costs: Mapping[str, Any], classes: Sequence[str], where: str) -> NDArray[Any]:
    """Costs of a study file as a matrix for a problem.

    Args:
        costs: ``{fn, fp}`` of the rare class of a binary problem, or class -> decided class ->
            cost; right decisions cost 0 unless they are named.
        classes: The problem's K class names.
        where: Name of the problem, for messages.

    Returns:
        (K, K) costs by class and decided class.

    Raises:
        DataError: A class is unknown, or a cost is missing.
    """
    matrix = np.zeros((len(classes), len(classes)))
    if "fn" in costs and not isinstance(costs["fn"], Mapping):
        if len(classes) != 2:
            raise DataError(
                f"decision.costs: fn and fp are of two classes, and {where} has {len(classes)}; "
                "write the cost of each error, such as { a = { b = 5, c = 1 } }"
            )
        matrix[RARE, 1 - RARE], matrix[1 - RARE, RARE] = costs["fn"], costs["fp"]
        return matrix
    for name in (*costs, *(inner for row in costs.values() for inner in row)):
        if name not in classes:
            raise DataError(
                f'decision.costs: {where} has no class "{name}"{did_you_mean(name, classes)}'
            )
    for i, actual in enumerate(classes):
        for j, decided in enumerate(classes):
            cost = costs.get(actual, {}).get(decided, 0.0 if i == j else None)
            if cost is None:
                raise DataError(
                    f'decision.costs: no cost of deciding for "{decided}" where "{actual}" is '
                    f"right ({where}); write it"
                )
            matrix[i, j] = cost
    return matrix
