"""How many rows of each class a problem keeps at an imbalance ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np


def binary_sizes(
    sizes: Sequence[int], rare: Sequence[int], common: Sequence[int], ratio: Fraction
) -> list[int]:
    """Number of rows to keep of each class, for one class against the merged rest."""
    sizes = list(sizes)
    n_rare, n_rest = sizes[rare[0]], sum(sizes[code] for code in common)
    if int(ratio * n_rest) <= n_rare:
        sizes[rare[0]] = int(ratio * n_rest)
        return sizes
    # The smallest rest for which int(ratio * rest) is all rare rows.
    reduced = math.ceil(n_rare / ratio)
    # Webster's method: the k-th row of a class of n has the priority (k + 1/2) / n, and the rows
    # of lowest priority number are kept. Unlike with largest remainders, no class loses a row when
    # the total grows, so larger selections contain smaller ones.
    priority = np.concatenate([(np.arange(sizes[code]) + 0.5) / sizes[code] for code in common])
    class_of_row = np.repeat(common, [sizes[code] for code in common])
    kept_classes = class_of_row[np.argsort(priority, kind="stable")[:reduced]]
    for code in common:
        sizes[code] = int((kept_classes == code).sum())
    return sizes


def multiclass_sizes(
    sizes: Sequence[int], rare: Sequence[int], common: Sequence[int], ratio: Fraction
) -> list[int]:
    """Number of rows to keep of each class, for rare classes against the largest other class."""
    sizes = list(sizes)
    n_largest = max(sizes[code] for code in common)
    n_smallest = min(sizes[code] for code in rare)
    n_rare = int(ratio * n_largest)
    if n_rare > n_smallest:
        reduced = math.ceil(n_smallest / ratio)
        for code in common:
            exact_size = Fraction(sizes[code] * reduced, n_largest)
            sizes[code] = max(1, math.floor(exact_size + Fraction(1, 2)))
        n_rare = n_smallest
    for code in rare:
        sizes[code] = n_rare
    return sizes
