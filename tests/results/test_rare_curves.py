"""Curves over the number of rare rows: fits by hand, inverses, draws with the right spread."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remix_study.results.rare_curves import (
    POWERS,
    Curves,
    draw_means,
    fit_curves,
    growth,
    has_slope,
)

RATIOS = np.array([0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize("power", POWERS)
def test_a_curve_is_found_again(power):
    scores = 0.8 + 0.1 * growth(RATIOS, power)
    fit = fit_curves(scores, RATIOS)
    assert (fit.level, fit.slope, fit.power) == pytest.approx((0.8, 0.1, power))
    # The same as a - b n^-c.
    if power:
        assert fit.at(3.0) == pytest.approx(0.8 + 0.1 / power - 0.1 / power * 3.0**-power)


def test_growth_is_zero_with_all_rows_and_close_to_the_log_for_small_powers():
    assert growth(1.0, np.array(POWERS)) == pytest.approx(0)
    assert growth(RATIOS, 1e-7) == pytest.approx(np.log(RATIOS), abs=1e-6)


def test_scores_that_fall_are_flat():
    fit = fit_curves(np.array([[0.8, 0.7, 0.6, 0.5], [0.5, 0.5, 0.5, 0.5]]), RATIOS)
    assert fit.slope == pytest.approx(0)
    assert fit.level == pytest.approx([0.65, 0.5])
    assert fit.reach(np.array([0.7, 0.4])).tolist() == [np.inf, 0.0]


@given(st.floats(0.1, 4), st.floats(0.01, 1), st.sampled_from(POWERS))
def test_a_curve_reaches_its_own_score_with_that_many_rows(ratio, slope, power):
    curve = Curves(np.array(0.3), np.array(slope), np.array(power))
    assert curve.reach(curve.at(ratio)) == pytest.approx(ratio)


def test_a_curve_that_levels_off_never_reaches_what_is_above():
    curve = Curves(np.array(0.5), np.array(0.1), np.array(1.0))
    assert curve.reach(np.array(0.61)) == np.inf


@pytest.mark.parametrize("scores", [(0.5, 0.58, 0.61, 0.66), (0.5, 0.61, 0.66, 0.68)])
def test_least_squares_are_those_of_numpy(scores):
    fit = fit_curves(np.array(scores), RATIOS)
    squares = {
        power: np.polyfit(growth(RATIOS, power), scores, 1, full=True)[1][0] for power in POWERS
    }
    assert float(fit.power) == min(squares, key=squares.get)
    assert (fit.power > 0) == (scores[-1] > 0.66)
    slope, level = np.polyfit(growth(RATIOS, float(fit.power)), scores, 1)
    assert (fit.slope, fit.level) == pytest.approx((slope, level))


def test_draws_have_the_corrected_covariance_and_keep_folds_paired():
    rng = np.random.default_rng(0)
    folds = rng.normal(size=(40, 1)) + 0.1 * rng.normal(size=(40, 4))
    draws = draw_means(folds, 0.5, seed=3)
    expected = (1 / 40 + 0.5) * np.cov(folds.T)
    # Student's t with 39 degrees of freedom is a little wider.
    assert np.cov(draws.T) == pytest.approx(expected * 39 / 37, rel=0.1)
    assert draws.mean(axis=0) == pytest.approx(folds.mean(axis=0), abs=0.1)
    assert (draws == draw_means(folds, 0.5, seed=3)).all()


def test_the_share_of_draws_that_rise():
    draws = np.stack([RATIOS, RATIOS, RATIOS, -RATIOS])[:, None]
    assert has_slope(draws, RATIOS) == pytest.approx([0.75])


def test_one_share_alone_is_flat():
    fit = fit_curves(np.array([0.7]), np.array([1.0]))
    assert (fit.level, fit.slope) == (0.7, 0)
