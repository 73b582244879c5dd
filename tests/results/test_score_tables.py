"""Means, deviations and counts against pandas, and the sentences on zeros and failures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.report.sections.scores import SHOWN_CONFIGURATIONS, section
from remix_study.results.comparison import comparisons
from remix_study.results.score_tables import table, table_of_training

pytestmark = pytest.mark.usefixtures("unrendered_figures")


def texts(page_section):
    return " ".join(text for block in page_section.blocks for text in block.text)


def test_mean_deviation_and_corrected_error():
    frames = made_up_frames(MadeUpProblem())
    lines = table(comparisons(frames)).set_index(["row", "metric"])
    joined = frames.scores[frames.scores["part"] == "test"].merge(frames.runs[["run", "row"]])
    for (row, metric), values in joined.groupby(["row", "metric"])["value"]:
        line = lines.loc[(row, metric)]
        assert line["mean"] == pytest.approx(values.mean())
        assert line["sd"] == pytest.approx(values.std(ddof=1))
        assert line["corrected_se"] == pytest.approx(np.sqrt(1.05 * values.var(ddof=1)))
        assert line["folds"] == 20


def test_epochs_and_minority_rows():
    frames = made_up_frames(MadeUpProblem())
    lines = table_of_training(comparisons(frames)).set_index("row")
    run = int(frames.runs.loc[frames.runs["row"] == "cost", "run"].iloc[0])
    folds = frames.folds[frames.folds["run"] == run]
    assert lines.loc["cost", "epochs_median"] == folds["epochs"].median()
    assert lines.loc["cost", "epochs_most"] == folds["epochs"].max()
    assert lines.loc["cost", "minority_test_least"] == 30


def test_folds_with_zero_g_mean_are_counted_and_named():
    frames = made_up_frames(MadeUpProblem())
    scores = frames.scores.copy()
    zero = (
        (scores["run"] == 0)
        & (scores["metric"] == "g_mean")
        & (scores["part"] == "test")
        & (scores["repeat"] < 3)
    )
    scores.loc[zero, "value"] = 0.0
    problems = comparisons(replace(frames, scores=scores))
    lines = table(problems)
    baseline = lines[(lines["row"] == "baseline") & (lines["metric"] == "g_mean")].iloc[0]
    assert baseline["folds_at_zero"] == 6
    assert "g-mean is 0, a class never found: baseline in 6 of 20" in texts(section(problems))


def test_failed_folds_are_named_with_their_reason():
    frames = made_up_frames(MadeUpProblem())
    folds = frames.folds.copy()
    folds.loc[(folds["run"] == 0) & (folds["repeat"] == 0), "failed"] = "loss is not a number"
    page_section = section(comparisons(replace(frames, folds=folds)))
    assert "baseline failed in 2 folds (loss is not a number)" in texts(page_section)
    training = page_section.files["training"].set_index("row")
    assert training.loc["baseline", "failed_folds"] == 2


def test_a_method_whose_every_fold_failed_has_a_row_without_numbers():
    frames = made_up_frames(MadeUpProblem())
    folds = frames.folds.copy()
    folds.loc[folds["run"] == 0, "failed"] = "loss is not a number"
    page_section = section(comparisons(replace(frames, folds=folds)))
    row = page_section.blocks[0].tables[0].rows[0]
    assert [cell.text for cell in row[:3]] == ["baseline", "–", "–"]


def test_the_best_is_bold_and_what_is_within_error_is_marked():
    methods = (("baseline", None), ("remix", 0.3), ("remix", 0.31))
    page_section = section(
        comparisons(made_up_frames(MadeUpProblem(methods=methods), noise=0.004))
    )
    kinds = [row[1].kind for row in page_section.blocks[0].tables[0].rows]
    assert kinds[0] == "number"
    assert sorted(kinds[1:]) == ["best", "close"]


def test_per_class_scores_name_their_class():
    frames = made_up_frames(MadeUpProblem())
    scores = frames.scores.copy()
    scores.loc[scores["metric"] == "ece", "metric"] = "recall_1"
    lines = table(comparisons(replace(frames, scores=scores)))
    assert lines.loc[lines["metric"] == "recall_1", "class"].unique().tolist() == ["3"]
    assert lines.loc[lines["metric"] == "bbs", "class"].unique().tolist() == [""]


def test_a_long_search_shows_the_best_by_validation():
    methods = tuple(("remix", 0.01 * (i + 1)) for i in range(SHOWN_CONFIGURATIONS + 5))
    frames = made_up_frames(MadeUpProblem(algorithm="tpe", methods=methods))
    page_section = section(comparisons(frames))
    shown = [row[0].text for row in page_section.blocks[0].tables[0].rows]
    values = frames.runs["values"].map(lambda v: v[0])
    best = frames.runs.loc[values.sort_values(ascending=False).index[:SHOWN_CONFIGURATIONS]]
    assert shown == [f"{line.row} #{line.trial}" for line in best.itertuples()]
    assert len(page_section.files["results"]) == len(methods)


def test_a_study_without_complete_trials_says_so():
    page_section = section(comparisons(made_up_frames(MadeUpProblem(methods=()))))
    assert texts(page_section) == "No point is complete yet."
