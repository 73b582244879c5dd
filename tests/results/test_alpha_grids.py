"""Trends and regrets against scipy and a plain loop over folds."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_studies import MadeUpProblem, made_up_frames
from scipy import stats

from remix_study.report.sections.sensitivity import section
from remix_study.results.alpha_grids import alpha_grids, alpha_trends, trend_table
from remix_study.results.comparison import comparisons

ALPHAS = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0]


def by_fold(frames, metric, part):
    remix_scores = frames.scores[
        (frames.scores["part"] == part) & (frames.scores["metric"] == metric)
    ]
    remix_scores = remix_scores.merge(frames.runs)
    remix_scores = remix_scores[remix_scores["strategy"] == "remix"]
    return remix_scores.pivot_table(index=["repeat", "fold"], columns="alpha", values="value")


def test_slopes_correlations_and_regrets_by_other_means():
    frames = made_up_frames(MadeUpProblem())
    trends = alpha_trends(alpha_grids(comparisons(frames)), ("g_mean", "bbs"))
    assert [trend.metric for trend in trends] == ["g_mean", "bbs"]
    for trend, sign in zip(trends, (1, -1), strict=True):
        test = by_fold(frames, trend.metric, "test")
        validation = by_fold(frames, trend.metric, "validation")
        assert list(test) == ALPHAS
        slopes = [stats.linregress(ALPHAS, line).slope for line in test.to_numpy()]
        assert trend.slope.mean == pytest.approx(np.mean(slopes))
        # Early stopping: validation rows count, so n_test/n_train is 1.
        error = np.sqrt((1 / 20 + 1.0) * np.var(slopes, ddof=1))
        assert trend.slope.standard_error == pytest.approx(error, rel=0.01)
        correlations = [stats.spearmanr(ALPHAS, line)[0] for line in test.to_numpy()]
        assert trend.correlation.mean == pytest.approx(np.mean(correlations))
        assert trend.correlation_of_means == pytest.approx(stats.spearmanr(ALPHAS, test.mean())[0])
        for fixed in (0.1, 0.3):
            lost = []
            for place, line in validation.iterrows():
                chosen = max(ALPHAS, key=lambda alpha, line=line: sign * line[alpha])
                lost.append(sign * (test.loc[place, chosen] - test.loc[place, fixed]))
            assert trend.regrets[fixed].mean == pytest.approx(np.mean(lost))
    lines = trend_table(trends)
    assert lines["alphas"].tolist() == [8, 8]
    assert lines["regret_0.1"].tolist() == [trend.regrets[0.1].mean for trend in trends]


@pytest.mark.usefixtures("unrendered_figures")
def test_the_section_says_what_a_fixed_alpha_loses():
    page_section = section(comparisons(made_up_frames(MadeUpProblem())))
    text = " ".join(line for block in page_section.blocks for line in block.text)
    # The made-up curve is best at 0.3, which therefore loses least.
    assert "alpha 0.1 loses" in text
    assert "alpha 0.3 loses" in text
    lines = page_section.files["trends"].set_index("metric")
    assert (lines["regret_0.3"] < lines["regret_0.1"]).all()


@pytest.mark.usefixtures("unrendered_figures")
def test_one_alpha_makes_no_trend():
    page_section = section(
        comparisons(made_up_frames(MadeUpProblem(methods=(("baseline", None), ("remix", 0.1)))))
    )
    assert "trends" not in page_section.files
