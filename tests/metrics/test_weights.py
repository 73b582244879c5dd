"""Weights of rows in every metric: repeated rows, scikit-learn, and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from remix_study.metrics import BINS, BUILT_IN_METRICS, score

NAMES = ({*BUILT_IN_METRICS} - {"cost"}) | {"brier_repo"}


def rows(seed, n=60, k=3, digits=1):
    """Classes, probabilities with ties, and random weights; every class is there."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(k), rng.integers(k, size=n)])
    p = np.round(rng.dirichlet(np.ones(k), len(y)), digits) + 0.01
    return y, p / p.sum(axis=1, keepdims=True), rng.uniform(0.1, 4, len(y))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_a_row_of_weight_w_counts_as_w_rows(seed, k):
    y, p, _ = rows(seed, k=k)
    times = np.random.default_rng(seed).integers(0, 4, len(y))
    times[:k] = 1
    weighted = score(y, p, k, NAMES, sample_weight=times)
    repeated = score(np.repeat(y, times), np.repeat(p, times, axis=0), k, NAMES)
    for name, value in repeated.items():
        assert weighted[name] == pytest.approx(value, abs=1e-12), name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.001, 1000), st.integers(2, 4))
def test_only_ratios_and_no_order_of_weights_matter(seed, factor, k):
    y, p, weights = rows(seed, k=k)
    scores = score(y, p, k, NAMES, sample_weight=weights)
    order = np.random.default_rng(seed).permutation(len(y))
    scaled = score(y[order], p[order], k, NAMES, sample_weight=factor * weights[order])
    assert scaled == pytest.approx(scores, abs=1e-9)
    assert score(y, p, k, NAMES, sample_weight=np.full(len(y), factor)) == pytest.approx(
        score(y, p, k, NAMES), abs=1e-9
    )


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("digits", [1, 8])
def test_they_are_scikit_learns(k, digits):
    y, p, weights = rows(5, 300, k, digits)
    scores = score(y, p, k, NAMES, sample_weight=weights)
    onehot, labels = np.eye(k)[y], np.arange(k)
    target = p[:, 1] if k == 2 else p
    ranked = [(onehot[:, c], p[:, c]) for c in labels]
    expected = {
        "brier": sk.brier_score_loss(
            y, target, sample_weight=weights, scale_by_half=True, labels=labels
        ),
        "log_loss": sk.log_loss(y, p, sample_weight=weights, labels=labels),
        "roc_auc": np.mean([sk.roc_auc_score(*pair, sample_weight=weights) for pair in ranked]),
    }
    precision = [sk.average_precision_score(*pair, sample_weight=weights) for pair in ranked]
    expected["average_precision_macro"] = np.mean(precision)
    expected["average_precision"] = precision[1] if k == 2 else np.mean(precision)
    recall = sk.recall_score(y, p.argmax(1), average=None, sample_weight=weights)
    expected["g_mean"] = recall.prod() ** (1 / k)
    expected["min_recall"] = recall.min()
    per_class = np.bincount(y, weights)
    share = weights / per_class[y]
    expected["bbs"] = sk.brier_score_loss(
        y, target, sample_weight=share, scale_by_half=True, labels=labels
    )
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, abs=1e-7), name


def slow_error(p, hit, weights):
    """Calibration error in loops: a row's bin is the share of weight below its confidence."""
    bins = [[] for _ in range(BINS)]
    for i in range(len(p)):
        below = sum(weights[j] for j in range(len(p)) if p[j] < p[i])
        bins[int(below * BINS / sum(weights))].append(i)
    gaps = [abs(sum(weights[i] * (hit[i] - p[i]) for i in members)) for members in bins]
    return sum(gaps) / sum(weights)


@pytest.mark.parametrize("seed", range(3))
def test_calibration_errors_equal_a_slow_loop(seed):
    y, p, weights = rows(seed)
    scores = score(y, p, 3, sample_weight=weights)
    assert scores["ece"] == pytest.approx(slow_error(p.max(1), p.argmax(1) == y, weights))
    by_class = [slow_error(p[:, c], y == c, weights) for c in range(3)]
    assert scores["cwece"] == pytest.approx(np.mean(by_class))


def test_rows_of_weight_0_are_not_there():
    y, p, weights = rows(1)
    weights[y == 2] = 0
    scores = score(y, p, 3, NAMES, sample_weight=weights)
    is_present = y != 2
    expected = score(y[is_present], p[is_present], 3, NAMES, sample_weight=weights[is_present])
    assert scores == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert np.isnan(scores["recall_2"])


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0], "as y is"),
        ([1.0, -1.0], "not negative"),
        ([0, 0], "above 0"),
        ([1, np.nan], "finite"),
        ([1, np.inf], "finite"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        score([0, 1], np.eye(2), 2, sample_weight=weights)
