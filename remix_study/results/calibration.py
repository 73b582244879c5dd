"""Reliability of the rare classes' probabilities, under two priors and after a correction.

Every pair of a test row and a rare class is one forecast, "this row is of this class", and all
test parts are pooled. Under the natural prior each pair counts once. Under the balanced prior
the rows of each class weigh as much as those of every other, which is how a balanced score sees
them: what lies on the diagonal under one prior cannot lie on it under the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from remix_study.batches.losses import LOSSES
from remix_study.batches.samplers import SMOTE_SAMPLERS
from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method, method_order, nearest_alphas
from remix_study.results.probabilities import (
    ProbabilityReader,
    fold_priors,
    to_prior,
)

BINS = 10  # Bins of a reliability diagram, of equal width

DRAWN_STRATEGIES = ("baseline", "logit-adjusted", "balance", "remix")
"""Strategies of diagrams, which are readable with few lines; tables have all strategies."""

NATURAL, BALANCED, CORRECTED = "natural", "balanced", "corrected"
"""Views: as trained, under the natural and the balanced prior; corrected, under the natural."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Forecasts of an event in bins, and how often the event came.

    Attributes:
        counts: (BINS,) forecasts in each bin, unweighted.
        forecast: (BINS,) weighted mean forecast; NaN in an empty bin.
        observed: (BINS,) weighted share of forecasts that came true; NaN in an empty bin.
        error: weighted mean distance of the two over the bins: the calibration error.
        mean_forecast: weighted mean over all forecasts.
        share: weighted share that came true, over all forecasts.
    """

    counts: NDArray[np.int64]
    forecast: NDArray[np.float64]
    observed: NDArray[np.float64]
    error: float
    mean_forecast: float
    share: float


@dataclass(frozen=True, eq=False)
class MethodReliability:
    """A method's reliability: as trained under both priors, corrected under the natural one.

    `by_view` lacks `CORRECTED` where no correction could be made.
    """

    method: Method
    by_view: Mapping[str, Reliability]
    is_exact: bool

    def error(self, view: str) -> float | None:
        """The calibration error in a view; None where there is none."""
        return self.by_view[view].error if view in self.by_view else None


def mean_error(reliabilities: Sequence[MethodReliability], view: str) -> float | None:
    """The mean calibration error of those that have this view; None without any."""
    errors = [error for r in reliabilities if (error := r.error(view)) is not None]
    return float(np.mean(errors)) if errors else None


def reliability(forecasts: ArrayLike, events: ArrayLike, weights: ArrayLike) -> Reliability:
    """Bin (n,) forecasts of an event and compare them with how often it came; weights above 0."""
    p = np.asarray(forecasts, dtype=np.float64)
    came = np.asarray(events, dtype=np.float64)
    w = np.asarray(weights, dtype=np.float64)
    bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    mass = np.bincount(bins, w, BINS)
    is_filled = mass > 0
    divisor = np.where(is_filled, mass, 1.0)
    forecast = np.where(is_filled, np.bincount(bins, w * p, BINS) / divisor, np.nan)
    observed = np.where(is_filled, np.bincount(bins, w * came, BINS) / divisor, np.nan)
    distances = (mass * np.abs(forecast - observed))[is_filled]
    return Reliability(
        counts=np.bincount(bins, minlength=BINS),
        forecast=forecast,
        observed=observed,
        error=float(distances.sum() / mass.sum()),
        mean_forecast=float((w * p).sum() / w.sum()),
        share=float((w * came).sum() / w.sum()),
    )


def method_reliabilities(
    comparison: Comparison,
    probabilities: ProbabilityReader | None,
    remix: Method | None,
    summaries: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
) -> tuple[MethodReliability, ...]:
    """Compute the reliability of one method of each strategy, in the order of tables.

    There are none without probabilities and for a search, nor of methods whose every fold failed.

    Args:
        comparison: The problem.
        probabilities: None where there are none.
        remix: The ReMix method that the page speaks of.
        summaries: Run without probabilities -> what is stored of it, its reliability among that.
    """
    if not comparison.is_grid:
        return ()
    methods = [
        method
        for method in sorted(source_methods(comparison, remix), key=method_order)
        if method.strategy and not method.settings
    ]
    reliabilities: list[MethodReliability | None] = []
    for method in methods:
        if method.run in summaries:
            views = _from_json(summaries[method.run]["reliability"])
            reliabilities.append(MethodReliability(method, views, is_exact(method)))
        elif probabilities is not None:
            reliabilities.append(method_reliability(comparison, method, probabilities))
    return tuple(r for r in reliabilities if r is not None and r.by_view)


def source_methods(comparison: Comparison, remix: Method | None) -> list[Method]:
    """Select one method of each strategy and setting, and ReMix.

    Of each mixing strategy it is the alpha nearest to ReMix's, or to the published one.
    """
    target = remix.alpha if remix is not None and remix.alpha else PUBLISHED_ALPHA
    by_strategy = nearest_alphas(
        (((method.family, method.settings), method) for method in comparison.methods), target
    )
    if remix is not None:
        by_strategy[remix.family, remix.settings] = remix
    return list(by_strategy.values())


def is_exact(method: Method) -> bool:
    """Whether Bayes' rule is exact for a method: it trains on rows of the data, unmixed."""
    sampler = method.parts[0]
    return (
        method.mixing == "none"
        and sampler not in SMOTE_SAMPLERS
        and LOSSES[method.loss] != "towards balanced"
    )


