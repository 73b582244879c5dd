"""Ranks and their sums against pandas, scipy and by hand, and what is not ranked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_studies import MadeUpProblem, at_three_ratios, made_up_frames
from scipy import stats

from remix_study.report.sections.rank_sums import section
from remix_study.results.comparison import comparisons
from remix_study.results.problem_choice import NO_TRIALS, SEVERAL_STUDIES, ProblemNote, rankable
from remix_study.results.rank_sums import (
    all_ranks,
    published_layout,
    published_ranks,
    rank_means,
    strategy_ranks,
    sum_ranks,
    table,
)
from remix_study.results.significance import check_rank_total

pytestmark = pytest.mark.usefixtures("unrendered_figures")

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))


def texts(page_section):
    return " ".join(text for block in page_section.blocks for text in block.text)


def ranks_by_pandas(frames, rows, metric, *, ascending):
    test = frames.scores[(frames.scores["part"] == "test") & (frames.scores["metric"] == metric)]
    joined = test.merge(frames.runs[["run", "problem", "row"]])
    means = joined[joined["row"].isin(rows)].pivot_table(
        index="problem", columns="row", values="value", aggfunc="mean"
    )
    return means.rank(axis=1, method="average", ascending=ascending).sum()


def test_published_five_are_ranked_alone_and_by_kind():
    multi = MadeUpProblem(
        problem="digits-1_2-ir0.1",
        kind="multi-class",
        classes=("0", "1", "2"),
        minority=("1", "2"),
    )
    binary_frames, frames = (
        made_up_frames(*at_three_ratios()),
        made_up_frames(*at_three_ratios(), multi),
    )
    ranked = published_ranks(comparisons(frames))
    assert {(r.kind, r.metric) for r in ranked.rankings} == {
        (kind, metric) for kind in ("binary", "multi-class") for metric in ("g_mean", "bbs")
    }
    labels = ["baseline", "cost", "smote", "mixup (0.1)", "remix (0.1)"]
    assert [method.label for method in ranked.methods] == labels
    for metric, ascending in (("g_mean", False), ("bbs", True)):
        (ranking,) = [r for r in ranked.rankings if (r.kind, r.metric) == ("binary", metric)]
        expected = ranks_by_pandas(binary_frames, labels, metric, ascending=ascending)
        assert ranking.sums.to_dict() == expected.to_dict()
        assert ranking.sums.sum() == 3 * 5 * 6 / 2
    layout = published_layout(ranked)
    assert list(layout.columns) == [
        "row",
        "binary g-mean",
        "binary balanced Brier",
        "multi-class g-mean",
        "multi-class balanced Brier",
    ]
    assert layout["row"].tolist() == labels


def test_known_effects_give_the_known_order():
    ranked = table(
        published_ranks(comparisons(made_up_frames(MadeUpProblem(methods=FIVE), noise=1e-4)))
    )
    order = ranked[ranked["metric"] == "g_mean"].sort_values("rank_sum")["row"].tolist()
    assert order == ["remix (0.1)", "smote", "cost", "baseline", "mixup (0.1)"]


def test_all_methods_are_ranked_at_their_fixed_alpha():
    frames = made_up_frames(MadeUpProblem())
    ranked = all_ranks(comparisons(frames))
    (ranking,) = [r for r in ranked.rankings if r.metric == "log_loss"]
    expected = ranks_by_pandas(frames, frames.runs["row"], "log_loss", ascending=True)
    assert ranking.sums.to_dict() == expected.to_dict()
    assert len(ranking.sums) == len(frames.runs)


def test_a_method_that_misses_a_problem_is_left_out_and_named():
    first = MadeUpProblem(methods=FIVE)
    second = MadeUpProblem(problem="other", methods=FIVE[:4])
    page_section = section(comparisons(made_up_frames(first, second)))
    assert "remix (0.1) is left out, it was not run on other" in texts(page_section)
    assert page_section.files["ranks-published"]["row"].tolist() == [
        "baseline",
        "cost",
        "smote",
        "mixup (0.1)",
    ]


def test_a_method_with_failed_folds_is_left_out_and_named():
    frames = made_up_frames(MadeUpProblem(methods=FIVE))
    folds = frames.folds.copy()
    folds.loc[(folds["run"] == 1) & (folds["repeat"] == 0), "failed"] = "not a number"
    page_section = section(comparisons(replace(frames, folds=folds)))
    assert "cost is left out, it has no score in 2 of 20 folds of digits-3-ir0.05" in texts(
        page_section
    )


def test_missing_published_methods_are_named_in_one_line():
    methods = (("baseline", None), ("cost", None), ("remix", 0.4))
    page_section = section(comparisons(made_up_frames(MadeUpProblem(methods=methods))))
    assert "this study has no smote, mixup (0.1) and remix (0.1)" in texts(page_section)
    assert page_section.files["ranks-published"]["row"].tolist() == ["baseline", "cost"]


def test_a_single_method_is_not_ranked():
    page_section = section(
        comparisons(made_up_frames(MadeUpProblem(methods=(("baseline", None),))))
    )
    assert "nothing to rank" in texts(page_section)
    assert page_section.files == {}


def test_a_problem_of_two_studies_counts_once():
    usable, notes = rankable(
        comparisons(made_up_frames(MadeUpProblem(methods=FIVE), MadeUpProblem(study="longer")))
    )
    assert [c.study for c in usable] == ["longer"]
    assert notes == (ProblemNote(SEVERAL_STUDIES, ("digits-3-ir0.05",), "longer"),)


def test_a_study_with_the_published_methods_comes_before_a_grid_of_alphas():
    grid = tuple(("remix", alpha) for alpha in (0.01, 0.05, 0.1, 0.2, 0.3, 0.4))
    usable, _ = rankable(
        comparisons(
            made_up_frames(MadeUpProblem(methods=grid, study="grid"), MadeUpProblem(methods=FIVE))
        )
    )
    assert [c.study for c in usable] == ["made"]


def test_published_five_are_ranked_by_natural_metrics_too():
    frames = made_up_frames(*at_three_ratios())
    page_section = section(comparisons(frames))
    labels = ["baseline", "cost", "smote", "mixup (0.1)", "remix (0.1)"]
    natural = page_section.files["ranks-published-natural"].set_index("row")
    for metric, name in (("brier", "Brier"), ("log_loss", "log-loss"), ("cwece", "cw-ECE")):
        expected = ranks_by_pandas(frames, labels, metric, ascending=True)
        assert natural[f"binary {name}"].to_dict() == expected.to_dict()
    tested = page_section.files["rank-tests"].query("rows_ranked == 'published five'")
    assert set(tested["metric"]) == {"g_mean", "bbs", "brier", "log_loss", "cwece"}
    titles = [block.collapsed for block in page_section.blocks]
    assert "Tests on binary problems, the published five" in titles
    assert "Tests on binary problems, one method of each strategy" in titles


def test_searches_are_not_ranked():
    page_section = section(comparisons(made_up_frames(MadeUpProblem(algorithm="tpe"))))
    assert "not ranked" in texts(page_section)
    assert page_section.files == {}


def test_page_shows_the_total_with_its_formula():
    page_section = section(comparisons(made_up_frames(*at_three_ratios())))
    (block,) = [block for block in page_section.blocks if block.title == "The published five"]
    foot = block.tables[0].foot[0]
    assert [cell.text for cell in foot] == ["total", "45", "45"]
    assert foot[1].detail == "3 × 5 × 6 / 2"


def test_ties_of_zero_g_mean_share_their_rank():
    frames = made_up_frames(MadeUpProblem(methods=FIVE))
    scores = frames.scores.copy()
    zero = scores["run"].isin([0, 1, 2]) & (scores["metric"] == "g_mean")
    scores.loc[zero, "value"] = 0.0
    (ranking,) = [
        r
        for r in published_ranks(comparisons(replace(frames, scores=scores))).rankings
        if r.metric == "g_mean"
    ]
    assert ranking.sums[["baseline", "cost", "smote"]].tolist() == [4.0, 4.0, 4.0]


def test_a_study_without_complete_trials_is_not_ranked():
    problems = comparisons(made_up_frames(MadeUpProblem(methods=(), planned=5)))
    assert rankable(problems) == ((), (ProblemNote(NO_TRIALS, ("digits-3-ir0.05",)),))
    page_section = section(problems)
    assert texts(page_section).startswith("digits-3-ir0.05: ")
    assert texts(page_section).endswith("; not ranked.")
    assert [block.title for block in page_section.blocks] == [""]
    assert page_section.files == {}


def test_a_study_with_one_complete_method_has_no_rankings():
    problems = comparisons(made_up_frames(MadeUpProblem(methods=FIVE[:1], planned=5)))
    usable, notes = rankable(problems)
    assert (usable, notes) == (problems, ())
    for ranked in (published_ranks(usable), strategy_ranks(usable), all_ranks(usable)):
        assert (ranked.methods, ranked.rankings, ranked.incomplete) == ((), (), ())


def test_ranks_know_the_direction_and_share_ties():
    means = pd.DataFrame({"a": [0.9, 0.5], "b": [0.9, 0.7], "c": [0.1, 0.6]}, index=["p", "q"])
    assert rank_means(means, maximize=True).to_numpy().tolist() == [[1.5, 1.5, 3], [3, 1, 2]]
    assert rank_means(means, maximize=False).to_numpy().tolist() == [[2.5, 2.5, 1], [1, 3, 2]]


def test_means_that_differ_by_rounding_alone_are_tied():
    # Python's own sum loses nothing from 3.12 on.
    forward, backward = 0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1
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
