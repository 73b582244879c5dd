"""Methods that need no training: stored probabilities, corrected and scored again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.losses import LOSSES, RowWeights
from remix_study.batches.samplers import SMOTE_SAMPLERS
from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import BUILT_IN_METRICS, CLASS_METRICS, CORE_METRICS, METRICS, score
from remix_study.results.aims import G_MEAN, study_costs
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference
from remix_study.results.methods import CorrectedMethod, Method, nearest_alphas
from remix_study.results.probabilities import (
    ProbabilityReader,
    balanced,
    fit_temperature,
    fold_priors,
    prior_name,
    tilt,
    to_prior,
    with_temperature,
)
from remix_study.results.thresholds import best_tilt

DIVIDED = "baseline / prior"
"""Label of the method that divides the baseline's probabilities by the class shares."""

THRESHOLD = "baseline + threshold"
"""Label of the method that decides by the threshold with the best validation g-mean."""


def corrected_methods(
    comparison: Comparison,
    probabilities: ProbabilityReader | None,
    remix: Method | None,
    summaries: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
) -> dict[CorrectedMethod, pd.DataFrame]:
    """Correct the stored probabilities of one method of each strategy, and score them.

    Args:
        comparison: the problem.
        probabilities: None where there are none.
        remix: the ReMix method that the report speaks of; of each other mixing strategy the
            nearest alpha is taken.
        summaries: run without probabilities -> stored scores of its corrections.

    Returns:
        Corrected method -> (folds, metrics) frame of its test scores, in metrics that the
        correction can change; empty without probabilities and for a search.
    """
    methods: dict[CorrectedMethod, pd.DataFrame] = {}
    if not comparison.is_grid:
        return methods
    for source in source_methods(comparison, remix):
        scores: Mapping[str, pd.DataFrame] = {}
        if source.run in summaries:
            corrected = summaries[source.run]["corrected"]
            scores = {label: _frame(**content) for label, content in corrected.items()}
        elif probabilities is not None:
            scores = _corrected_scores(comparison, source, probabilities)
        for label, frame in scores.items():
            methods[CorrectedMethod(label, source, is_exact(source))] = frame
    return methods


def correction_summaries_of_runs(comparison: Comparison) -> dict[int, dict[str, Any]]:
    """Run -> scores of its corrections as JSON, which `corrected_methods` takes back."""
    summaries: dict[int, dict[str, Any]] = {}
    for method in comparison.corrected:
        columns = {
            metric: frame[method.label]
            for (part, metric), frame in comparison.scores.items()
            if part == "test" and method.label in frame
        }
        # A fold may lack one metric: a class is missing in its test part.
        scores = pd.DataFrame(columns).dropna(how="all")
        summaries.setdefault(method.source.run, {})[method.label] = {
            "folds": [[int(number) for number in fold] for fold in scores.index],
            "scores": scores.to_dict("list"),
        }
    return summaries


def _corrected_scores(
    comparison: Comparison, source: Method, probabilities: ProbabilityReader
) -> dict[str, pd.DataFrame]:
    """Label of a corrected method -> (folds, metrics) frame of its test scores."""
    folds = comparison.trained_folds(source)
    correct = _corrector(comparison, source, probabilities)
    scores: dict[str, dict[tuple[int, int], dict[str, float]]] = {}
    # A study has the metrics that its file names, and those of the version that trained it.
    names = comparison.metrics()
    extra = [name for name in BUILT_IN_METRICS if name in names]
    # A decision rule leaves the probabilities as they are.
    of_classes = [m for m in names if m in CLASS_METRICS or m.startswith("recall_")]
    costs = study_costs(comparison.info)
    for repeat, number in zip(folds["repeat"], folds["fold"], strict=True):
        place = int(repeat), int(number)
        _, y, p, weights = probabilities(source.run, *place, "test")
        for label, corrected in correct(place).items():
            options: dict[str, Any] = {"sample_weight": weights, "costs": costs}
            scored = score(y, corrected, p.shape[1], extra, **options)
            scores.setdefault(label, {})[place] = {
                metric: value
                for metric, value in scored.items()
                if metric in (of_classes if label.startswith(THRESHOLD) else names)
            }
    return {
        label: pd.DataFrame(
            by_fold.values(), pd.MultiIndex.from_tuples(by_fold, names=["repeat", "fold"])
        )
        for label, by_fold in scores.items()
    }


def _corrector(
    comparison: Comparison, source: Method, probabilities: ProbabilityReader
) -> Callable[[tuple[int, int]], dict[str, NDArray[np.float64]]]:
    """What corrects a method's test part at a place: label -> probabilities."""
    priors = {
        (int(fold["repeat"]), int(fold["fold"])): fold_priors(comparison.info, source.loss, fold)
        for fold in comparison.trained_folds(source).to_dict("records")
    }
    is_shifted = prior_name(source.loss, list(priors.values())) != "natural"

    @lru_cache(maxsize=1)
    def correct(place: tuple[int, int]) -> dict[str, NDArray[np.float64]]:
        _, _, p, _ = probabilities(source.run, *place, "test")
        validation = probabilities(source.run, *place, "validation")[1:]
        prior, natural = priors[place]
        return _corrected(source, natural, prior if is_shifted else natural, p, validation)

    return correct


