"""The posterior of a difference and the word that it makes sure of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from remix_study.metrics import METRICS
from remix_study.results.equivalence import ROPES, compare, if_enough, posterior_of, word_of
from remix_study.results.intervals import Interval, corrected_interval
from remix_study.results.significance import Posterior


def test_the_posterior_is_students_t_with_the_corrected_error():
    values = np.array([0.02, 0.05, -0.01, 0.04, 0.03, 0.06, 0.0, 0.02, 0.05, 0.01])
    posterior = posterior_of(corrected_interval(values, 1.0), "g_mean")
    # Benavoli et al. (2017): location mean, scale^2 (1/J + rho/(1 - rho)) s^2, here rho = 1/2.
    scale = np.sqrt((1 / 10 + 1.0) * values.var(ddof=1))
    draws = values.mean() + scale * np.random.default_rng(1).standard_t(9, 2_000_000)
    assert posterior.better == pytest.approx((draws > 0.01).mean(), abs=0.002)
    assert posterior.equal == pytest.approx((np.abs(draws) <= 0.01).mean(), abs=0.002)
    assert posterior.worse == pytest.approx((draws < -0.01).mean(), abs=0.002)


def test_lower_is_better_for_an_error():
    errors = corrected_interval(np.full(10, -0.1) + np.linspace(-0.01, 0.01, 10), 1.0)
    assert word_of(posterior_of(errors, "bbs")) == "better"
    assert word_of(posterior_of(errors, "g_mean")) == "worse"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (np.full(10, 0.1) + np.linspace(-0.01, 0.01, 10), "better"),
        (np.linspace(-0.001, 0.001, 10), "practically equal"),
        (np.linspace(-0.1, 0.1, 10), "cannot tell"),
        (np.full(6, 0.0), "practically equal"),
        (np.full(6, -0.3), "worse"),
        (np.full(3, 0.9), "cannot tell"),
        (np.array([]), "cannot tell"),
    ],
)
def test_words(values, word):
    assert word_of(posterior_of(corrected_interval(values, 1.0), "g_mean")) == word


def test_an_interval_that_holds_zero_is_no_equality():
    interval = corrected_interval(np.array([0.3, -0.2, 0.4, -0.1, 0.5]), 1.0)
    assert not interval.excludes_zero
    assert word_of(posterior_of(interval, "g_mean")) == "cannot tell"


@pytest.mark.parametrize("mean", [0.0, 0.25, -0.25])
def test_the_edge_of_the_region_is_equal_where_all_folds_have_one_difference(mean):
    constant = corrected_interval(np.full(8, mean), 1.0)
    assert posterior_of(constant, "g_mean", rope=abs(mean)) == Posterior(0.0, 1.0, 0.0)


def test_an_interval_has_ends_with_enough_folds_or_draws():
    few, enough = Interval(0.1, 0.1, 0.0, 0.2, 3, 1.0), Interval(0.1, 0.1, 0.0, 0.2, 10, 1.0)
    assert np.isnan([if_enough(few).low, if_enough(few).high]).all()
    assert if_enough(few).mean == 0.1
    for known in (enough, replace(few, draws=1000)):
        assert if_enough(known) == known


def test_a_wider_region_makes_more_equal():
    interval = corrected_interval(np.linspace(-0.02, 0.02, 10), 0.2)
    assert word_of(posterior_of(interval, "g_mean")) == "cannot tell"
    assert word_of(posterior_of(interval, "g_mean", rope=0.05)) == "practically equal"


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=30), st.floats(0, 2))
def test_probabilities_add_up_and_turn_with_the_sign(values, ratio):
    first = posterior_of(corrected_interval(values, ratio), "g_mean")
    second = posterior_of(corrected_interval(-np.array(values), ratio), "g_mean")
    assert first.better + first.equal + first.worse == pytest.approx(1)
    assert min(first.better, first.equal, first.worse) >= -1e-12
    assert (first.better, first.worse) == pytest.approx((second.worse, second.better))


def test_every_metric_has_a_region():
    assert set(METRICS) <= set(ROPES)
    assert all(0 < rope < 0.05 for rope in ROPES.values())
    assert word_of(Posterior(0.94, 0.06, 0.0)) == "cannot tell"


def test_two_methods_that_never_find_the_rare_class_are_not_equal():
    nothing, something = pd.Series([0.0] * 10), pd.Series([0.4, 0.5] * 5)
    assert compare(nothing, nothing, "g_mean", 1.0) is None
    assert word_of(compare(nothing, something, "g_mean", 1.0)) == "worse"
    assert word_of(compare(something, something, "g_mean", 1.0)) == "practically equal"


def test_a_posterior_is_that_of_scipys_distributions():
    interval = Interval(0.0123, 0.0217, -0.03, 0.05, 20, 1.0)
    for draws, of_mean in ((0, stats.t(19, 0.0123, 0.0217)), (1000, stats.norm(0.0123, 0.0217))):
        posterior = posterior_of(replace(interval, draws=draws), "g_mean", 0.01)
        assert posterior.better == of_mean.sf(0.01)
        assert posterior.worse == of_mean.cdf(-0.01)
