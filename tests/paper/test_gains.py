"""Gains against pandas, their sign, and the most influential problem."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_studies import MadeUpProblem, at_three_ratios, made_up_frames

from remix_study.paper.gains import ALL, gains, table, table_by_problem
from remix_study.paper.sections.gains import sections
from remix_study.results.comparison import comparisons
from remix_study.results.problem_choice import rankable
from remix_study.results.rank_sums import strategy_ranks

pytestmark = pytest.mark.usefixtures("unrendered_figures")

METHODS = (("baseline", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1), ("remix", 1.0))


def gains_in(frames):
    usable, _ = rankable(comparisons(frames))
    return gains(strategy_ranks(usable), usable)


def texts(page_section):
    return " ".join(text for block in page_section.blocks for text in block.text)


@pytest.fixture(scope="module")
def frames():
    second = MadeUpProblem(
        problem="other-ir0.01", dataset="other", imbalance=0.01, methods=METHODS, repeats=2
    )
    return made_up_frames(
        *at_three_ratios(MadeUpProblem(methods=METHODS, repeats=2)), second, noise=0.05
    )


def by_pandas(frames, metric, method):
    test_scores = frames.scores[
        (frames.scores["part"] == "test") & (frames.scores["metric"] == metric)
    ]
    means = test_scores.merge(frames.runs[["run", "problem", "row"]]).pivot_table(
        index="problem", columns="row", values="value", aggfunc="mean"
    )
    return (means[method] - means["baseline"]) * (1 if metric == "g_mean" else -1)


@pytest.mark.parametrize("metric", ["g_mean", "bbs", "log_loss"])
def test_gains_by_ratio_and_over_all(frames, metric):
    lines = table(gains_in(frames))
    for method in ("smote", "mixup (0.1)", "remix (0.1)"):
        expected = by_pandas(frames, metric, method)
        ratio = frames.problems.set_index("problem")["imbalance"]
        groups = lines[(lines["row"] == method) & (lines["metric"] == metric)].set_index(
            "imbalance"
        )
        assert list(groups.index) == ["rare 1:20", "rare 1:40", "rare 1:100", ALL]
        assert groups.loc[ALL, "mean_gain"] == pytest.approx(expected.mean())
        assert groups.loc[ALL, "median_gain"] == pytest.approx(expected.median())
        assert groups.loc[ALL, "problems_better"] == (expected > 0).sum()
        for value, name in ((0.05, "rare 1:20"), (0.025, "rare 1:40"), (0.01, "rare 1:100")):
            in_group = expected[ratio == value]
            assert groups.loc[name, "mean_gain"] == pytest.approx(in_group.mean())
            assert groups.loc[name, "problems"] == len(in_group)


def test_positive_is_better_in_both_directions():
    all_gains = gains_in(made_up_frames(MadeUpProblem(methods=METHODS), noise=1e-4))
    is_positive = {(gain.metric, gain.method.strategy): gain.mean() > 0 for gain in all_gains}
    assert is_positive["g_mean", "remix"]
    assert is_positive["bbs", "remix"]
    assert not is_positive["log_loss", "remix"]
    assert not is_positive["g_mean", "mixup"]


def test_by_problem_has_one_line_each(frames):
    lines = table_by_problem(gains_in(frames))
    assert len(lines) == 5 * 3 * 4
    by_problem = lines[(lines["row"] == "smote") & (lines["metric"] == "bbs")].set_index("problem")
    expected = by_pandas(frames, "bbs", "smote")
    assert by_problem["gain"].to_dict() == pytest.approx(expected.to_dict())


def test_the_most_influential_problem_is_named():
    frames = made_up_frames(
        *at_three_ratios(MadeUpProblem(methods=METHODS[:4], repeats=1)), noise=1e-3
    )
    scores = frames.scores.copy()
    run = frames.runs[
        (frames.runs["row"] == "remix (0.1)") & (frames.runs["problem"] == "digits-3-ir0.01")
    ]["run"].iloc[0]
    scores.loc[(scores["run"] == run) & (scores["metric"] == "g_mean"), "value"] = 1.0
    (page_section,) = sections(comparisons(replace(frames, scores=scores)))
    assert "G-mean: digits-3-ir0.01 (" in texts(page_section)
    assert "carries much of the mean gain of remix (0.1)" in texts(page_section)
    assert "balanced Brier: digits" not in texts(page_section)


def test_text_and_figures_of_a_study(frames):
    (page_section,) = sections(comparisons(frames))
    (block,) = page_section.blocks
    assert "mean gain over 4 problems: " in texts(page_section)
    assert "the ratios do not have the same data sets" in texts(page_section)
    assert [p.name for p in block.pictures] == ["gains-binary-g_mean", "gains-binary-bbs"]
    assert [cell.text for cell in block.tables[0].head[0]] == [
        "method", "rare 1:20", "rare 1:40", "rare 1:100", "all", "better on",
    ]  # fmt: skip


def test_without_a_baseline_there_is_no_section():
    assert sections(comparisons(made_up_frames(MadeUpProblem(methods=METHODS[1:])))) == ()


def test_data_as_they_are_have_their_own_group():
    first = MadeUpProblem(imbalance=float("nan"), problem="a", methods=METHODS[:2])
    second = MadeUpProblem(problem="b", methods=METHODS[:2])
    all_gains = gains_in(made_up_frames(first, second))
    assert list(all_gains[0].groups) == ["as it is", "rare 1:20", ALL]
