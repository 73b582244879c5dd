"""Tests on ranks of a study against scipy and pandas, over problems and over data sets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_studies import MadeUpProblem, made_up_frames
from scipy import stats

from remix_study.report.sections.rank_sums import section
from remix_study.report.sections.rank_tests import MOST_IN_DIAGRAM, blocks_of_tests
from remix_study.results.comparison import comparisons
from remix_study.results.rank_sums import all_ranks, strategy_ranks
from remix_study.results.rank_tests import rank_tests, table, table_of_opponents

pytestmark = pytest.mark.usefixtures("unrendered_figures")

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))
SIZES = {"musk": 3, "segment": 3, "ozone": 2, "aps": 1}


@pytest.fixture(scope="module")
def frames():
    """Nine problems from four data sets of different size."""
    problems = [
        MadeUpProblem(
            problem=f"{dataset}-{place}",
            dataset=dataset,
            imbalance=(0.05, 0.025, 0.01)[place],
            methods=(*FIVE, ("remix", 0.4)),
            repeats=2,
            level=0.5,
        )
        for dataset, size in SIZES.items()
        for place in range(size)
    ]
    return made_up_frames(
        *(replace(p, level=0.5 + 0.05 * i) for i, p in enumerate(problems)), noise=0.1
    )


@pytest.fixture(scope="module")
def tests(frames):
    problems = comparisons(frames)
    return rank_tests(strategy_ranks(problems), problems)


def wide(frames, metric, unit):
    test_scores = frames.scores[
        (frames.scores["part"] == "test") & (frames.scores["metric"] == metric)
    ]
    joined = test_scores.merge(frames.runs[["run", "problem", "row"]]).merge(
        frames.problems[["problem", "dataset"]]
    )
    joined = joined[joined["row"] != "remix (0.4)"]
    by_problem = joined.groupby(["dataset", "problem", "row"])["value"].mean().unstack()
    return by_problem if unit == "problem" else by_problem.groupby("dataset").mean()


@pytest.mark.parametrize("metric", ["g_mean", "bbs", "brier", "log_loss", "cwece"])
@pytest.mark.parametrize("unit", ["problem", "data set"])
def test_friedman_by_problem_and_by_data_set(frames, tests, metric, unit):
    (test,) = [t for t in tests if (t.ranking.metric, t.unit) == (metric, unit)]
    scores = wide(frames, metric, unit)
    assert test.n_units == len(scores) == {"problem": 9, "data set": 4}[unit]
    chi2, p = stats.friedmanchisquare(*scores.to_numpy().T)
    assert test.overall.chi2 == pytest.approx(chi2)
    assert test.overall.p == pytest.approx(p)
    ascending = metric != "g_mean"
    sums = scores.rank(axis=1, ascending=ascending).sum()
    assert test.ranking.sums.to_dict() == pytest.approx(sums.to_dict())
    for rival in test.opponents:
        gain = scores["remix (0.1)"] - scores[rival.method]
        assert rival.difference == pytest.approx(-gain.mean() if ascending else gain.mean())
        assert rival.is_behind == (sums["remix (0.1)"] < sums[rival.method])


def test_holm_against_remix_by_hand(tests):
    (test,) = [t for t in tests if (t.ranking.metric, t.unit) == ("g_mean", "problem")]
    mean = test.ranking.sums / 9
    error = np.sqrt(5 * 6 / (6 * 9))
    raw = {
        label: 2 * stats.norm.sf(abs(mean[label] - mean["remix (0.1)"]) / error)
        for label in mean.index
        if label != "remix (0.1)"
    }
    highest = 0.0
    for place, label in enumerate(sorted(raw, key=lambda name: raw[name])):
        highest = min(1.0, max(highest, raw[label] * (4 - place)))
        (rival,) = [r for r in test.opponents if r.method == label]
        assert rival.holm_p == pytest.approx(highest)


def test_each_mixing_strategy_is_ranked_at_the_alpha_nearest_to_the_published():
    methods = (("baseline", None), ("remix", 0.01), ("remix", 0.2), ("remix", 1.0))
    problems = comparisons(made_up_frames(MadeUpProblem(methods=methods)))
    assert [method.label for method in strategy_ranks(problems).methods] == [
        "baseline",
        "remix (0.2)",
    ]


def test_files_have_both_units_and_probabilities(tests):
    lines = table_of_opponents({"all": tests})
    assert set(lines["unit"]) == {"problem", "data set"}
    assert len(lines) == 4 * 5 * 2
    total = lines[["remix_better", "practically_equal", "rival_better"]].sum(axis=1)
    assert total.to_numpy() == pytest.approx(1)
    assert len(table({"all": tests})) == 10


def test_text_says_what_four_data_sets_cannot_show(frames):
    page_section = section(comparisons(frames))
    text = " ".join(text for block in page_section.blocks for text in block.text)
    assert "smallest two-sided p-value of an exact Wilcoxon test is 0.12, " in text
    assert "against 4 methods after Holm 0.5" in text
    assert "no single comparison could be significant" in text
    assert "g-mean by data set (4)" in text
    names = [picture.name for block in page_section.blocks for picture in block.pictures]
    assert names == ["ranks-binary-problem", "ranks-binary-data-set"]


def test_two_problems_are_not_tested():
    problems = comparisons(
        made_up_frames(MadeUpProblem(methods=FIVE), MadeUpProblem(problem="other", methods=FIVE))
    )
    ranked = strategy_ranks(problems)
    (block,) = blocks_of_tests(ranked, rank_tests(ranked, problems))
    assert "With 2 problems no test is made by problem" in " ".join(block.text)
    assert "is 0.5." in block.text[0]
    assert block.pictures == block.tables == ()
    assert "rank-tests" not in section(problems).files


def test_without_remix_all_methods_are_tested_together_alone():
    made_up = [MadeUpProblem(problem=f"p{i}", methods=FIVE[:4], repeats=1) for i in range(3)]
    problems = comparisons(made_up_frames(*made_up))
    ranked = strategy_ranks(problems)
    tests = rank_tests(ranked, problems)
    assert tests[0].overall is not None
    assert tests[0].opponents == ()
    assert len(blocks_of_tests(ranked, tests)[0].tables) == 1


@pytest.mark.parametrize("n_alphas", [3, MOST_IN_DIAGRAM])
def test_long_names_have_room_and_too_many_methods_no_diagram(n_alphas):
    """A figure without room for its names warns, which is an error here."""
    methods = [("baseline", None), *(("remix", 0.01 * (n + 1)) for n in range(n_alphas))]
    problems = [
        MadeUpProblem(problem=name, dataset=name, methods=tuple(methods), repeats=2)
        for name in "abcde"
    ]
    frames = made_up_frames(*problems)
    long_names = frames.runs["row"] + ", features.numeric piecewise-linear, model.hidden [256, 9]"
    compared = comparisons(replace(frames, runs=frames.runs.assign(row=long_names)))
    ranked = all_ranks(compared)
    (block,) = blocks_of_tests(ranked, rank_tests(ranked, compared))
    assert bool(block.pictures) == (len(methods) <= MOST_IN_DIAGRAM)