def as_json(reliability: MethodReliability) -> dict[str, Any]:
    """The views of a method's reliability as JSON, which `method_reliabilities` takes back."""
    return {
        view: {name: np.asarray(value).tolist() for name, value in vars(bins).items()}
        for view, bins in reliability.by_view.items()
    }


def _from_json(views: Mapping[str, Mapping[str, Any]]) -> dict[str, Reliability]:
    def value(stored: Any) -> Any:
        return np.array(stored, np.float64) if isinstance(stored, list) else stored

    return {
        view: Reliability(**{name: value(stored) for name, stored in content.items()})
        for view, content in views.items()
    }


def rare_class_codes(comparison: Comparison) -> list[int]:
    """Codes of the problem's rare classes; that of the smallest class where none was named."""
    classes: Sequence[str] = comparison.info["classes"]
    counts: Mapping[str, int] = comparison.info["counts"]
    rare = comparison.info["minority"] or (min(counts, key=lambda name: counts[name]),)
    return [list(classes).index(name) for name in rare]


def table(
    problems: Sequence[tuple[Comparison, Sequence[MethodReliability]]],
) -> pd.DataFrame:
    """Table of reliabilities: one line a problem, method, view and bin."""
    return frame_of(
        (
            Record(problem=comparison, method=r.method, view=view, bins=bins, place=place)
            for comparison, reliabilities in problems
            for r in reliabilities
            for view, bins in r.by_view.items()
            for place in range(BINS)
        ),
        """study=problem.study problem=problem.problem row=method.label prior corrected bin_from
        forecasts mean_forecast observed""",
        prior=lambda line: "balanced" if line.view == BALANCED else "natural",
        corrected=lambda line: "yes" if line.view == CORRECTED else "no",
        bin_from=lambda line: line.place / BINS,
        forecasts=lambda line: int(line.bins.counts[line.place]),
        mean_forecast=lambda line: line.bins.forecast[line.place],
        observed=lambda line: line.bins.observed[line.place],
    )


def method_reliability(
    comparison: Comparison, method: Method, probabilities: ProbabilityReader
) -> MethodReliability | None:
    """Compute a method's reliability over its pooled test parts; None where every fold failed."""
    folds = comparison.trained_folds(method)
    if folds.empty:
        return None
    rare = rare_class_codes(comparison)
    codes_by_fold, learnt_by_fold, corrected_by_fold, weights_by_fold = [], [], [], []
    for fold in folds.to_dict("records"):
        _, fold_codes, p, weights = probabilities(
            method.run, int(fold["repeat"]), int(fold["fold"]), "test"
        )
        codes_by_fold.append(fold_codes)
        learnt_by_fold.append(p)
        weights_by_fold.append(np.ones(len(p)) if weights is None else weights)
        source, natural = fold_priors(comparison.info, method.loss, fold)
        # A class that was never drawn cannot be corrected.
        if (source > 0).all():
            corrected_by_fold.append(to_prior(p, source, natural))
    codes = np.concatenate(codes_by_fold)
    events = np.concatenate([codes == code for code in rare])
    row_weights = np.concatenate(weights_by_fold)
    totals = np.bincount(codes, row_weights, minlength=learnt_by_fold[0].shape[1])
    natural_weights = np.tile(row_weights, len(rare))
    balanced_weights = np.tile(row_weights / totals[codes], len(rare))
    forecasts = _forecasts(learnt_by_fold, rare)
    by_view = {
        NATURAL: reliability(forecasts, events, natural_weights),
        BALANCED: reliability(forecasts, events, balanced_weights),
    }
    if len(corrected_by_fold) == len(folds) and method.strategy != "baseline":
        by_view[CORRECTED] = reliability(
            _forecasts(corrected_by_fold, rare), events, natural_weights
        )
    return MethodReliability(method, by_view, is_exact(method))


def _forecasts(
    probabilities: Sequence[NDArray[np.float64]], rare: Sequence[int]
) -> NDArray[np.float64]:
    """(rows * rare classes,) the rare classes' columns of all folds, one after the other."""
    return np.concatenate(probabilities)[:, rare].ravel(order="F")
