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

from remix_study.batches.losses import RowWeights
from remix_study.metrics import CLASS_METRICS, EXTRA_METRICS, SMALLEST, score
from remix_study.metrics.catalogue import BUILT_IN_METRICS
from remix_study.metrics.class_scores import RARE, Confusion, class_scores
from remix_study.metrics.costs import cost_matrix
from remix_study.metrics.ranking import BINS
from remix_study.results.frames import StudyFrames
from remix_study.results.probabilities import NotKept, ProbabilityReader
from remix_study.seeds import derive_seed

DRAWS = 1000
"""Draws of test rows, the same ones for every method and metric of a problem."""

_OF_ORDER = ("roc_auc", "average_precision", "average_precision_macro", "ece", "cwece")
# Rows times draws whose numbers are held at a time.
_MOST_CELLS = 1 << 21

Place = tuple[int, int]
"""Repeat and fold."""

Correction = Callable[[Place], Mapping[str, NDArray[np.float64]]]
"""Takes a place; returns label -> corrected probabilities (n, K) of the test part."""


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Scores of the methods of one problem on resampled test rows, computed when asked for.

    Attributes:
        probabilities: Reads what was predicted.
        runs: Label of a method -> its run.
        seed: The study's seed and the problem's name, from which the draws derive.
        choices: Label that stands for another method on each fold -> place -> that method.
        corrections: Label of a corrected method -> the run that it corrects, and how.
        only_classes: Labels of corrections that change predicted classes and no probability.
        costs: (K, K) costs of errors; None where the study gives none.
    """

    probabilities: ProbabilityReader
    runs: Mapping[str, int]
    seed: tuple[int | str, ...]
    choices: Mapping[str, Mapping[Place, str]] = field(default_factory=dict)
    corrections: Mapping[str, tuple[int, Correction]] = field(default_factory=dict)
    only_classes: frozenset[str] = frozenset()
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
        label = self.choices.get(label, {}).get(place, label)
        run, correction = self.corrections.get(label, (self.runs.get(label, -1), None))
        is_of_classes = metric in CLASS_METRICS or metric.startswith("recall_")
        if label in self.only_classes and not is_of_classes:
            correction = None
        key = label, place, correction is None
        if key not in self._cache:
            _, codes, p, weights = self.probabilities(run, *place, "test")
            p = p if correction is None else correction(place)[label]
            counts = self._counts(codes, place[1])
            self._cache[key] = ResampledScores(codes, p, counts, self.costs, weights)
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


def study_costs(problem: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """(K, K) costs of errors that the study of a problem gives, None where it gives none."""
    costs = problem.get("definition", {}).get("decision", {}).get("costs")
    return cost_matrix(costs, problem["classes"], str(problem["problem"])) if costs else None


def interval_column(comparisons: Iterable[Any], path: str = "problem.") -> str:
    """The column of a table that says which interval a problem has.

    Args:
        comparisons: the problems of the table; without one whose test parts are given there is
            no such column.
        path: of the problem within a line's record.
    """
    is_usual = all(comparison.has_repeated_draws for comparison in comparisons)
    return "" if is_usual else f" interval={path}interval_name"


def draw_counts(
    codes: NDArray[np.int32], rng: np.random.Generator, draws: int = DRAWS
) -> NDArray[np.float32]:
    """Draw rows of each class with replacement, as many as the class has.

    Returns:
        How often each row is drawn: whole numbers, float32 (draws, n).
    """
    counts = np.zeros((draws, len(codes)), np.float32)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        counts[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), draws)
    return counts


class ResampledScores:
    """Metric -> scores (draws,) of one set of predictions on drawn rows.

    Values are those of :func:`remix_study.metrics.score` of the drawn rows, all draws at once.

    Args:
        codes: (n,) class codes.
        p: (n, K) probabilities.
        counts: (draws, n) how often each row is drawn.
        costs: (K, K) costs of errors, which the metric ``cost`` needs.
        weights: (n,) weights of the rows; with them all metrics are computed draw by draw.
    """

    def __init__(
        self,
        codes: NDArray[np.int32],
        p: NDArray[np.float64],
        counts: NDArray[np.float32],
        costs: NDArray[np.float64] | None = None,
        weights: RowWeights = None,
    ) -> None:
        self._costs, self._has_weights = costs, weights is not None
        self._codes, self._p = codes.astype(np.intp), p
        self._counts = counts if weights is None else counts * weights.astype(np.float32)
        self._scores: dict[str, NDArray[np.float64]] = {}

    def __getitem__(self, metric: str) -> NDArray[np.float64]:
        """The scores in a metric; KeyError where there is no such metric."""
        known = (self._of_rows, self._of_order, self._of_classes, self._of_others)
        for compute in known[-1:] if self._has_weights else known:
            if metric not in self._scores:
                self._scores |= compute(metric)
        return self._scores[metric]

    def _of_rows(self, _: str) -> dict[str, NDArray[np.float64]]:
        """Metrics of recalls, and means over rows."""
        codes, p, counts = self._codes, self._p, self._counts
        n_classes = p.shape[1]
        truth = codes[:, None] == np.arange(n_classes)
        half_squared = ((p - truth) ** 2).sum(axis=1) / 2
        p_true = np.clip(p[np.arange(len(codes)), codes], SMALLEST, 1 - SMALLEST)
        is_hit = p.argmax(axis=1) == codes
        sizes = counts.astype(np.float64) @ truth
        with np.errstate(invalid="ignore"):
            recall = counts @ (truth * is_hit[:, None]) / sizes
            brier = counts @ (truth * half_squared[:, None]) / sizes
        present = recall[:, truth.any(axis=0)]
        total = len(codes)
        scores = {
            "g_mean": present.prod(axis=1) ** (1 / present.shape[1]),
            "bbs": brier[:, truth.any(axis=0)].mean(axis=1),
            "brier": counts @ half_squared / total,
            "log_loss": counts @ -np.log(p_true) / total,
            "balanced_accuracy": present.mean(axis=1),
            "min_recall": present.min(axis=1),
        }
        if self._costs is not None:
            scores["cost"] = counts @ self._costs[codes, (p @ self._costs).argmin(axis=1)] / total
        scores |= {f"recall_{code}": recall[:, code] for code in range(n_classes)}
        return scores | {f"brier_{code}": brier[:, code] for code in range(n_classes)}

    def _of_order(self, metric: str) -> dict[str, NDArray[np.float64]]:
        """Metrics of the order of probabilities and of calibration."""
        if metric not in _OF_ORDER:
            return {}
        codes, p = self._codes, self._p
        of_classes = [
            _ranked(codes == code, p[:, code], self._counts) for code in np.unique(codes)
        ]
        auc, macro, error = np.mean(of_classes, axis=0)
        precision = of_classes[RARE][1] if p.shape[1] == 2 else macro
        _, _, top_error = _ranked(p.argmax(axis=1) == codes, p.max(axis=1), self._counts)
        return dict(zip(_OF_ORDER, (auc, precision, macro, top_error, error), strict=True))

    def _of_classes(self, _: str) -> dict[str, NDArray[np.float64]]:
        """Metrics of predicted classes."""
        n_classes = self._p.shape[1]
        cells = np.zeros((len(self._codes), n_classes**2), np.float32)
        cells[np.arange(len(cells)), self._codes * n_classes + self._p.argmax(axis=1)] = 1
        matrices = (self._counts @ cells).reshape(-1, n_classes, n_classes)
        return class_scores(Confusion(matrices.astype(np.float64)))

    def _of_others(self, metric: str) -> dict[str, NDArray[np.float64]]:
        rows = self._codes, self._p, self._p.shape[1], (metric,)
        options: dict[str, Any] = {"costs": self._costs}
        lines = [score(*rows, sample_weight=counts, **options) for counts in self._counts]
        return {name: np.array([line[name] for line in lines]) for name in lines[0]}


def _ranked(
    is_hit: NDArray[np.bool_], p: NDArray[np.float64], counts: NDArray[np.float32]
) -> NDArray[np.float64]:
    """ROC-AUC, average precision and calibration error of each draw, (3, draws).

    What :func:`remix_study.metrics.ranking.rank_columns` gives for one column, (n,) each.
    """
    n = len(p)
    order = np.argsort(-p, kind="stable")
    ranked, hit = p[order], is_hit[order]
    places = np.flatnonzero(hit)
    # Rows of equal probability form a run, which ends before one of these places.
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, n)
    run = np.searchsorted(ends, places, side="right")
    stop, begin = ends[run], np.append(0, ends)[run]
    hits_before = np.append(0, np.cumsum(hit))
    most = (n * np.arange(BINS, -1, -1)) // BINS  # Rows before the end of a bin
    step = max(1, _MOST_CELLS // n)
    parts = []
    for start in range(0, len(counts), step):
        drawn = counts[start : start + step, order]
        # Sums of whole numbers below 2^24 are exact in float32.
        rows, hits = _sums(drawn), _sums(drawn[:, places])
        hits_at_stop, hits_at_begin = hits[:, hits_before[stop]], hits[:, hits_before[begin]]
        rows_at_stop = rows[:, stop]
        misses = rows_at_stop - hits_at_stop + rows[:, begin] - hits_at_begin
        n_hits = hits[:, -1].astype(np.float64)
        n_misses = rows[:, -1] - n_hits
        lost = (drawn[:, places] * misses).sum(axis=1, dtype=np.float64) / 2
        shares = hits_at_stop / np.maximum(rows_at_stop, 1)
        precision = (drawn[:, places] * shares).sum(axis=1, dtype=np.float64)
        gaps = _sums(drawn * (hit - ranked))[:, np.append(0, ends)]
        borders = np.stack([np.searchsorted(line, most, side="right") for line in rows[:, ends]])
        at_border = np.take_along_axis(gaps, borders, axis=1)
        error = np.abs(np.diff(at_border, axis=1)).sum(axis=1) / (n_hits + n_misses)
        pairs = np.maximum(n_hits * n_misses, 1)
        parts.append(
            np.stack(
                [(n_hits * n_misses - lost) / pairs, precision / np.maximum(n_hits, 1), error]
            )
        )
    return np.concatenate(parts, axis=1)


def _sums(values: NDArray[Any]) -> NDArray[Any]:
    """Sums of the first 0, 1, ..., n values of each line, (lines, n + 1)."""
    sums = np.zeros((len(values), values.shape[1] + 1), values.dtype)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums
