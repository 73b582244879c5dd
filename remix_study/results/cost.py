"""What studies cost, and at which epochs networks ended.

Whether ending early matters is read within a method: if folds of one problem that trained longer
score better, the others were ended too early. That is a correlation of what happened, not an
experiment with longer training; a check of the headline is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.metrics import better_sign
from remix_study.results.columns import frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.study.times import parse_time

NOTABLE_CORRELATION = 0.3
"""Mean rank correlation of epochs and score from which on ending is said to matter.

Fixed before the runs that it is read on."""

LEAST_FOLDS = 10  # Folds that a correlation is computed from at least

# Times from before are damaged, or of a clock that was never set; so are those that lie ahead.
_EARLIEST, _AHEAD = datetime(2000, 1, 1, tzinfo=UTC), timedelta(days=1)


@dataclass(frozen=True)
class TrainingLength:
    """At which epochs the networks of one method ended, over all its problems.

    Attributes:
        networks: number of networks that did not fail; epochs are of these.
        baseline_ratio: median over problems of its median epochs over the baseline's; NaN without
            one.
        stopped: reason -> number of networks that ended for it.
        correlations: metric -> mean over problems of Spearman's correlation of epochs and score
            over the folds; above zero where networks that trained longer are better.
        problems: metric -> number of problems that this mean is over.
    """

    method: Method
    networks: int
    median_epochs: float
    fewest_epochs: int
    most_epochs: int
    baseline_ratio: float
    stopped: Mapping[str, int]
    correlations: Mapping[str, float]
    problems: Mapping[str, int]

    @property
    def has_baseline(self) -> bool:
        """Whether a problem has the baseline, too."""
        return not math.isnan(self.baseline_ratio)

    @property
    def correlated_metrics(self) -> tuple[str, ...]:
        """Metrics whose mean correlation is notable, in either direction."""
        return tuple(m for m, r in self.correlations.items() if abs(r) >= NOTABLE_CORRELATION)


def training_lengths(comparisons: Sequence[Comparison]) -> tuple[TrainingLength, ...]:
    """Summarize each method of the planned problems that has trained networks."""
    trained = [
        (c, method)
        for c in comparisons
        if c.is_grid
        for method in c.methods
        if not method.is_estimator and len(c.trained_folds(method))
    ]
    by_label = grouped(trained, lambda pair: pair[1].label)
    return tuple(_training_length(same_method) for same_method in by_label.values())


def metrics_of(lengths: Sequence[TrainingLength]) -> tuple[str, ...]:
    """Metrics in which some method has a correlation."""
    return tuple(dict.fromkeys(metric for length in lengths for metric in length.correlations))


def table(lengths: Sequence[TrainingLength]) -> pd.DataFrame:
    """Table of training lengths: one line a method."""

    def correlation(metric: str) -> Callable[[TrainingLength], float]:
        return lambda length: length.correlations.get(metric, math.nan)

    metrics = {f"correlation_{metric}": correlation(metric) for metric in metrics_of(lengths)}
    return frame_of(
        lengths,
        """row=method.label networks epochs_median=median_epochs epochs_least=fewest_epochs
        epochs_most=most_epochs epochs_over_baseline=baseline_ratio stopped """
        + " ".join(metrics),
        stopped=lambda line: "; ".join(f"{why} {n}" for why, n in line.stopped.items()),
        **metrics,
    )


def study_costs(comparisons: Sequence[Comparison], runs: pd.DataFrame) -> pd.DataFrame:
    """Table of costs: one line a study.

    Wall time is that in which at least one trial of the study ran, so that a pause between two
    starts is not counted, and two workers at once count once. Steps are NaN where a study does
    not state its batch size.
    """
    lines = []
    for study, problems in grouped(comparisons, lambda c: c.study).items():
        study_runs = runs[runs["study"] == study]
        folds = pd.concat([c.folds for c in problems])
        memory = study_runs.get("peak_memory_mb", pd.Series(math.nan))
        lines.append(
            {
                "study": study,
                "problems": len(problems),
                "points": len(study_runs),
                "networks": len(folds),
                "epochs": int(folds["epochs"].sum()),
                "steps": sum(map(_steps, problems)),
                "training_seconds": float(study_runs["seconds"].sum()),
                "wall_seconds": wall_seconds(study_runs),
                "peak_memory_mb": float(memory.max()),
            }
        )
    return pd.DataFrame(lines)


def wall_seconds(runs: pd.DataFrame) -> float:
    """Seconds in which at least one run was under way; NaN for runs without known times.

    Runs that ended before they began, in the future, or in another century are left out.
    """
    if "started" not in runs or not len(runs):
        return math.nan
    spans = runs[["started", "finished"]].itertuples(index=False)
    if "spans" in runs:
        spans = chain.from_iterable(runs["spans"])
    latest = datetime.now(UTC) + _AHEAD
    times = [(parse_time(start), parse_time(end)) for start, end in spans]
    known = sorted((start, end) for start, end in times if _EARLIEST <= start <= end <= latest)
    if not known:
        return math.nan
    # Whole microseconds: in seconds since 1970 they would lose digits.
    nothing = timedelta(0)
    total, until = nothing, known[0][0]
    for start, end in known:
        total += max(end - max(start, until), nothing)
        until = max(until, end)
    return total.total_seconds()


def _training_length(problems: Sequence[tuple[Comparison, Method]]) -> TrainingLength:
    networks = pd.concat([c.trained_folds(method) for c, method in problems])
    ratios: list[float] = []
    correlations: dict[str, list[float]] = {}
    for c, method in problems:
        folds = c.trained_folds(method)
        baseline = next((m for m in c.methods if m.label == "baseline"), None)
        baseline_folds = c.trained_folds(baseline)
        if len(baseline_folds):
            ratios.append(float(folds["epochs"].median() / baseline_folds["epochs"].median()))
        places = zip(folds["repeat"], folds["fold"], strict=True)
        epochs = dict(zip(places, folds["epochs"], strict=True))
        for metric in c.objectives:
            correlation = _correlation(epochs, c.score(method.label, metric), metric)
            if not math.isnan(correlation):
                correlations.setdefault(metric, []).append(correlation)
    return TrainingLength(
        method=problems[0][1],
        networks=len(networks),
        median_epochs=float(networks["epochs"].median()),
        fewest_epochs=int(networks["epochs"].min()),
        most_epochs=int(networks["epochs"].max()),
        baseline_ratio=float(np.median(ratios)) if ratios else math.nan,
        stopped={str(why): int(n) for why, n in networks["stopped"].value_counts().items()},
        correlations={metric: float(np.mean(rs)) for metric, rs in correlations.items()},
        problems={metric: len(rs) for metric, rs in correlations.items()},
    )


def _correlation(epochs: Mapping[Any, int], scores: pd.Series[float], metric: str) -> float:
    """Spearman's correlation of epochs and score over folds, positive where longer is better.

    Both are by (repeat, fold). NaN with fewer than `LEAST_FOLDS`, and where one does not vary.
    """
    pairs = [(epochs[place], score) for place, score in scores.items() if place in epochs]
    if len(pairs) < LEAST_FOLDS or any(len({*values}) < 2 for values in zip(*pairs, strict=True)):
        return math.nan
    # As spearmanr computes it, without its p-value, which takes most of the time.
    ranks = stats.rankdata(np.transpose(pairs), axis=1)
    return better_sign(metric) * float(np.atleast_2d(np.corrcoef(ranks))[1, 0])


def _steps(comparison: Comparison) -> float:
    """Gradient steps: epochs times the full batches of an epoch; NaN without a batch size."""
    batch_size = (comparison.definition or {}).get("training", {}).get("batch_size")
    if not isinstance(batch_size, int):
        return math.nan
    folds = comparison.folds
    return float((folds["epochs"] * (folds["n_train"] // batch_size)).sum())
