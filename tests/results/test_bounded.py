"""Intervals of scores stay in the range of their metric, those of differences do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from remix_study.metrics import METRICS
from remix_study.report.sections.decision import answers
from remix_study.results.bounded import score_interval, score_range
from remix_study.results.comparison import comparisons
from remix_study.results.score_tables import table
from remix_study.results.verdict import judge

pytestmark = pytest.mark.usefixtures("undrawn")

NEAR_ONE = np.array([0.99, 1.0, 0.90, 1.0, 0.93, 1.0])


def test_an_interval_ends_where_the_metric_does():
    usual = stats.ttest_1samp(NEAR_ONE, 0.0).confidence_interval(0.95)
    assert usual.high > 1
    found = score_interval("g_mean", NEAR_ONE, ratio=0.0)
    assert (found.low, found.high) == (pytest.approx(usual.low), 1.0)
    assert found.standard_error == pytest.approx(stats.sem(NEAR_ONE))
    low = score_interval("bbs", 1 - NEAR_ONE, ratio=0.0)
    assert (low.low, low.high) == (0.0, pytest.approx(1 - usual.low))


def test_log_loss_may_exceed_one_and_per_class_scores_may_not():
    assert score_range("log_loss") == (0.0, METRICS["log_loss"].worst)
    assert score_interval("log_loss", [1.9, 2.1], ratio=0.0).high > 2.1
    assert score_interval("recall_1", [1.0, 0.5], ratio=1.0).high == 1.0


def test_one_fold_has_no_interval_to_clip():
    found = score_interval("g_mean", [0.4], ratio=1.0)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_no_score_of_a_study_leaves_its_range(frames_of, problem):
    (comparison,) = comparisons(frames_of(problem(level=0.85), spread=0.15))
    lines = table([comparison])
    inside = lines[lines["metric"] != "log_loss"]
    assert (inside["high"] == 1.0).any()
    assert inside[["low", "high"]].min().min() >= 0
    assert inside[["low", "high"]].max().max() <= 1
    found = judge(comparison, ())
    text = " ".join(line for made in answers(found) for line in made.lines)
    assert "on the test parts" in text
    assert "to 1.000" in text.replace("\N{NO-BREAK SPACE}", " ")