def _frame(folds: Sequence[Sequence[int]], scores: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(map(tuple, folds), names=["repeat", "fold"])
    return pd.DataFrame(scores, index, dtype=np.float64)


def with_methods(
    comparison: Comparison, corrected: Mapping[CorrectedMethod, pd.DataFrame]
) -> Comparison:
    """The problem with the corrected methods whose sources it has, and with their test scores."""
    runs = {method.run for method in comparison.methods}
    methods = {m: scores for m, scores in corrected.items() if m.source.run in runs}
    if not methods:
        return comparison
    scores = dict(comparison.scores)
    # Put together once: pandas compares the folds of all columns whenever they become a frame.
    added = pd.concat({m.label: frame for m, frame in methods.items()}, axis=1)
    added = added.swaplevel(axis=1)
    for metric in dict.fromkeys(map(str, added.columns.get_level_values(0))):
        stored = [scores["test", metric]] if ("test", metric) in scores else []
        scores["test", metric] = pd.concat([*stored, added[metric]], axis=1).sort_index()
    bootstrap = comparison.bootstrap
    if bootstrap is not None:
        read = bootstrap.probabilities
        correct = {m.source.run: _corrector(comparison, m.source, read) for m in methods}
        corrections = {m.label: (m.source.run, correct[m.source.run]) for m in methods}
        bootstrap = replace(bootstrap, corrections=corrections)
    return replace(comparison, corrected=tuple(methods), scores=scores, bootstrap=bootstrap)


def table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Table of corrected methods: one line a problem, method and metric.

    Metrics of single classes are left out. Each line has the difference to the source.
    """
    return frame_of(
        (
            Record(problem=c, method=method, score=score, change=change)
            for c in comparisons
            for method in c.corrected
            for metric in METRICS
            if (score := c.effects.score(method.label, metric))
            and (change := c.effects.difference(method.label, method.source.label, metric))
        ),
        """study=problem.study problem=problem.problem row=method.label source=method.source.label
        exact metric=score.metric mean=score.mean corrected_se=score.interval.standard_error
        folds=score.interval.folds difference_to_source=change.mean
        difference_low=change.interval.low difference_high=change.interval.high""",
        exact=lambda line: "yes" if line.method.is_exact else "no",
    )


@dataclass(frozen=True, eq=False)
class CorrectionSummary:
    """What one correction changes on several problems; its method is that of the first one.

    `differences` has corrected minus uncorrected by metric, one a problem that has both.
    """

    method: CorrectedMethod
    n_problems: int
    differences: Mapping[str, Sequence[Difference]]

    def mean_change(self, metric: str) -> float:
        changes = [difference.mean for difference in self.differences[metric]]
        return sum(changes) / len(changes)

    def n_better(self, metric: str) -> int:
        return [difference.direction for difference in self.differences[metric]].count("better")


def correction_summaries(comparisons: Sequence[Comparison]) -> tuple[CorrectionSummary, ...]:
    """Put together what each correction changes on these problems in the core metrics."""
    by_label = grouped(((c, m) for c in comparisons for m in c.corrected), lambda p: p[1].label)
    summaries = []
    for pairs in by_label.values():
        changes = {
            metric: [c.effects.difference(m.label, m.source.label, metric) for c, m in pairs]
            for metric in CORE_METRICS
        }
        differences = {name: [d for d in values if d] for name, values in changes.items()}
        summaries.append(CorrectionSummary(pairs[0][1], len(pairs), differences))
    return tuple(summaries)


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


def _corrected(
    source: Method,
    natural: NDArray[np.float64],
    prior: NDArray[np.float64],
    p: NDArray[np.float64],
    validation: tuple[NDArray[np.int32], NDArray[np.float64], RowWeights],
) -> dict[str, NDArray[np.float64]]:
    """Correct the test part's probabilities p, (n, K): label of a corrected method -> the same.

    Temperature and threshold are chosen with class codes, probabilities and weights of the
    validation part.
    """
    y, learnt, weights = validation
    if source.strategy == "baseline":
        suffix = f", {source.settings}" if source.settings else ""
        return {
            DIVIDED + suffix: balanced(p, natural),
            THRESHOLD + suffix: tilt(p, natural, best_tilt(y, learnt, natural, G_MEAN, weights)),
            f"{source.label} + temperature": with_temperature(
                p, fit_temperature(y, learnt, weights=weights)
            ),
        }
    if (prior <= 0).any():
        return {}
    label, corrected = source.label, {}
    if prior is not natural:
        label = f"{label} corrected"
        corrected[label] = to_prior(p, prior, natural)
    if source.mixing != "none":
        # The temperature acts on what was learnt, so it comes before the change of prior.
        softened = with_temperature(p, fit_temperature(y, learnt, natural / prior, weights))
        corrected[f"{label} + temperature"] = to_prior(softened, prior, natural)
    return corrected
