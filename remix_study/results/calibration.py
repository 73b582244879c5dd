"""Reliability of the rare classes' probabilities, under two priors and after a correction.

Every pair of a test row and a rare class is one forecast, "this row is of this class", and all
test parts are pooled. Under the natural prior each pair counts once. Under the balanced prior
the rows of each class weigh as much as those of every other, which is how a balanced score sees
them: what lies on the diagonal under one prior cannot lie on it under the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from remix_study.results import posthoc
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import is_exact, source_methods
from remix_study.results.frames import ProbabilityReader
from remix_study.results.methods import Method, method_order

BINS = 10
# More lines than these four cannot be told apart in a diagram; the tables have every strategy.
DRAWN_STRATEGIES = ("baseline", "logit-adjusted", "balance", "remix")
NATURAL, BALANCED, CORRECTED = "natural", "balanced", "corrected"


@dataclass(frozen=True, eq=False)
class Reliability:
    """Forecasts in bins of equal width.

    Attributes:
        counts: (BINS,) forecasts in each bin, unweighted.
        forecast: (BINS,) weighted mean forecast; NaN in an empty bin.
        observed: (BINS,) weighted share of forecasts that came true; NaN in an empty bin.
        error: weighted mean distance of the two over the bins: the calibration error.
        mean_forecast: weighted mean over all forecasts.
        share: weighted share that came true over all.
    """

    counts: NDArray[np.int64]
    forecast: NDArray[np.float64]
    observed: NDArray[np.float64]
    error: float
    mean_forecast: float
    share: float


@dataclass(frozen=True, eq=False)
class MethodReliability:
    """One row's reliability: as trained under both priors, and corrected under the natural one.

    Attributes:
        by_view: `NATURAL`, `BALANCED` and, where a correction could be made, `CORRECTED`.
        is_exact: whether the correction is exact for what the row was trained on.
    """

    method: Method
    by_view: Mapping[str, Reliability]
    is_exact: bool


def reliability(forecasts: ArrayLike, events: ArrayLike, weights: ArrayLike) -> Reliability:
    """Bin forecasts of an event and compare them with how often it came.

    Args:
        forecasts: (n,) probabilities in [0, 1].
        events: (n,) whether it came.
        weights: (n,) above zero.
    """
    p = np.asarray(forecasts, dtype=np.float64)
    hit = np.asarray(events, dtype=np.float64)
    w = np.asarray(weights, dtype=np.float64)
    place = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    mass = np.bincount(place, w, BINS)
    filled = mass > 0
    safe = np.where(filled, mass, 1.0)
    forecast = np.where(filled, np.bincount(place, w * p, BINS) / safe, np.nan)
    observed = np.where(filled, np.bincount(place, w * hit, BINS) / safe, np.nan)
    return Reliability(
        counts=np.bincount(place, minlength=BINS),
        forecast=forecast,
        observed=observed,
        error=float((mass[filled] * np.abs(forecast - observed)[filled]).sum() / mass.sum()),
        mean_forecast=float((w * p).sum() / w.sum()),
        share=float((w * hit).sum() / w.sum()),
    )


def method_reliabilities(
    comparison: Comparison, probabilities: ProbabilityReader | None, remix: Method | None
) -> tuple[MethodReliability, ...]:
    """The reliability of one row of each strategy; none without probabilities.

    Args:
        comparison: the problem.
        probabilities: reads the stored probabilities.
        remix: the ReMix row that the report speaks of.
    """
    rare = rare_class_codes(comparison)
    if probabilities is None or not comparison.is_grid or not rare:
        return ()
    rows = [row for row in source_methods(comparison, remix) if row.strategy and not row.settings]
    made = (
        method_reliability(comparison, row, probabilities, rare)
        for row in sorted(rows, key=method_order)
    )
    return tuple(one for one in made if one is not None)


def rare_class_codes(comparison: Comparison) -> list[int]:
    """Codes of the rare classes; the smallest class where none was named."""
    classes: Sequence[str] = comparison.info["classes"]
    counts: Mapping[str, int] = comparison.info["counts"]
    named = comparison.info["minority"] or (min(counts, key=lambda name: counts[name]),)
    return [list(classes).index(name) for name in named]


def table(found: Sequence[tuple[Comparison, Sequence[MethodReliability]]]) -> pd.DataFrame:
    """One line a problem, row, view and bin."""
    return pd.DataFrame(
        [
            {
                "study": comparison.study,
                "problem": comparison.problem,
                "row": made.method.label,
                "prior": "balanced" if view == BALANCED else "natural",
                "corrected": "yes" if view == CORRECTED else "no",
                "bin_from": at / BINS,
                "forecasts": int(one.counts[at]),
                "mean_forecast": one.forecast[at],
                "observed": one.observed[at],
            }
            for comparison, rows in found
            for made in rows
            for view, one in made.by_view.items()
            for at in range(BINS)
        ]
    )


def method_reliability(
    comparison: Comparison, row: Method, probabilities: ProbabilityReader, rare: Sequence[int]
) -> MethodReliability | None:
    """One row's reliability for the classes of these codes; None where every fold failed."""
    folds = comparison.folds[(comparison.folds["run"] == row.run)]
    folds = folds[folds["failed"] == ""]
    if folds.empty:
        return None
    labels, learnt, carried = [], [], []
    for fold in folds.to_dict("records"):
        place = (int(fold["repeat"]), int(fold["fold"]))
        _, y, p = probabilities(row.run, *place, "test")
        labels.append(y)
        learnt.append(p)
        back = _back(row, fold, p)
        if back is not None:
            carried.append(back)
    y, p = np.concatenate(labels), np.concatenate(learnt)
    k = p.shape[1]
    by_class = 1 / np.maximum(np.bincount(y, minlength=k), 1)
    events = np.concatenate([y == code for code in rare])
    once = np.ones(len(events))
    pooled = np.concatenate([p[:, code] for code in rare])
    views = {
        NATURAL: reliability(pooled, events, once),
        BALANCED: reliability(pooled, events, np.tile(by_class[y], len(rare))),
    }
    if len(carried) == len(folds) and row.strategy != "baseline":
        back = np.concatenate(carried)
        pooled = np.concatenate([back[:, code] for code in rare])
        views[CORRECTED] = reliability(pooled, events, once)
    return MethodReliability(row, views, is_exact(row))


def _back(
    row: Method, fold: Mapping[Any, Any], p: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Probabilities carried to the natural class shares; None where a class was never seen."""
    natural = np.asarray(fold["natural_prior"], dtype=np.float64)
    source = posthoc.scored_prior(fold["effective_prior"], natural, row.parts[2])
    return posthoc.to_prior(p, source, natural) if (source > 0).all() else None
