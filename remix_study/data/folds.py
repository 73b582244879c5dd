"""Repeated cross-validation with a validation part: row numbers, shared by all strategies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from remix_study.data.problems import Problem
from remix_study.errors import DataError, UsageError
from remix_study.seeds import derive

# Whole groups cannot always be dealt out so that each part holds each class; another shuffle may.
ATTEMPTS = 20

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of a problem's rows.

    Attributes:
        repeat: Which repetition, from 0.
        fold: Which fold of it, from 0.
        train: Rows that the weights and the preprocessing are fitted on.
        validation: Rows that early stopping and the search look at.
        test: Rows that reports alone look at. All three are sorted positions 0..n-1 in the
            problem's rows, intp, and together are every row once; where the problem has draws,
            every row of the repeat's draw.
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
    """Repeated stratified k-fold; part of each training part is set aside for validation.

    The splits depend on the seed and the problem alone. Each of the three parts of every fold
    holds at least one row of every class: a class that the stratified draw leaves without a
    validation (or training) row is given one from the other side, drawn with the same seed.

    Args:
        problem: What to split; where it has draws, each repeat splits its own.
        folds: k, 2 or more.
        repeats: How often, each with its own shuffle, 1 or more.
        validation: Share of each training part, in (0, 1). Grouped, it is one of about
            1 / validation sets of whole groups, so only approximately that share.
        grouped: Keep rows of a group on one side of both splits.
        seed: The study's seed.

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
        raise DataError(f"problem {problem.name}: grouped folds are wanted but it has no groups")
    made: list[Fold] = []
    for repeat in range(repeats):
        drawn = problem.drawn(repeat)
        groups = drawn.groups if grouped else None
        if repeat == 0 or problem.draws:
            _refuse_small_classes(drawn, folds, groups)
        if groups is not None:
            split: Iterable[Fold] = _grouped_repeat(drawn, groups, folds, repeat, validation, seed)
        else:
            split = _plain_repeat(drawn, folds, repeat, validation, seed)
        made += (_placed(fold, problem) for fold in split)
    return tuple(made)


def _placed(fold: Fold, problem: Problem) -> Fold:
    """A fold of a repeat's draw, in positions of the whole problem."""
    if not problem.draws:
        return fold
    rows = problem.draws[fold.repeat]
    return replace(
        fold, train=rows[fold.train], validation=rows[fold.validation], test=rows[fold.test]
    )


def _refuse_small_classes(problem: Problem, folds: int, groups: Rows | None) -> None:
    """Each test part needs one row (or group) of each class, and what remains of it two."""
    needed = 4 if folds == 2 else folds
    unit = "rows" if groups is None else "groups"
    for code, name in enumerate(problem.classes):
        mine = np.flatnonzero(problem.y == code)
        count = len(mine) if groups is None else len(np.unique(groups[mine]))
        if count < needed:
            raise DataError(
                f"problem {problem.name}: class {name} has {count} {unit}; {folds} folds with a "
                f"validation part need at least {needed}"
            )


def _random_state(problem: Problem, seed: int, *parts: int | str) -> int:
    """A seed that scikit-learn takes (32 bits)."""
    return derive(seed, problem.name, *parts) % 2**32


def _plain_repeat(
    problem: Problem, folds: int, repeat: int, validation: float, seed: int
) -> Iterator[Fold]:
    """One shuffle of stratified k-fold."""
    from sklearn.model_selection import StratifiedKFold

    state = _random_state(problem, seed, repeat, "test")
    splitter = StratifiedKFold(folds, shuffle=True, random_state=state)
    for fold, (rest, test) in enumerate(splitter.split(problem.y, problem.y)):
        state = _random_state(problem, seed, repeat, fold, "validation")
        train, held = _hold_out(problem.y, rest, validation, state)
        yield Fold(repeat, fold, train, held, np.sort(test))


def _hold_out(
    y: NDArray[np.int32], rest: Rows, validation: float, state: int
) -> tuple[Rows, Rows]:
    """Split off a stratified share in which, as in what remains, no class is missing."""
    from sklearn.model_selection import StratifiedShuffleSplit

    labels, n_classes = y[rest], len(np.unique(y[rest]))
    # scikit-learn wants room for each class on either side.
    size = min(max(int(np.ceil(validation * len(rest))), n_classes), len(rest) - n_classes)
    splitter = StratifiedShuffleSplit(1, test_size=size, random_state=state)
    train, held = next(iter(splitter.split(labels, labels)))
    rng = np.random.default_rng(state)
    for code in np.unique(labels):
        train, held = _lend(labels, code, train, held, rng)
        held, train = _lend(labels, code, held, train, rng)
    return np.sort(rest[train]), np.sort(rest[held])


def _lend(
    labels: NDArray[np.int32], code: int, giver: Rows, taker: Rows, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    """Move one row of a class to the side that has none."""
    if (labels[taker] == code).any():
        return giver, taker
    moved = rng.choice(giver[labels[giver] == code])
    return giver[giver != moved], np.append(taker, moved)


def _grouped_repeat(
    problem: Problem, groups: Rows, folds: int, repeat: int, validation: float, seed: int
) -> list[Fold]:
    """One shuffle of stratified group k-fold, or the first of a few that holds every class."""
    for attempt in range(ATTEMPTS):
        state = _random_state(problem, seed, repeat, "test", attempt)
        made: list[Fold] = []
        for fold, (rest, test) in enumerate(_group_splits(problem.y, groups, folds, state)):
            state = _random_state(problem, seed, repeat, fold, "validation", attempt)
            parts = _hold_out_groups(problem, groups, rest, validation, state)
            if parts is None or _lacks_class(problem, test):
                break
            made.append(Fold(repeat, fold, *parts, np.sort(test)))
        if len(made) == folds:
            return made
    counts = [len(np.unique(groups[problem.y == code])) for code in range(problem.K)]
    rarest = int(np.argmin(counts))
    raise DataError(
        f"problem {problem.name}: its groups cannot be dealt to {folds} folds with a validation "
        f"part so that each part holds each class; class {problem.classes[rarest]} is in only "
        f"{counts[rarest]} groups; use fewer folds, a larger imbalance or grouped = false"
    )


def _group_splits(
    y: NDArray[np.int32], groups: Rows, splits: int, state: int
) -> list[tuple[Rows, Rows]]:
    """Splits of whole groups; none where a class has fewer rows than there are splits."""
    from sklearn.model_selection import StratifiedGroupKFold

    if np.bincount(y)[np.unique(y)].min() < splits or len(np.unique(groups)) < splits:
        return []
    splitter = StratifiedGroupKFold(splits, shuffle=True, random_state=state)
    return list(splitter.split(y, y, groups))


def _hold_out_groups(
    problem: Problem, groups: Rows, rest: Rows, validation: float, state: int
) -> tuple[Rows, Rows] | None:
    """Hold out the first of about 1 / validation sets of groups that leaves no class missing."""
    small = min(validation, 1 - validation)
    # Fewer, larger sets where a class is in too few groups for the share that was asked for.
    for splits in range(max(2, round(1 / small)), 1, -1):
        for large, held in _group_splits(problem.y[rest], groups[rest], splits, state):
            train, part = (large, held) if validation <= 0.5 else (held, large)
            train, part = np.sort(rest[train]), np.sort(rest[part])
            if not _lacks_class(problem, train) and not _lacks_class(problem, part):
                return train, part
    return None


def _lacks_class(problem: Problem, rows: Rows) -> bool:
    return bool((np.bincount(problem.y[rows], minlength=problem.K) == 0).any())
