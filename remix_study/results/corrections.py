"""Methods that need no training: stored probabilities, corrected and scored again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.losses import LOSSES
from remix_study.batches.samplers import SMOTE_SAMPLERS
from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import METRICS, score
from remix_study.results import posthoc
from remix_study.results.alphas import nearest_alphas
from remix_study.results.comparison import Comparison
from remix_study.results.intervals import corrected_interval, paired_interval
from remix_study.results.methods import Method
from remix_study.results.probabilities import ProbabilityReader

DIVIDED = "baseline / prior"
"""Name of the method that divides the baseline's probabilities by the class shares."""

THRESHOLD = "baseline + threshold"
"""Name of the method that decides by the threshold with the best validation g-mean."""

SAME_PRIOR = 0.05
"""Class shares within this relative distance of the natural ones are not corrected."""

# What a decision rule changes; the probabilities themselves stay as they are.
_DECISION_METRICS = ("g_mean", "balanced_accuracy", "min_recall")

MetricScores = dict[str, float]
"""Metric -> score of one fold."""


@dataclass(frozen=True, eq=False)
class CorrectedMethod:
    """A method made from another one's stored probabilities.

    Attributes:
        name: such as "remix (0.1) corrected".
        source: the method whose probabilities were corrected.
        scores: metric -> test scores by fold; only what the correction can change.
        is_exact: whether the correction is exact for what the source was trained on.
    """

    name: str
    source: Method
    scores: Mapping[str, pd.Series[float]]
    is_exact: bool

    def score(self, metric: str) -> pd.Series[float]:
        """Test scores by (repeat, fold); empty where the correction does not change the metric."""
        return self.scores.get(metric, pd.Series(dtype=float))


def corrected_methods(
    comparison: Comparison, probabilities: ProbabilityReader | None, remix: Method | None
) -> tuple[CorrectedMethod, ...]:
    """Correct the stored probabilities of one method of each strategy, and score them.

    Args:
        comparison: the problem.
        probabilities: reads the stored probabilities; None where there are none.
        remix: the ReMix method that the report speaks of; of each other mixing strategy the
            nearest alpha is taken.

    Returns:
        All corrected methods; empty without probabilities and for a search.
    """
    if probabilities is None or not comparison.is_grid:
        return ()
    methods: list[CorrectedMethod] = []
    for source in source_methods(comparison, remix):
        folds = comparison.trained_folds(source)
        if folds.empty:
            continue
        is_shifted = _is_shifted(source, folds)
        scores_by_name: dict[str, dict[tuple[int, int], MetricScores]] = {}
        for fold in folds.to_dict("records"):
            place = (int(fold["repeat"]), int(fold["fold"]))
            corrected = _corrected_scores(
                source, fold, place, probabilities, is_shifted=is_shifted
            )
            for name, scores in corrected.items():
                scores_by_name.setdefault(name, {})[place] = scores
        for name, by_fold in scores_by_name.items():
            methods.append(CorrectedMethod(name, source, _series(by_fold), is_exact(source)))
    return tuple(methods)


def _series(by_fold: dict[tuple[int, int], MetricScores]) -> dict[str, pd.Series[float]]:
    """Metric -> scores indexed by (repeat, fold)."""
    frame = pd.DataFrame.from_dict(by_fold, orient="index")
    frame.index = pd.MultiIndex.from_tuples(by_fold, names=["repeat", "fold"])
    return {str(metric): frame[metric].sort_index() for metric in frame}


def table(problems: Sequence[tuple[Comparison, Sequence[CorrectedMethod]]]) -> pd.DataFrame:
    """Table of corrected methods: one line a problem, method and metric.

    Metrics of single classes are left out. Each line has the difference to the source.
    """
    lines = []
    for comparison, methods in problems:
        for method in methods:
            for metric, scores in method.scores.items():
                if metric not in METRICS:
                    continue
                interval = corrected_interval(scores, comparison.ratio)
                change = paired_interval(
                    scores, comparison.score(method.source.label, metric), comparison.ratio
                )
                lines.append(
                    {
                        "study": comparison.study,
                        "problem": comparison.problem,
                        "row": method.name,
                        "source": method.source.label,
                        "exact": "yes" if method.is_exact else "no",
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
    """Select one method of each strategy and setting.

    Args:
        comparison: the problem.
        remix: is among them; the nearest alpha to its own is taken of each mixing strategy, or
            the nearest to the published alpha if it is None.
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


def _is_shifted(method: Method, folds: pd.DataFrame) -> bool:
    """Whether a method was trained under other class shares than those of the data."""
    natural = np.stack(folds["natural_prior"].to_list())
    shares = np.stack(folds["effective_prior"].to_list()).mean(axis=0)
    effective = posthoc.scored_prior(shares, natural.mean(axis=0), method.loss)
    return bool((np.abs(effective / natural.mean(axis=0) - 1) > SAME_PRIOR).any())


def _corrected_scores(
    source: Method,
    fold: Mapping[Any, Any],
    place: tuple[int, int],
    probabilities: ProbabilityReader,
    *,
    is_shifted: bool,
) -> dict[str, MetricScores]:
    """Name of a corrected method -> its test scores on one fold."""
    _, y, p = probabilities(source.run, *place, "test")
    _, y_validation, p_validation = probabilities(source.run, *place, "validation")
    natural = np.asarray(fold["natural_prior"], dtype=np.float64)
    if source.strategy == "baseline":
        return _corrected_baseline(source, y, p, y_validation, p_validation, natural)
    prior = natural
    if is_shifted:
        prior = posthoc.scored_prior(fold["effective_prior"], natural, source.loss)
    if (prior <= 0).any():
        return {}
    n_classes = p.shape[1]
    name = source.label
    scores: dict[str, MetricScores] = {}
    if is_shifted:
        name = f"{source.label} corrected"
        scores[name] = score(y, posthoc.to_prior(p, prior, natural), n_classes)
    if source.mixing != "none":
        # The temperature acts on what was learnt, so it comes before the change of prior.
        temperature = posthoc.fit_temperature(y_validation, p_validation, natural / prior)
        softened = posthoc.with_temperature(p, temperature)
        softened = posthoc.to_prior(softened, prior, natural)
        scores[f"{name} + temperature"] = score(y, softened, n_classes)
    return scores


def _corrected_baseline(
    baseline: Method,
    y: NDArray[np.int32],
    p: NDArray[np.float64],
    y_validation: NDArray[np.int32],
    p_validation: NDArray[np.float64],
    natural: NDArray[np.float64],
) -> dict[str, MetricScores]:
    """The baseline divided by the prior, with a threshold, and with a temperature.

    Args:
        baseline: the method.
        y: (n,) class codes of the test part.
        p: (n, K) probabilities of the test part.
        y_validation: (m,) class codes of the validation part.
        p_validation: (m, K) probabilities of the validation part.
        natural: (K,) class shares of the training rows.
    """
    n_classes = p.shape[1]
    suffix = f", {baseline.settings}" if baseline.settings else ""
    amount = posthoc.choose_tilt(y_validation, p_validation, natural)
    decided = score(y, posthoc.tilt(p, natural, amount), n_classes)
    temperature = posthoc.fit_temperature(y_validation, p_validation)
    softened = posthoc.with_temperature(p, temperature)
    return {
        DIVIDED + suffix: score(y, posthoc.balanced(p, natural), n_classes),
        THRESHOLD + suffix: {
            metric: value
            for metric, value in decided.items()
            if metric in _DECISION_METRICS or metric.startswith("recall_")
        },
        f"{baseline.label} + temperature": score(y, softened, n_classes),
    }
