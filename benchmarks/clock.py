"""Time per fold and epoch, and the two ways in which contestants share their rounds."""

from __future__ import annotations

import time
from collections.abc import Callable

from cases import MEMBERS, Size

# A short trial is repeated until a round has lasted this long.
_ROUND_SECONDS = 1.0

Round = dict[str, list[float]]
Work = Callable[[int], Round]


class Clock:
    """Wall and CPU time of this process at the start of a fit and after each epoch of folds."""

    def __init__(self, folds: int) -> None:
        self._folds = folds
        self._done = 0
        self._started = time.perf_counter()
        # Fold-epochs done, wall time, CPU time.
        self._marks: list[tuple[int, float, float]] = []

    def mark(self, folds: int) -> None:
        """Note that so many folds have ended an epoch; the engine calls it stack by stack."""
        self._done += folds
        self._marks.append((self._done, time.perf_counter(), time.process_time()))

    def add_to(self, times: Round) -> None:
        """Add this fit's milliseconds per fold and epoch, and seconds a fold to the first epoch.

        The mean leaves out the first epoch of every fold, in which networks are built, traced
        and compiled.
        """
        first = next(mark for mark in self._marks if mark[0] >= self._folds)
        done, wall, cpu = (b - a for a, b in zip(first, self._marks[-1], strict=True))
        times["wall"].append(wall * 1e3 / done)
        times["cpu"].append(cpu * 1e3 / done)
        times["first"].append((first[1] - self._started) / self._folds)


def by_folds(fit_fold: Callable[[int, Round], None], size: Size) -> Work:
    """Divide the folds among the rounds, so that each is trained once."""

    def work(number: int) -> Round:
        times: Round = {"wall": [], "cpu": [], "first": []}
        for position in range(number, MEMBERS, size.rounds):
            fit_fold(position, times)
        return times

    return work


def repeated(trial: Callable[[Round], None]) -> Work:
    """Train all folds in each round, again until the round has lasted long enough to be timed."""

    def work(_number: int) -> Round:
        times: Round = {"wall": [], "cpu": [], "first": []}
        began = time.perf_counter()
        while not times["wall"] or time.perf_counter() - began < _ROUND_SECONDS:
            trial(times)
        return times

    return work
