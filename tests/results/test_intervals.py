"""Corrected intervals against baycomp and scipy; those of scores stay in the metric's range."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, made_up_frames
from scipy import stats

from remix_study.metrics import METRICS
from remix_study.results.comparison import comparisons
from remix_study.results.intervals import (
    corrected_interval,
    corrected_standard_error,
    influence_ratio,
    paired_interval,
    score_interval,
    score_range,
)
from remix_study.results.score_tables import table

FIRST = np.array([0.81, 0.79, 0.83, 0.80, 0.78, 0.82, 0.84, 0.77, 0.80, 0.81])
SECOND = np.array([0.78, 0.77, 0.80, 0.81, 0.75, 0.79, 0.83, 0.74, 0.76, 0.80])
NEAR_ONE = np.array([0.99, 1.0, 0.90, 1.0, 0.93, 1.0])


def test_variance_is_that_of_baycomp():
    # baycomp 1.0.3: CorrelatedTTest(FIRST, SECOND, runs=5) is SECOND - FIRST with two folds a run.
    error = corrected_standard_error(SECOND - FIRST, ratio=1.0)
    assert error**2 == pytest.approx(0.00023955555555555557, rel=1e-12)
    interval = corrected_interval(SECOND - FIRST, ratio=1.0)
    assert interval.mean == pytest.approx(-0.022)
    assert stats.t.cdf(-interval.mean / error, 9) == pytest.approx(0.9055456552632131, rel=1e-10)


def test_without_reuse_of_rows_it_is_the_t_interval_of_scipy():
    interval = corrected_interval(FIRST, ratio=0.0)
    usual = stats.ttest_1samp(FIRST, 0.0).confidence_interval(0.95)
    assert (interval.low, interval.high) == pytest.approx((usual.low, usual.high))


def test_ten_by_two_fold_widens_the_error_as_published():
    scores = np.random.default_rng(0).normal(size=20)
    usual = scores.std(ddof=1) / math.sqrt(20)
    assert corrected_standard_error(scores, ratio=1.0) / usual == pytest.approx(math.sqrt(21))
    interval = corrected_interval(scores, ratio=1.0)
    reach = stats.t.ppf(0.975, 19) * usual * math.sqrt(21)
    assert interval.high - interval.mean == pytest.approx(reach)
    assert interval.folds == 20


def test_validation_rows_count_only_where_they_stop_the_training():
    sizes = {"n_train": [350, 350], "n_validation": [150, 150], "n_test": [500, 500]}
    assert influence_ratio(**sizes, early_stopping=True) == pytest.approx(1.0)
    assert influence_ratio(**sizes, early_stopping=False) == pytest.approx(1 / 0.7)


def test_one_fold_has_a_mean_but_no_interval():
    interval = corrected_interval([0.4], ratio=1.0)
    assert interval.mean == 0.4
    assert math.isnan(interval.standard_error)
    assert math.isnan(interval.low)
    assert not interval.excludes_zero


def test_pairs_are_those_folds_that_both_have():
    first = pd.Series([0.9, 0.8, 0.7], index=[(0, 0), (0, 1), (1, 0)])
    second = pd.Series([0.5, 0.1, 0.3], index=[(0, 1), (0, 0), (1, 1)])
    interval = paired_interval(first, second, ratio=1.0)
    assert interval.folds == 2
    assert interval.mean == pytest.approx(((0.9 - 0.1) + (0.8 - 0.5)) / 2)


def test_an_interval_ends_where_the_metric_does():
    usual = stats.ttest_1samp(NEAR_ONE, 0.0).confidence_interval(0.95)
    assert usual.high > 1
    interval = score_interval("g_mean", NEAR_ONE, ratio=0.0)
    assert (interval.low, interval.high) == (pytest.approx(usual.low), 1.0)
    assert interval.standard_error == pytest.approx(stats.sem(NEAR_ONE))
    low = score_interval("bbs", 1 - NEAR_ONE, ratio=0.0)
    assert (low.low, low.high) == (0.0, pytest.approx(1 - usual.low))


def test_log_loss_may_exceed_one_and_per_class_scores_may_not():
    assert score_range("log_loss") == (0.0, METRICS["log_loss"].worst)
    assert score_interval("log_loss", [1.9, 2.1], ratio=0.0).high > 2.1
    assert score_interval("recall_1", [1.0, 0.5], ratio=1.0).high == 1.0


def test_one_fold_has_no_interval_to_clip():
    interval = score_interval("g_mean", [0.4], ratio=1.0)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_no_score_of_a_study_leaves_its_range():
    (comparison,) = comparisons(made_up_frames(MadeUpProblem(level=0.85), spread=0.15))
    lines = table([comparison])
    inside = lines[lines["metric"] != "log_loss"]
    assert (inside["high"] == 1.0).any()
    assert inside[["low", "high"]].min().min() >= 0
    assert inside[["low", "high"]].max().max() <= 1
