"""Folds of repeated cross-validation: the rows that every method trains and is tested on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from remix_study.data.problems import Problem
from remix_study.errors import DataError, UsageError
from remix_study.seeds import derive_seed

Rows = NDArray[np.intp]

# Shuffles of whole groups that are tried until one leaves every class in each part of each fold.
ATTEMPTS = 20


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of a problem's rows into training, validation and test rows.

    The three parts are ascending positions 0..n-1 in the problem's rows, intp. Together they are
    every row once; where the problem has draws, every row of the repeat's draw.

    Attributes:
        repeat: The repetition of the cross-validation, from 0.
        fold: The fold within that repetition, from 0.
        train: Rows that the weights and the preprocessing are fitted on.
        validation: Rows for early stopping and for choosing a configuration.
        test: Rows for reports only.
    """

    repeat: int
    fold: int
    train: Rows
    validation: Rows
    test: Rows


def make_folds(
    problem: Problem,
    *,
    folds: int,
    repeats: int,
    validation: float,
    grouped: bool = False,
    seed: int = 0,
) -> tuple[Fold, ...]:
    """Split by repeated stratified k-fold, and hold out a validation part of each training part.

    The splits depend on the seed and the problem alone. Each of the three parts of every fold
    holds at least one row of every class: a class that the stratified draw leaves without a
    validation (or training) row is given one from the other part, drawn with the same seed.

    Args:
        problem: The rows to split; where it has draws, each repeat splits its own.
        folds: k, 2 or more.
        repeats: Number of repetitions, each with its own shuffle, 1 or more.
        validation: Share of each training part, in (0, 1). Grouped, it is one of about
            1 / validation sets of whole groups, so only approximately that share.
        grouped: Keep the rows of a group in one part.
        seed: The study's seed.

    Returns:
        By repeat, then fold.

    Raises:
        DataError: A class has too few rows (or too few groups), or there are no groups.
        UsageError: folds, repeats or validation out of range.
    """
    if folds < 2 or repeats < 1 or not 0 < validation < 1:
        raise UsageError(
            "folds must be 2 or more, repeats 1 or more and validation in (0, 1), not "
            f"{folds}, {repeats} and {validation}"
        )
    if problem.draws and len(problem.draws) != repeats:
        raise UsageError(
            f"problem {problem.name} has {len(problem.draws)} draws for {repeats} repeats"
        )
    if grouped and problem.groups is None:
        raise DataError(
            f"problem {problem.name}: grouped folds need groups and the data set has none; name "
            "their column in groups, or set grouped = false"
        )
    all_folds: list[Fold] = []
    for repeat in range(repeats):
        drawn = problem.draw(repeat)
        groups = drawn.groups if grouped else None
        if repeat == 0 or problem.draws:
            _check_class_sizes(drawn, folds, groups)
        if groups is None:
            repeat_folds = list(stratified_folds(drawn, folds, repeat, validation, seed))
        else:
            repeat_folds = _grouped_folds(drawn, groups, folds, repeat, validation, seed)
        all_folds += (_in_problem_rows(fold, problem) for fold in repeat_folds)
    return tuple(all_folds)


def make_outer_folds(
    problem: Problem,
    *,
    folds: int,
    repeats: int,
    validation: float,
    grouped: bool = False,
    seed: int = 0,
) -> tuple[Fold, ...]:
    """Split once into the outer folds of a nested search, with several validation parts each.

    The arguments are those of :func:`make_folds`, but ``repeats`` is the number of validation
    parts of each outer fold, so that its score is a mean over as many networks.

    Returns:
        By repeat, then fold; the test part of a fold is the same in all repeats.

    Raises:
        DataError: A class has too few rows (or groups), or there are no groups.
    """
    first_repeat = make_folds(
        problem, folds=folds, repeats=1, validation=validation, grouped=grouped, seed=seed
    )
    outer_folds = list(first_repeat)
    for repeat in range(1, repeats):
        for fold in first_repeat:
            rest = np.sort(np.concatenate([fold.train, fold.validation]))
            random_state = _random_state(problem, seed, repeat, fold.fold, "validation")
            if grouped and problem.groups is not None:
                parts = hold_out_groups(problem, problem.groups, rest, validation, random_state)
                # Without another split of the groups the first one is used again.
                train, held_out = parts or (fold.train, fold.validation)
            else:
                train, held_out = hold_out_rows(problem.y, rest, validation, random_state)
            outer_folds.append(Fold(repeat, fold.fold, train, held_out, fold.test))
    return tuple(outer_folds)


