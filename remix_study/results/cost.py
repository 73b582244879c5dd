"""What the studies cost, and at which epochs their networks ended.

Whether ending early matters is read within a row: where folds of one problem that trained longer
score better, the others were ended too early. That is a correlation of what happened, not a
trial of longer training; a check of the headline is one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.metrics import is_maximized
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method

# The mean rank correlation of epochs and score, over problems, from which on ending is said to
# matter. Fixed before the runs that it is read on.
NOTABLE_CORRELATION = 0.3
# Fewer folds give no correlation worth averaging.
LEAST_FOLDS = 10
BASELINE = "baseline"


@dataclass(frozen=True)
class TrainingLength:
    """When the networks of one row ended, over all its problems.

    Attributes:
        networks: those that did not fail.
        baseline_ratio: median over problems of its median epochs over the baseline's; NaN without
            one.
        stopped: why -> how many networks.
        correlations: metric -> mean over problems of Spearman's correlation of epochs and score
            over the folds; above zero where networks that trained longer are better.
        problems: metric -> how many problems that mean is over.
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
    def correlated_metrics(self) -> tuple[str, ...]:
        """Metrics in which ending earlier went with another score."""
        return tuple(m for m, r in self.correlations.items() if abs(r) >= NOTABLE_CORRELATION)


def training_lengths(comparisons: Sequence[Comparison]) -> tuple[TrainingLength, ...]:
    """One entry a row of the planned problems."""
    usable = [c for c in comparisons if c.is_grid]
    labels = dict.fromkeys(row.label for c in usable for row in c.methods)
    return tuple(made for label in labels if (made := _ended(label, usable)) is not None)


def table(found: Sequence[TrainingLength]) -> pd.DataFrame:
    """One line a row."""
    return pd.DataFrame(
        [
            {
                "row": made.method.label,
                "networks": made.networks,
                "epochs_median": made.median_epochs,
                "epochs_least": made.fewest_epochs,
                "epochs_most": made.most_epochs,
                "epochs_over_baseline": made.baseline_ratio,
                "stopped": "; ".join(f"{why} {n}" for why, n in made.stopped.items()),
                **{f"correlation_{metric}": r for metric, r in made.correlations.items()},
            }
            for made in found
        ]
    )


def study_costs(comparisons: Sequence[Comparison], runs: pd.DataFrame) -> pd.DataFrame:
    """One line a study: networks, epochs, steps, training time, wall time, peak memory.

    Wall time is that in which at least one trial of the study ran, so that a pause between two
    starts is not counted; two workers at once count once. Steps are None where a study does not
    say its batch size.

    Args:
        comparisons: every problem of every study.
        runs: `StudyFrames.runs`.
    """
    lines = []
    for study in dict.fromkeys(c.study for c in comparisons):
        own = [c for c in comparisons if c.study == study]
        here = runs[runs["study"] == study]
        folds = pd.concat([c.folds for c in own])
        steps = [_steps(c) for c in own]
        lines.append(
            {
                "study": study,
                "problems": len(own),
                "points": len(here),
                "networks": len(folds),
                "epochs": int(folds["epochs"].sum()),
                "steps": math.nan if any(map(math.isnan, steps)) else sum(steps),
                "training_seconds": float(here["seconds"].sum()),
                "wall_seconds": wall_seconds(here),
                "peak_memory_mb": _peak(here),
            }
        )
    return pd.DataFrame(lines)


def wall_seconds(runs: pd.DataFrame) -> float:
    """Seconds in which at least one of the runs was under way; NaN where none says when."""
    if "started" not in runs or not len(runs):
        return math.nan
    begin = pd.to_datetime(runs["started"], utc=True, format="ISO8601")
    end = pd.to_datetime(runs["finished"], utc=True, format="ISO8601")
    total, until = pd.Timedelta(0), None
    for first, last in sorted(zip(begin, end, strict=True)):
        start = first if until is None or first > until else until
        if last > start:
            total += last - start
        until = last if until is None else max(until, last)
    return float(total.total_seconds())


def _ended(label: str, usable: Sequence[Comparison]) -> TrainingLength | None:
    epochs: list[pd.DataFrame] = []
    ratios: list[float] = []
    found: dict[str, list[float]] = {}
    row: Method | None = None
    for c in usable:
        own = next((r for r in c.methods if r.label == label), None)
        folds = _folds(c, own)
        if own is None or folds.empty:
            continue
        row = row or own
        epochs.append(folds)
        base = _folds(c, next((r for r in c.methods if r.label == BASELINE), None))
        if len(base):
            ratios.append(float(folds["epochs"].median() / base["epochs"].median()))
        for metric in c.objectives:
            r = _correlation(c, own, folds, metric)
            if not math.isnan(r):
                found.setdefault(metric, []).append(r)
    if row is None:
        return None
    everything = pd.concat(epochs)
    return TrainingLength(
        method=row,
        networks=len(everything),
        median_epochs=float(everything["epochs"].median()),
        fewest_epochs=int(everything["epochs"].min()),
        most_epochs=int(everything["epochs"].max()),
        baseline_ratio=float(np.median(ratios)) if ratios else math.nan,
        stopped={str(why): int(n) for why, n in everything["stopped"].value_counts().items()},
        correlations={metric: float(np.mean(rs)) for metric, rs in found.items()},
        problems={metric: len(rs) for metric, rs in found.items()},
    )


def _folds(comparison: Comparison, row: Method | None) -> pd.DataFrame:
    folds = comparison.folds
    run = -1 if row is None else row.run
    return folds[(folds["run"] == run) & (folds["failed"] == "")]


def _correlation(comparison: Comparison, row: Method, folds: pd.DataFrame, metric: str) -> float:
    """Spearman's, positive where longer training is better; NaN where either does not vary."""
    epochs = folds.set_index(["repeat", "fold"])["epochs"]
    first, second = epochs.align(comparison.score(row.label, metric), join="inner")
    if len(first) < LEAST_FOLDS or first.nunique() < 2 or second.nunique() < 2:
        return math.nan
    sign = 1.0 if is_maximized(metric) else -1.0
    return sign * float(stats.spearmanr(first, second).statistic)


def _steps(comparison: Comparison) -> float:
    """Gradient steps: epochs times the full batches of an epoch."""
    began = comparison.info.get("definition")
    training = began.get("training", {}) if isinstance(began, Mapping) else {}
    size = training.get("batch_size")
    if not isinstance(size, int):
        return math.nan
    folds = comparison.folds
    return float((folds["epochs"] * (folds["n_train"] // size)).sum())


def _peak(runs: pd.DataFrame) -> float:
    return float(runs["peak_memory_mb"].max()) if "peak_memory_mb" in runs else math.nan
