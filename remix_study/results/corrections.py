"""Methods that need no training: stored probabilities, corrected and scored again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.losses import LOSSES
from remix_study.batches.samplers import SMOTE_SAMPLERS
from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import CORE_METRICS, METRICS, score
from remix_study.results import posthoc
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference
from remix_study.results.methods import CorrectedMethod, Method, nearest_alphas
from remix_study.results.probabilities import ProbabilityReader

DIVIDED = "baseline / prior"
"""Label of the method that divides the baseline's probabilities by the class shares."""

THRESHOLD = "baseline + threshold"
"""Label of the method that decides by the threshold with the best validation g-mean."""

SAME_PRIOR = 0.05
"""Class shares within this relative distance of the natural ones are not corrected."""

# What a decision rule changes; the probabilities themselves stay as they are.
_DECISION_METRICS = ("g_mean", "balanced_accuracy", "min_recall")

MetricScores = dict[str, float]
"""Metric -> score of one fold; only metrics that the correction can change."""


def corrected_methods(
    comparison: Comparison, probabilities: ProbabilityReader | None, remix: Method | None
) -> dict[CorrectedMethod, pd.DataFrame]:
    """Correct the stored probabilities of one method of each strategy, and score them.

    Args:
        comparison: the problem.
        probabilities: reads the stored probabilities; None where there are none.
        remix: the ReMix method that the report speaks of; of each other mixing strategy the
            nearest alpha is taken.

    Returns:
        Corrected method -> (folds, metrics) frame of its test scores; empty without
        probabilities and for a search.
    """
    if probabilities is None or not comparison.is_grid:
        return {}
    methods = {}
    for source in source_methods(comparison, remix):
        scores: dict[str, dict[tuple[int, int], MetricScores]] = {}
        folds = comparison.trained_folds(source)
        is_shifted = len(folds) > 0 and _is_shifted(source, folds)
        for fold in folds.to_dict("records"):
            place = (int(fold["repeat"]), int(fold["fold"]))
            corrected = _corrected_scores(
                source, fold, place, probabilities, is_shifted=is_shifted
            )
            for label, fold_scores in corrected.items():
                scores.setdefault(label, {})[place] = fold_scores
        for label, by_fold in scores.items():
            methods[CorrectedMethod(label, source, is_exact(source))] = pd.DataFrame(
                by_fold.values(), pd.MultiIndex.from_tuples(by_fold, names=["repeat", "fold"])
            )
    return methods


def with_methods(
    comparison: Comparison, corrected: Mapping[CorrectedMethod, pd.DataFrame]
) -> Comparison:
    """The problem with the corrected methods whose sources it has, and with their test scores.

    Args:
        comparison: the problem.
        corrected: methods and their scores, as :func:`corrected_methods` gives them.
    """
    runs = {method.run for method in comparison.methods}
    methods = {m: scores for m, scores in corrected.items() if m.source.run in runs}
    scores = dict(comparison.scores)
    for metric in dict.fromkeys(str(name) for frame in methods.values() for name in frame):
        columns = {m.label: frame[metric] for m, frame in methods.items() if metric in frame}
        stored = [scores["test", metric]] if ("test", metric) in scores else []
        scores["test", metric] = pd.concat([*stored, pd.DataFrame(columns)], axis=1).sort_index()
    return replace(comparison, corrected=tuple(methods), scores=scores)


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
        {
            "study": "problem.study",
            "problem": "problem.problem",
            "row": "method.label",
            "source": "method.source.label",
            "exact": lambda line: "yes" if line.method.is_exact else "no",
            "metric": "score.metric",
            "mean": "score.mean",
            "corrected_se": "score.interval.standard_error",
            "folds": "score.interval.folds",
            "difference_to_source": "change.mean",
            "difference_low": "change.interval.low",
            "difference_high": "change.interval.high",
        },
    )


@dataclass(frozen=True, eq=False)
class CorrectionSummary:
    """What one correction changes on several problems.

    Attributes:
        label: of the corrected method.
        strategy: of what was corrected.
        problems: number of problems that have the method.
        differences: metric -> corrected minus uncorrected, one a problem that has both.
    """

    label: str
    strategy: str
    problems: int
    differences: Mapping[str, Sequence[Difference]]

    def mean_change(self, metric: str) -> float:
        """Mean over the problems."""
        changes = [difference.mean for difference in self.differences[metric]]
        return sum(changes) / len(changes)

    def n_better(self, metric: str) -> int:
        """The number of problems whose mean changes for the better."""
        return [difference.direction for difference in self.differences[metric]].count("better")


def correction_summaries(comparisons: Sequence[Comparison]) -> tuple[CorrectionSummary, ...]:
    """Put together what each correction changes on these problems in the core metrics."""
    by_label = grouped(
        ((c, method) for c in comparisons for method in c.corrected), lambda pair: pair[1].label
    )
    return tuple(
        CorrectionSummary(
            label,
            pairs[0][1].strategy,
            len(pairs),
            {
                metric: [
                    difference
                    for c, method in pairs
                    if (difference := c.effects.difference(label, method.source.label, metric))
                ]
                for metric in CORE_METRICS
            },
        )
        for label, pairs in by_label.items()
    )


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
