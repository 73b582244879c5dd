"""The corrected interval against baycomp's numbers and scipy; ranks against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from remix_study.results.intervals import (
    check_rank_total,
    corrected_interval,
    corrected_standard_error,
    influence_ratio,
    paired_interval,
    rank_rows,
    rank_sums,
)

FIRST = np.array([0.81, 0.79, 0.83, 0.80, 0.78, 0.82, 0.84, 0.77, 0.80, 0.81])
SECOND = np.array([0.78, 0.77, 0.80, 0.81, 0.75, 0.79, 0.83, 0.74, 0.76, 0.80])


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


def test_ranks_know_the_direction_and_share_ties():
    means = pd.DataFrame({"a": [0.9, 0.5], "b": [0.9, 0.7], "c": [0.1, 0.6]}, index=["p", "q"])
    assert rank_rows(means, maximize=True).to_numpy().tolist() == [[1.5, 1.5, 3], [3, 1, 2]]
    assert rank_rows(means, maximize=False).to_numpy().tolist() == [[2.5, 2.5, 1], [1, 3, 2]]


def test_means_that_differ_by_rounding_alone_are_tied():
    scores = [0.1, 0.2, 0.3]
    forward, backward = sum(scores), sum(reversed(scores))
    assert forward != backward
    ranks = rank_rows(pd.DataFrame({"a": [forward], "b": [backward]}), maximize=True)
    assert ranks.to_numpy().tolist() == [[1.5, 1.5]]


def test_a_missing_mean_is_not_ranked():
    with pytest.raises(ValueError, match="every row"):
        rank_rows(pd.DataFrame({"a": [0.1], "b": [np.nan]}), maximize=True)


@given(
    st.integers(1, 6).flatmap(
        lambda rows: st.lists(
            st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=rows, max_size=rows),
            min_size=1,
            max_size=8,
        )
    ),
    st.booleans(),
)
def test_rank_sums_have_the_right_total_and_agree_with_scipy(scores, maximize):
    means = pd.DataFrame(scores)
    sums = rank_sums(rank_rows(means, maximize=maximize))
    expected = sum(stats.rankdata([-v if maximize else v for v in row]) for row in scores)
    assert sums.to_numpy() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sums", "problems"),
    [((65, 70, 36, 77, 22), 18), ((31, 28, 24, 40, 12), 9), ((38, 36, 30, 22, 9), 9)],
)
def test_the_consistent_columns_of_table_2_pass(sums, problems):
    check_rank_total(sums, n_problems=problems)


def test_the_binary_bbs_column_of_table_2_is_refused():
    with pytest.raises(ValueError, match=r"268.*270"):
        check_rank_total((63, 66, 54, 63, 22), n_problems=18)
