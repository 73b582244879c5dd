"""Rank sums against pandas' own ranks, and what is left out and said."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, at_three_ratios, made_up_frames

from remix_study.report.sections.rank_sums import section
from remix_study.results.comparison import comparisons
from remix_study.results.rank_sums import (
    SEVERAL_STUDIES,
    ProblemNote,
    all_ranks,
    published_layout,
    published_ranks,
    rankable,
    table,
)

pytestmark = pytest.mark.usefixtures("unrendered_figures")

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))


def texts(made):
    return " ".join(text for block in made.blocks for text in block.text)


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
    five = published_ranks(comparisons(frames))
    assert {(r.kind, r.metric) for r in five.rankings} == {
        (kind, metric) for kind in ("binary", "multi-class") for metric in ("g_mean", "bbs")
    }
    rows = ["baseline", "cost", "smote", "mixup (0.1)", "remix (0.1)"]
    assert [row.label for row in five.methods] == rows
    for metric, ascending in (("g_mean", False), ("bbs", True)):
        (found,) = [r for r in five.rankings if (r.kind, r.metric) == ("binary", metric)]
        expected = ranks_by_pandas(binary_frames, rows, metric, ascending=ascending)
        assert found.sums.to_dict() == expected.to_dict()
        assert found.sums.sum() == 3 * 5 * 6 / 2
    wide = published_layout(five)
    assert list(wide.columns) == [
        "row",
        "binary g-mean",
        "binary balanced Brier",
        "multi-class g-mean",
        "multi-class balanced Brier",
    ]
    assert wide["row"].tolist() == rows


def test_known_effects_give_the_known_order():
    ranked = table(
        published_ranks(comparisons(made_up_frames(MadeUpProblem(methods=FIVE), noise=1e-4)))
    )
    order = ranked[ranked["metric"] == "g_mean"].sort_values("rank_sum")["row"].tolist()
    assert order == ["remix (0.1)", "smote", "cost", "baseline", "mixup (0.1)"]


def test_all_rows_compete_at_their_own_fixed_alpha():
    frames = made_up_frames(MadeUpProblem())
    every = all_ranks(comparisons(frames))
    (found,) = [r for r in every.rankings if r.metric == "log_loss"]
    expected = ranks_by_pandas(frames, frames.runs["row"], "log_loss", ascending=True)
    assert found.sums.to_dict() == expected.to_dict()
    assert len(found.sums) == len(frames.runs)


def test_a_row_that_misses_a_problem_is_left_out_and_named():
    first = MadeUpProblem(methods=FIVE)
    second = MadeUpProblem(problem="other", methods=FIVE[:4])
    made = section(comparisons(made_up_frames(first, second)))
    assert "remix (0.1) is left out, it was not run on other" in texts(made)
    assert made.files["ranks-published"]["row"].tolist() == [
        "baseline",
        "cost",
        "smote",
        "mixup (0.1)",
    ]


def test_a_row_with_failed_folds_is_left_out_and_named():
    frames = made_up_frames(MadeUpProblem(methods=FIVE))
    folds = frames.folds.copy()
    folds.loc[(folds["run"] == 1) & (folds["repeat"] == 0), "failed"] = "not a number"
    made = section(comparisons(replace(frames, folds=folds)))
    assert "cost is left out, it has no score in 2 of 20 folds of digits-3-ir0.05" in texts(made)


def test_what_is_missing_of_the_five_is_said_in_one_line():
    rows = (("baseline", None), ("cost", None), ("remix", 0.4))
    made = section(comparisons(made_up_frames(MadeUpProblem(methods=rows))))
    assert "this study has no smote, mixup (0.1) and remix (0.1)" in texts(made)
    assert made.files["ranks-published"]["row"].tolist() == ["baseline", "cost"]


def test_one_row_alone_is_not_ranked():
    made = section(comparisons(made_up_frames(MadeUpProblem(methods=(("baseline", None),)))))
    assert "nothing to rank" in texts(made)
    assert made.files == {}


def test_a_problem_of_two_studies_counts_once():
    usable, notes = rankable(
        comparisons(made_up_frames(MadeUpProblem(methods=FIVE), MadeUpProblem(study="longer")))
    )
    assert [c.study for c in usable] == ["longer"]
    assert notes == (ProblemNote(SEVERAL_STUDIES, ("digits-3-ir0.05",), "longer"),)


def test_a_grid_of_alphas_does_not_take_the_place_of_the_published_rows():
    grid = tuple(("remix", alpha) for alpha in (0.01, 0.05, 0.1, 0.2, 0.3, 0.4))
    usable, _ = rankable(
        comparisons(
            made_up_frames(MadeUpProblem(methods=grid, study="grid"), MadeUpProblem(methods=FIVE))
        )
    )
    assert [c.study for c in usable] == ["made"]


def test_the_five_are_ranked_where_a_shift_of_the_prior_is_punished_too():
    frames = made_up_frames(*at_three_ratios())
    made = section(comparisons(frames))
    rows = ["baseline", "cost", "smote", "mixup (0.1)", "remix (0.1)"]
    natural = made.files["ranks-published-natural"].set_index("row")
    for metric, name in (("brier", "Brier"), ("log_loss", "log-loss"), ("cwece", "cw-ECE")):
        expected = ranks_by_pandas(frames, rows, metric, ascending=True)
        assert natural[f"binary {name}"].to_dict() == expected.to_dict()
    tested = made.files["rank-tests"].query("rows_ranked == 'published five'")
    assert set(tested["metric"]) == {"g_mean", "bbs", "brier", "log_loss", "cwece"}
    titles = [block.title for block in made.blocks]
    assert "Tests on binary problems, the published five" in titles
    assert "Tests on binary problems, one row of each strategy" in titles


def test_searched_points_are_not_ranked():
    made = section(comparisons(made_up_frames(MadeUpProblem(algorithm="tpe"))))
    assert "not ranked" in texts(made)
    assert made.files == {}


def test_page_shows_the_total_with_its_formula():
    made = section(comparisons(made_up_frames(*at_three_ratios())))
    (block,) = [block for block in made.blocks if block.title == "The published five"]
    foot = block.tables[0].foot[0]
    assert [cell.text for cell in foot] == ["total", "45", "45"]
    assert foot[1].detail == "3 × 5 × 6 / 2"


def test_ties_of_zero_g_mean_share_their_rank():
    frames = made_up_frames(MadeUpProblem(methods=FIVE))
    scores = frames.scores.copy()
    zero = scores["run"].isin([0, 1, 2]) & (scores["metric"] == "g_mean")
    scores.loc[zero, "value"] = 0.0
    (found,) = [
        r
        for r in published_ranks(comparisons(replace(frames, scores=scores))).rankings
        if r.metric == "g_mean"
    ]
    assert found.sums[["baseline", "cost", "smote"]].tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize("rows", [(), (("baseline", None),)])
def test_an_unfinished_study_gives_sentences(rows):
    made = section(comparisons(made_up_frames(MadeUpProblem(methods=rows, planned=5))))
    assert texts(made)
    assert isinstance(made.files, dict | pd.DataFrame)
