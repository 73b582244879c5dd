"""What a search's choice is worth on outer folds, which took no part in the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.metrics import CORE_METRICS
from remix_study.results.intervals import Interval, corrected_interval, score_interval
from remix_study.results.search_frames import SearchResult, SearchTrial

OUTER_METRICS = tuple(metric for metric in CORE_METRICS if metric != "cwece")
"""Scores of outer folds that are computed besides the objectives."""

FoldScores = Mapping[tuple[int, str, str], "pd.Series[float]"]
"""(run, metric, part) -> scores by (repeat, fold)."""


@dataclass(frozen=True)
class OuterScores:
    """Scores on the outer folds of what one criterion chose.

    Attributes:
        choice: the objective that chose, or "baseline".
        labels: the configuration chosen for each outer fold.
        scores: metric -> interval over the outer folds, each a mean over its networks.
        gains: metric -> interval of the choice minus the baseline; empty for the baseline itself,
            and without it.
    """

    choice: str
    labels: tuple[str, ...]
    scores: Mapping[str, Interval]
    gains: Mapping[str, Interval]


def outer_scores(
    search: SearchResult, objectives: Sequence[str], scores: FoldScores
) -> tuple[OuterScores, ...]:
    """Score each choice of a search on its outer folds.

    Args:
        search: the search.
        objectives: its metrics.
        scores: of all its runs.

    Returns:
        One entry a choice; empty without outer folds or while some of them are missing.
    """
    if not search.outer or len(search.outer) < search.planned_outer:
        return ()
    choices = tuple(dict.fromkeys(trial.chosen_by for trial in search.outer))
    sizes = search.sizes[search.sizes["run"].isin([trial.run for trial in search.outer])]
    ratio = float(sizes["n_test"].sum() / (sizes["n_train"] + sizes["n_validation"]).sum())
    metrics = list(dict.fromkeys((*objectives, *OUTER_METRICS)))
    trials = {
        choice: [trial for trial in search.outer if trial.chosen_by == choice]
        for choice in choices
    }
    means = {
        (choice, metric): _means(trials[choice], metric, scores)
        for choice in choices
        for metric in metrics
    }
    return tuple(
        OuterScores(
            choice=choice,
            labels=tuple(trial.label for trial in trials[choice]),
            scores={m: score_interval(m, means[choice, m], ratio) for m in metrics},
            gains={
                m: corrected_interval(means[choice, m] - means["baseline", m], ratio)
                for m in metrics
                if choice != "baseline" and "baseline" in choices
            },
        )
        for choice in choices
    )


def _means(trials: Sequence[SearchTrial], metric: str, scores: FoldScores) -> pd.Series[float]:
    """Mean test score of the networks of each outer fold, by outer fold."""
    return pd.Series(
        {
            trial.outer_fold: float(scores[trial.run, metric, "test"].mean())
            for trial in trials
            if (trial.run, metric, "test") in scores
        },
        dtype=float,
    )