def stratified_folds(
    problem: Problem, folds: int, repeat: int, validation: float, seed: int
) -> Iterator[Fold]:
    """Yield the folds of one repeat of stratified k-fold."""
    from sklearn.model_selection import StratifiedKFold

    random_state = _random_state(problem, seed, repeat, "test")
    splitter = StratifiedKFold(folds, shuffle=True, random_state=random_state)
    for fold, (rest, test) in enumerate(splitter.split(problem.y, problem.y)):
        random_state = _random_state(problem, seed, repeat, fold, "validation")
        train, held_out = hold_out_rows(problem.y, rest, validation, random_state)
        yield Fold(repeat, fold, train, held_out, np.sort(test))


def _grouped_folds(
    problem: Problem, groups: Rows, folds: int, repeat: int, validation: float, seed: int
) -> list[Fold]:
    """The folds of one repeat of stratified group k-fold.

    Of up to ``ATTEMPTS`` shuffles the first is taken that leaves every class in each part.
    """
    for attempt in range(ATTEMPTS):
        random_state = _random_state(problem, seed, repeat, "test", attempt)
        repeat_folds: list[Fold] = []
        for fold, (rest, test) in enumerate(split_groups(problem.y, groups, folds, random_state)):
            random_state = _random_state(problem, seed, repeat, fold, "validation", attempt)
            parts = hold_out_groups(problem, groups, rest, validation, random_state)
            if parts is None or lacks_class(problem, test):
                break
            repeat_folds.append(Fold(repeat, fold, *parts, np.sort(test)))
        if len(repeat_folds) == folds:
            return repeat_folds
    group_counts = [len(np.unique(groups[problem.y == code])) for code in range(problem.K)]
    rarest = int(np.argmin(group_counts))
    raise DataError(
        f"problem {problem.name}: no split of its groups into {folds} folds with a validation "
        f"part leaves every class in each part; class {problem.classes[rarest]} is in only "
        f"{group_counts[rarest]} groups; use fewer folds, a larger imbalance or grouped = false"
    )


def _in_problem_rows(fold: Fold, problem: Problem) -> Fold:
    """Turn positions in a repeat's draw into positions in the whole problem."""
    if not problem.draws:
        return fold
    rows = problem.draws[fold.repeat]
    return replace(
        fold, train=rows[fold.train], validation=rows[fold.validation], test=rows[fold.test]
    )


def _check_class_sizes(problem: Problem, folds: int, groups: Rows | None) -> None:
    """Refuse a class too small for one row (or group) in each test part and two in the rest."""
    needed = 4 if folds == 2 else folds
    unit = "rows" if groups is None else "groups"
    for code, name in enumerate(problem.classes):
        class_rows = np.flatnonzero(problem.y == code)
        size = len(class_rows) if groups is None else len(np.unique(groups[class_rows]))
        if size < needed:
            raise DataError(
                f"problem {problem.name}: class {name} has {size} {unit}; {folds} folds with a "
                f"validation part need at least {needed}; leave it out or merge it with another: "
                "classes.drop, classes.merge"
            )


def _random_state(problem: Problem, seed: int, *parts: int | str) -> int:
    """A seed for scikit-learn, which takes 32 bits."""
    return derive_seed(seed, problem.name, *parts) % 2**32


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
        random_state: A seed.

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
