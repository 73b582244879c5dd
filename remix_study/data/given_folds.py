"""Folds that the data give: those of a column, a test part of its own, or windows of time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from remix_study.data.folds import ATTEMPTS, Fold, Rows, hold_out_groups, hold_out_rows
from remix_study.data.problems import Problem
from remix_study.data.split import Split
from remix_study.errors import DataError
from remix_study.seeds import derive_seed


def make_given_folds(
    problem: Problem,
    *,
    folds: int,
    repeats: int,
    validation: float,
    grouped: bool = False,
    seed: int = 0,
) -> tuple[Fold, ...]:
    """Split the rows of a problem as its data set says.

    A fold column tests each of its folds once. A test part is tested in every repeat. Of times,
    the last n // (folds + 1) rows are the last test block, those before it the one before, and so
    on; a block trains on all rows before it, as in scikit-learn's ``TimeSeriesSplit``, and a
    border that would part rows of one time moves to the first of them.

    Validation parts are drawn from the rows that are not tested, stratified by class, or of whole
    groups; of times they are the last rows before the test block. So repeats have other validation
    rows (not of times) and other seeds, and the same test parts.

    Args:
        problem: The rows to split; their data set has a split.
        folds: Number of test blocks in time; otherwise the data say.
        repeats: Number of repetitions, 1 or more.
        validation: Share of the rows that are not tested, in (0, 1).
        grouped: Keep the rows of a group in one part.
        seed: The study's seed.

    Returns:
        By repeat, then fold.

    Raises:
        DataError: A part lacks a class, which the message names, or a group is in two parts.
    """
    split = problem.dataset.split
    assert split is not None
    split = split.of_rows(problem.rows)
    groups = problem.groups if grouped else None
    if groups is not None:
        _refuse_parted_groups(problem, split, groups)
    all_folds = []
    for repeat in range(repeats):
        for fold, (name, window, test) in enumerate(_windows(split, folds)):
            where = f"problem {problem.name}: {name}"
            _check_classes(problem, test, f"{where}: the test part", 1, split)
            if split.kind == "time":
                train, held_out = last_rows(split.codes, window, validation)
            elif groups is None:
                _check_classes(problem, window, f"{where}: the rest", 2, split)
                random_state = _random_state(problem, seed, repeat, fold, 0)
                train, held_out = hold_out_rows(problem.y, window, validation, random_state)
            else:
                states = (_random_state(problem, seed, repeat, fold, n) for n in range(ATTEMPTS))
                parts = (hold_out_groups(problem, groups, window, validation, s) for s in states)
                train, held_out = next(filter(None, parts), (window, window[:0]))
            _check_classes(problem, train, f"{where}: the training part", 1, split)
            _check_classes(problem, held_out, f"{where}: the validation part", 1, split)
            all_folds.append(Fold(repeat, fold, train, held_out, test))
    return tuple(all_folds)


def _windows(split: Split, folds: int) -> Iterator[tuple[str, Rows, Rows]]:
    """Name, rows that are not tested and test rows of each fold, ascending."""
    if split.kind == "time":
        order = np.argsort(split.codes, kind="stable")
        size, ordered = len(order) // (folds + 1), split.codes[order]
        starts = [_first_of_time(ordered, len(order) - size * n) for n in range(folds, 0, -1)]
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(order)], strict=True)):
            name = f"fold {number + 1} of {folds}"
            if start < end:
                first, last = (split.names[ordered[at]] for at in (start, end - 1))
                name = f'{name} ("{first}" to "{last}")'
            yield name, np.sort(order[:start]), np.sort(order[start:end])
        return
    for code, name in enumerate(split.names):
        is_test = split.codes == code
        if split.kind == "fold":
            yield f'fold "{name}"', np.flatnonzero(~is_test), np.flatnonzero(is_test)
        elif code == 1:
            yield "the test file", np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _first_of_time(ordered: Rows, place: int) -> int:
    """The place of the first row that has the time of the row at a place, in ascending codes."""
    return int(np.searchsorted(ordered, ordered[place])) if place < len(ordered) else place


def last_rows(times: Rows, rows: Rows, share: float) -> tuple[Rows, Rows]:
    """Training rows and the last share of rows by time, which begin with a time of their own."""
    order = rows[np.argsort(times[rows], kind="stable")]
    start = _first_of_time(times[order], len(order) - int(np.ceil(share * len(order))))
    return np.sort(order[:start]), np.sort(order[start:])


def _check_classes(problem: Problem, rows: Rows, where: str, needed: int, split: Split) -> None:
    """Refuse rows that lack a class, or have fewer of it than needed.

    Raises:
        DataError: Names the class and says what to do.
    """
    counts = np.bincount(problem.y[rows], minlength=problem.K)
    if counts.min() >= needed:
        return
    code = int(counts.argmin())
    have = f"{counts[code]} row" + "s" * int(counts[code] != 1)
    remedy = {
        "time": "use fewer cv.folds, another cv.validation",
        "fold": "give such folds the same name in the column",
        "test": "add such rows to the file",
    }[split.kind]
    raise DataError(
        f'{where} has {have} of class "{problem.classes[code]}" and needs {needed}; {remedy}, or '
        "merge or drop the class with the key classes"
    )


def _refuse_parted_groups(problem: Problem, split: Split, groups: Rows) -> None:
    """Refuse groups that the given parts part.

    Raises:
        DataError: Names two of the parts.
    """
    pairs = np.unique(np.column_stack([groups, split.codes]), axis=0)
    twice = np.flatnonzero(np.diff(pairs[:, 0]) == 0)
    if len(twice):
        first, second = (split.names[pairs[at, 1]] for at in (twice[0], twice[0] + 1))
        n_parted = len(np.unique(pairs[twice, 0]))
        raise DataError(
            f'problem {problem.name}: {n_parted} groups have rows in two parts, such as "{first}" '
            f'and "{second}"; mend the parts, or set cv.grouped = false'
        )


def _random_state(problem: Problem, seed: int, repeat: int, fold: int, attempt: int) -> int:
    """A seed for scikit-learn, which takes 32 bits."""
    return derive_seed(seed, problem.name, repeat, fold, "validation", attempt) % 2**32
