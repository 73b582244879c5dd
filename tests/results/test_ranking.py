"""Ranks and their sums against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from remix_study.results.ranking import check_rank_total, rank_means, sum_ranks


def test_ranks_know_the_direction_and_share_ties():
    means = pd.DataFrame({"a": [0.9, 0.5], "b": [0.9, 0.7], "c": [0.1, 0.6]}, index=["p", "q"])
    assert rank_means(means, maximize=True).to_numpy().tolist() == [[1.5, 1.5, 3], [3, 1, 2]]
    assert rank_means(means, maximize=False).to_numpy().tolist() == [[2.5, 2.5, 1], [1, 3, 2]]


def test_means_that_differ_by_rounding_alone_are_tied():
    scores = [0.1, 0.2, 0.3]
    forward, backward = sum(scores), sum(reversed(scores))
    assert forward != backward
    ranks = rank_means(pd.DataFrame({"a": [forward], "b": [backward]}), maximize=True)
    assert ranks.to_numpy().tolist() == [[1.5, 1.5]]


def test_a_missing_mean_is_not_ranked():
    with pytest.raises(ValueError, match="missing for b"):
        rank_means(pd.DataFrame({"a": [0.1], "b": [np.nan]}), maximize=True)


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
    sums = sum_ranks(rank_means(means, maximize=maximize))
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
