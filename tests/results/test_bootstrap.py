"""Bootstrap over test rows: every draw is scored as its rows are; methods are paired by row."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from remix_study.metrics import EXTRA_METRICS, score
from remix_study.metrics.catalogue import BUILT_IN_METRICS
from remix_study.results.bootstrap import Bootstrap
from remix_study.results.effects import Effects
from remix_study.results.intervals import bootstrap_interval
from remix_study.results.resampled_scores import ResampledScores, draw_counts


def predictions(n: int, n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Class codes with every class, and probabilities of which many are equal."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.r_[np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    p = np.round(rng.dirichlet(np.ones(n_classes), n) + 0.5 * np.eye(n_classes)[codes], 1) + 1e-3
    return codes.astype(np.int32), p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("n", "n_classes"), [(70, 2), (70, 3), (4, 3)])
def test_every_metric_of_a_draw_is_that_of_its_rows(n: int, n_classes: int) -> None:
    codes, p = predictions(n, n_classes, n_classes)
    counts = draw_counts(codes, np.random.default_rng(0), draws=6)
    names = (*BUILT_IN_METRICS, *EXTRA_METRICS, f"recall_{n_classes - 1}", "brier_0")
    costs = np.arange(n_classes**2, dtype=float).reshape(n_classes, n_classes) % 4
    scores = ResampledScores(codes, p, counts, costs)
    for draw, times in enumerate(counts.astype(int)):
        rows = np.repeat(np.arange(len(codes)), times)
        np.testing.assert_array_equal(np.bincount(codes[rows]), np.bincount(codes))
        extra = [name for name in names if name in BUILT_IN_METRICS or name in EXTRA_METRICS]
        expected = score(codes[rows], p[rows], n_classes, extra, costs=costs)
        for name in names:
            assert scores[name][draw] == pytest.approx(expected[name], abs=2e-6), name


@pytest.mark.parametrize("is_weighted", [False, True])
def test_given_decisions_are_scored_as_those_of_the_drawn_rows(is_weighted: bool) -> None:
    codes, p = predictions(70, 3, 1)
    rng = np.random.default_rng(2)
    decided, costs = rng.integers(0, 3, 70), rng.random((3, 3))
    weights = rng.integers(1, 4, 70).astype(float) if is_weighted else None
    counts = draw_counts(codes, np.random.default_rng(0), draws=4)
    scores = ResampledScores(codes, p, counts, costs, weights, decided)
    for draw, times in enumerate(counts.astype(int)):
        rows = np.repeat(np.arange(70), times)
        of_rows = np.ones(len(rows)) if weights is None else weights[rows]
        costs_of_rows = costs[codes[rows], decided[rows]]
        assert scores["cost"][draw] == pytest.approx(np.average(costs_of_rows, weights=of_rows))
        one_hot = score(codes[rows], np.eye(3)[decided[rows]], 3, sample_weight=of_rows)
        for name in ("g_mean", "mcc", "recall_2"):
            assert scores[name][draw] == pytest.approx(one_hot[name], abs=1e-6)


def effects_of(
    predicted: dict[str, list[tuple[np.ndarray, np.ndarray]]], seed: int = 1
) -> Effects:
    """Effects of methods with predictions for each repeat of one test part."""
    runs = {label: run for run, label in enumerate(predicted)}
    labels = list(predicted)

    def read(run: int, repeat: int, fold: int, part: str) -> tuple[np.ndarray, ...]:
        assert (fold, part) == (0, "test")
        codes, p = predicted[labels[run]][repeat]
        return np.arange(len(codes)), codes, p, None

    n_repeats = len(predicted[labels[0]])
    index = pd.MultiIndex.from_tuples([(r, 0) for r in range(n_repeats)], names=["repeat", "fold"])
    columns = {
        label: [score(codes, p, p.shape[1])["balanced_accuracy"] for codes, p in parts]
        for label, parts in predicted.items()
    }
    frames = {("test", "balanced_accuracy"): pd.DataFrame(columns, index=index)}
    return Effects(frames, math.nan, bootstrap=Bootstrap(read, runs, (seed, "problem")))


def balanced_accuracy(codes: np.ndarray, p: np.ndarray) -> float:
    """Mean recall of two classes, for thousands of draws: `score` computes all metrics."""
    is_right = p.argmax(axis=1) == codes
    return np.mean([is_right[codes == code].mean() for code in (0, 1)])


def test_intervals_are_those_of_a_loop_over_drawn_rows() -> None:
    codes, _ = predictions(60, 2, 0)
    parts = {
        label: [(codes, predictions(60, 2, seed)[1]) for seed in seeds]
        for label, seeds in (("a", (1, 2)), ("b", (3, 4)))
    }
    effects = effects_of(parts)
    difference = effects.difference("a", "b", "balanced_accuracy")
    score_of_a = effects.score("a", "balanced_accuracy")
    assert difference is not None
    assert score_of_a is not None

    rng, means = np.random.default_rng(5), []
    for _ in range(1500):
        rows = np.concatenate([
            rng.choice(np.flatnonzero(codes == code), (codes == code).sum()) for code in (0, 1)
        ])  # fmt: skip
        by_method = {
            label: np.mean([balanced_accuracy(codes[rows], p[rows]) for _, p in pair])
            for label, pair in parts.items()
        }
        means.append((by_method["a"], by_method["a"] - by_method["b"]))
    for interval, drawn in zip(
        (score_of_a.interval, difference.interval), np.array(means).T, strict=True
    ):
        low, high = np.quantile(drawn, [0.025, 0.975])
        spread = drawn.std()
        assert interval.low == pytest.approx(low, abs=0.25 * spread)
        assert interval.high == pytest.approx(high, abs=0.25 * spread)
        assert interval.standard_error == pytest.approx(spread, rel=0.1)
        assert (interval.draws, interval.folds) == (1000, 2)
    assert math.isnan(difference.t)
    assert difference.degrees_of_freedom == 0


def test_a_method_does_not_differ_from_itself_and_draws_are_the_same_again() -> None:
    codes, p = predictions(60, 2, 1)
    effects = effects_of({"a": [(codes, p)], "b": [(codes, p)], "c": [predictions(60, 2, 9)]})
    same = effects.difference("a", "b", "balanced_accuracy")
    assert same is not None
    assert (same.interval.low, same.interval.high, same.p) == (0, 0, 1)
    first_score = effects.score("a", "balanced_accuracy")
    again = effects_of({"a": [(codes, p)]}).score("a", "balanced_accuracy")
    second_score = effects_of({"a": [(codes, p)]}, seed=2).score("a", "balanced_accuracy")
    assert repr(first_score) == repr(again)
    assert first_score is not None
    assert second_score is not None
    assert first_score.interval.low != second_score.interval.low
    assert [d.method for d in effects.family(["a", "b", "c"], "a", "balanced_accuracy")] == [
        "b",
        "c",
    ]


def test_the_p_value_counts_draws_beyond_zero() -> None:
    draws = np.r_[np.full(9, -1.0), np.full(90, 1.0)]
    assert bootstrap_interval([0.8], draws).drawn_p == pytest.approx(2 * 10 / 100)
    assert bootstrap_interval([1.0], np.ones(99)).drawn_p == pytest.approx(2 / 100)
    assert bootstrap_interval([0.0], np.zeros(99)).drawn_p == 1


def test_without_draws_and_without_a_ratio_there_is_no_interval() -> None:
    index = pd.MultiIndex.from_tuples([(0, 0), (1, 0)], names=["repeat", "fold"])
    scores = {("test", "g_mean"): pd.DataFrame({"a": [0.5, 0.6], "b": [0.4, 0.2]}, index=index)}
    effects = Effects(scores, math.nan)
    difference = effects.difference("a", "b", "g_mean")
    assert difference is not None
    assert difference.relation == "unclear"
    assert effects.family(["a", "b"], "b", "g_mean") == ()


def test_weights_of_rows_count_in_every_draw() -> None:
    codes, p = predictions(40, 2, 3)
    weights = np.random.default_rng(0).exponential(size=40)
    counts = draw_counts(codes, np.random.default_rng(1), 8)
    scores = ResampledScores(codes, p, counts, weights=weights)
    for draw, times in enumerate(counts.astype(int)):
        rows = np.repeat(np.arange(40), times)
        expected = score(codes[rows], p[rows], 2, sample_weight=weights[rows])
        for name in ("bbs", "roc_auc", "f1", "ece"):
            assert scores[name][draw] == pytest.approx(expected[name], abs=1e-5), name
