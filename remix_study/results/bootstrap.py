"""Bootstrap over test rows, where the test parts of a problem are no repeated draws.

A test file is one test part, and blocks of time are not exchangeable: the spread of their scores
says nothing of how another test part would have scored. What can be drawn again are its rows
(Efron and Tibshirani, 1993): of every test part as many rows of each class as it has, with
replacement. All methods, and the repeats that share a test part, are scored on the same drawn
rows, so that differences of two methods are paired by row. The mean over folds of each draw's
scores makes the percentile interval. It shows what other test rows would change, and not what
other training rows would: the networks stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.metrics import CLASS_METRICS, EXTRA_METRICS
from remix_study.metrics.catalogue import BUILT_IN_METRICS
from remix_study.results.aims import COST, study_costs
from remix_study.results.frames import StudyFrames
from remix_study.results.probabilities import NotKept, ProbabilityReader
from remix_study.results.resampled_scores import ResampledScores, draw_counts
from remix_study.seeds import derive_seed

Place = tuple[int, int]
"""Repeat and fold."""

Correct = Callable[[Place, NDArray[np.float64]], NDArray[np.float64]]
"""Takes a place and the probabilities (n, K) of its test part; returns corrected ones."""

Decide = Callable[[Place, NDArray[np.float64]], NDArray[np.intp]]
"""Takes a place and the probabilities (n, K) of its test part as trained; returns classes (n,)."""


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Scores of the methods of one problem on resampled test rows, computed when asked for.

    Attributes:
        probabilities: Reads what was predicted.
        runs: Label of a method -> its run.
        seed: The study's seed and the problem's name, from which the draws derive.
        corrections: Label of a method whose probabilities are corrected -> how.
        decisions: Label of what decides otherwise than by the largest probability -> how.
        costs: (K, K) costs of errors; None where the study gives none.
    """

    probabilities: ProbabilityReader
    runs: Mapping[str, int]
    seed: tuple[int | str, ...]
    corrections: Mapping[str, Correct] = field(default_factory=dict)
    decisions: Mapping[str, Decide] = field(default_factory=dict)
    costs: NDArray[np.float64] | None = None
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    def can_score(self, metric: str) -> bool:
        """Whether drawn rows can be scored in a metric: not in one of a user's own."""
        is_known = metric in BUILT_IN_METRICS or metric in EXTRA_METRICS
        return metric.startswith(("recall_", "brier_")) or (
            is_known and (metric != "cost" or self.costs is not None)
        )

    def draws(self, label: str, metric: str, places: Sequence[Place]) -> NDArray[np.float64]:
        """Scores (DRAWS, folds) of a method on the drawn rows of some folds."""
        return np.stack([self._draws(label, metric, place) for place in places], axis=1)

    def _draws(self, label: str, metric: str, place: Place) -> NDArray[np.float64]:
        decide = None
        if metric in (*CLASS_METRICS, COST) or metric.startswith("recall_"):
            decide = self.decisions.get(label)
        key = label, place, decide is None
        if key not in self._cache:
            _, codes, p, weights = self.probabilities(self.runs.get(label, -1), *place, "test")
            decided = decide(place, p) if decide else None
            p = self.corrections[label](place, p) if label in self.corrections else p
            counts = self._counts(codes, place[1])
            self._cache[key] = ResampledScores(codes, p, counts, self.costs, weights, decided)
        scores: ResampledScores = self._cache[key]
        return scores[metric]

    def _counts(self, codes: NDArray[np.int32], fold: int) -> NDArray[np.float32]:
        """How often each row of a fold's test part is drawn, (DRAWS, n)."""
        if fold not in self._cache:
            seed = derive_seed(*self.seed, fold, "bootstrap")
            self._cache[fold] = draw_counts(codes, np.random.default_rng(seed))
        counts: NDArray[np.float32] = self._cache[fold]
        return counts


def has_repeated_draws(problem: Mapping[str, Any]) -> bool:
    """Whether the folds of a row of `StudyFrames.problems` are draws that could be made again."""
    return problem.get("split") not in ("test", "time")


def problem_bootstrap(
    frames: StudyFrames, problem: Mapping[str, Any], runs: Mapping[str, int]
) -> Bootstrap | None:
    """The bootstrap of a problem whose methods, by label, have these runs.

    None where folds are draws that could be made again, and without stored probabilities.
    """
    if has_repeated_draws(problem) or frames.probabilities is None:
        return None
    if not frames.summaries.keys().isdisjoint(runs.values()):
        return None
    trained = frames.folds[frames.folds["run"].isin(list(runs.values()))].drop_duplicates("run")
    try:
        for run, repeat, fold in trained[["run", "repeat", "fold"]].itertuples(index=False):
            frames.probabilities(int(run), int(repeat), int(fold), "test")
    except (NotKept, KeyError):
        return None
    seed = int(problem["definition"]["study"]["seed"])
    names = seed, str(problem["problem"])
    return Bootstrap(frames.probabilities, runs, names, costs=study_costs(problem))


def interval_column(comparisons: Iterable[Any], path: str = "problem.") -> str:
    """The column of a table that says which interval a problem has.

    Args:
        comparisons: the problems of the table; without one whose test parts are given there is
            no such column.
        path: of the problem within a line's record.
    """
    is_usual = all(comparison.has_repeated_draws for comparison in comparisons)
    return "" if is_usual else f" interval={path}interval_name"
