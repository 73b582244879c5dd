"""Rows that need no training: stored probabilities, corrected and scored again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import METRICS, score
from remix_study.results import posthoc
from remix_study.results.alphas import nearest_alphas
from remix_study.results.comparison import Comparison
from remix_study.results.frames import ProbabilityReader
from remix_study.results.intervals import (
    corrected_interval,
    paired_interval,
)
from remix_study.results.methods import Method

DIVIDED = "baseline / prior"
THRESHOLD = "baseline + threshold"
# Class shares within this of the natural ones need no correction.
SAME_PRIOR = 0.05
# What a decision rule changes; the probabilities themselves stay as they are.
_DECISIONS = ("g_mean", "balanced_accuracy", "min_recall")


@dataclass(frozen=True, eq=False)
class CorrectedMethod:
    """One corrected row.

    Attributes:
        name: such as "remix (0.1) corrected".
        source: the row whose probabilities were corrected.
        scores: metric -> test scores by fold; only what the correction can change.
        is_exact: whether the correction is exact for what the source was trained on.
    """

    name: str
    source: Method
    scores: Mapping[str, pd.Series[float]]
    is_exact: bool

    def score(self, metric: str) -> pd.Series[float]:
        return self.scores.get(metric, pd.Series(dtype=float))


def corrected_methods(
    comparison: Comparison, probabilities: ProbabilityReader | None, remix: Method | None
) -> tuple[CorrectedMethod, ...]:
    """Every corrected row of a planned problem, none where no probabilities are stored.

    Args:
        comparison: the problem.
        probabilities: reads the stored probabilities.
        remix: the ReMix row that the report speaks of; of each other mixing strategy the alpha
            nearest to its own is taken.
    """
    if probabilities is None or not comparison.is_grid:
        return ()
    made: list[CorrectedMethod] = []
    for row in source_methods(comparison, remix):
        scored: dict[str, dict[tuple[int, int], dict[str, float]]] = {}
        folds = comparison.folds[comparison.folds["run"] == row.run]
        folds = folds[folds["failed"] == ""]
        if folds.empty:
            continue
        shifted = _is_shifted(row, folds)
        for fold in folds.to_dict("records"):
            place = (int(fold["repeat"]), int(fold["fold"]))
            for name, scores in _fold(row, fold, place, probabilities, shifted=shifted).items():
                scored.setdefault(name, {})[place] = scores
        for name, by_fold in scored.items():
            frame = pd.DataFrame.from_dict(by_fold, orient="index")
            frame.index = pd.MultiIndex.from_tuples(by_fold, names=["repeat", "fold"])
            series = {str(metric): frame[metric].sort_index() for metric in frame}
            made.append(CorrectedMethod(name, row, series, is_exact(row)))
    return tuple(made)


def table(found: Sequence[tuple[Comparison, Sequence[CorrectedMethod]]]) -> pd.DataFrame:
    """One line a problem, corrected row and metric, with the difference to its source."""
    lines = []
    for comparison, rows in found:
        for row in rows:
            for metric, scores in row.scores.items():
                if metric not in METRICS:
                    # Of single classes; what all of them came to is there.
                    continue
                interval = corrected_interval(scores, comparison.ratio)
                change = paired_interval(
                    scores, comparison.score(row.source.label, metric), comparison.ratio
                )
                lines.append(
                    {
                        "study": comparison.study,
                        "problem": comparison.problem,
                        "row": row.name,
                        "source": row.source.label,
                        "exact": "yes" if row.is_exact else "no",
                        "metric": metric,
                        "mean": interval.mean,
                        "corrected_se": interval.standard_error,
                        "folds": interval.folds,
                        "difference_to_source": change.mean,
                        "difference_low": change.low,
                        "difference_high": change.high,
                    }
                )
    return pd.DataFrame(lines)


def source_methods(comparison: Comparison, remix: Method | None) -> list[Method]:
    """One row of each strategy: the mixing ones at the alpha nearest to that of `remix`."""
    target = remix.alpha if remix is not None and remix.alpha else PUBLISHED_ALPHA
    by_strategy = nearest_alphas(
        (((row.family, row.settings), row) for row in comparison.methods), target
    )
    if remix is not None:
        by_strategy[remix.family, remix.settings] = remix
    return list(by_strategy.values())


def is_exact(row: Method) -> bool:
    """Whether Bayes' rule is exact for a row: its rows are those of the data, none mixed."""
    sampler, mixing, loss = row.parts
    return mixing == "none" and "smote" not in sampler and loss not in posthoc.APPROXIMATE_LOSSES


def _is_shifted(row: Method, folds: pd.DataFrame) -> bool:
    """Whether the row was trained under other class shares than those of the data."""
    natural = np.stack(folds["natural_prior"].to_list())
    shares = np.stack(folds["effective_prior"].to_list()).mean(axis=0)
    effective = posthoc.scored_prior(shares, natural.mean(axis=0), row.parts[2])
    return bool((np.abs(effective / natural.mean(axis=0) - 1) > SAME_PRIOR).any())


def _fold(
    row: Method,
    fold: Mapping[Any, Any],
    place: tuple[int, int],
    probabilities: ProbabilityReader,
    *,
    shifted: bool,
) -> dict[str, dict[str, float]]:
    _, y, p = probabilities(row.run, *place, "test")
    _, y_validation, p_validation = probabilities(row.run, *place, "validation")
    natural = np.asarray(fold["natural_prior"], dtype=np.float64)
    effective = posthoc.scored_prior(fold["effective_prior"], natural, row.parts[2])
    k = p.shape[1]
    scored: dict[str, dict[str, float]] = {}
    if row.strategy == "baseline":
        suffix = f", {row.settings}" if row.settings else ""
        scored[DIVIDED + suffix] = score(y, posthoc.balanced(p, natural), k)
        amount = posthoc.choose_tilt(y_validation, p_validation, natural)
        decided = score(y, posthoc.tilt(p, natural, amount), k)
        scored[THRESHOLD + suffix] = {
            metric: value
            for metric, value in decided.items()
            if metric in _DECISIONS or metric.startswith("recall_")
        }
        temperature = posthoc.fit_temperature(y_validation, p_validation)
        scored[f"{row.label} + temperature"] = score(
            y, posthoc.with_temperature(p, temperature), k
        )
        return scored
    name, source = row.label, effective if shifted else natural
    if (source <= 0).any():
        return scored
    back: NDArray[np.float64] = posthoc.to_prior(p, source, natural)
    if shifted:
        name = f"{row.label} corrected"
        scored[name] = score(y, back, k)
    if row.parts[1] != "none":
        # The temperature acts on what was learnt, so it comes before the change of prior.
        temperature = posthoc.fit_temperature(y_validation, p_validation, natural / source)
        softened = posthoc.with_temperature(p, temperature)
        scored[f"{name} + temperature"] = score(y, posthoc.to_prior(softened, source, natural), k)
    return scored
