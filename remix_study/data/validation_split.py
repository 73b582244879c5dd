"""Hold out a validation part of a fold's training rows, with every class on both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remix_study.data.problems import Problem

Rows = NDArray[np.intp]


def hold_out_rows(
    y: NDArray[np.int32], rows: Rows, share: float, random_state: int
) -> tuple[Rows, Rows]:
    """Hold out a stratified share of rows.

    Args:
        y: (n,) class codes of all rows.
        rows: The rows to split, with at least two of each class.
        share: Share to hold out, in (0, 1).
        random_state: A seed of 32 bits.

    Returns:
        Training and validation rows, ascending; both hold every class.
    """
    from sklearn.model_selection import StratifiedShuffleSplit

    labels, n_classes = y[rows], len(np.unique(y[rows]))
    # scikit-learn needs room for each class on either side.
    size = min(max(int(np.ceil(share * len(rows))), n_classes), len(rows) - n_classes)
    splitter = StratifiedShuffleSplit(1, test_size=size, random_state=random_state)
    train, held_out = next(iter(splitter.split(labels, labels)))
    rng = np.random.default_rng(random_state)
    for code in np.unique(labels):
        train, held_out = _supply_class(labels, code, train, held_out, rng)
        held_out, train = _supply_class(labels, code, held_out, train, rng)
    return np.sort(rows[train]), np.sort(rows[held_out])


def hold_out_groups(
    problem: Problem, groups: Rows, rows: Rows, share: float, random_state: int
) -> tuple[Rows, Rows] | None:
    """Hold out the first of about 1 / share sets of groups that leaves every class on both sides.

    Args:
        problem: Where the rows come from.
        groups: (n,) group codes of the problem's rows.
        rows: The rows to split.
        share: Share to hold out, in (0, 1), approximately.
        random_state: A seed of 32 bits.

    Returns:
        Training and validation rows, ascending, or None where no set of groups will do.
    """
    smaller_share = min(share, 1 - share)
    # Fewer, larger sets where a class is in too few groups for the share.
    for n_splits in range(max(2, round(1 / smaller_share)), 1, -1):
        splits = split_groups(problem.y[rows], groups[rows], n_splits, random_state)
        for larger, smaller in splits:
            train, held_out = (larger, smaller) if share <= 0.5 else (smaller, larger)
            train, held_out = np.sort(rows[train]), np.sort(rows[held_out])
            if not lacks_class(problem, train) and not lacks_class(problem, held_out):
                return train, held_out
    return None


def split_groups(
    y: NDArray[np.int32], groups: Rows, n_splits: int, random_state: int
) -> list[tuple[Rows, Rows]]:
    """Split whole groups by stratified group k-fold.

    Returns:
        Positions of the rest and of the held-out rows of each split; an empty list where a class
        has fewer rows, or there are fewer groups, than splits.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if np.bincount(y)[np.unique(y)].min() < n_splits or len(np.unique(groups)) < n_splits:
        return []
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=random_state)
    return list(splitter.split(y, y, groups))


def lacks_class(problem: Problem, rows: Rows) -> bool:
    """Whether some class of the problem has no row among these."""
    return bool((np.bincount(problem.y[rows], minlength=problem.K) == 0).any())


def _supply_class(
    labels: NDArray[np.int32], code: int, donors: Rows, receivers: Rows, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    """Move one row of a class from the first part to the second if the second has none."""
    if (labels[receivers] == code).any():
        return donors, receivers
    moved = rng.choice(donors[labels[donors] == code])
    return donors[donors != moved], np.append(receivers, moved)
