"""Scores against pandas, paired tests against the formula written out, and their sentences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_studies import MadeUpProblem, made_up_frames
from scipy import stats

from remix_study.report.sections.overview import section as overview
from remix_study.report.sections.scores import SHOWN_CONFIGURATIONS, section
from remix_study.results.comparison import comparisons
from remix_study.results.methods import remix_method
from remix_study.results.score_tables import (
    paired_tests,
    table,
    table_of_tests,
    table_of_training,
)

pytestmark = pytest.mark.usefixtures("unrendered_figures")
FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))


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


def test_an_estimator_has_no_epochs():
    frames = made_up_frames(MadeUpProblem())
    is_estimator = frames.runs["row"] == "cost"
    frames.runs.loc[is_estimator, ["sampler", "mixing", "loss"]] = "none"
    frames.folds.loc[frames.folds["run"].isin(frames.runs.loc[is_estimator, "run"]), "epochs"] = 1
    (problem,) = comparisons(frames)
    (scores, *_) = section([problem]).blocks[0].tables
    details = {str(row[0].text): row[0].detail for row in scores.rows}
    assert details["cost"] == "an estimator"
    assert "epochs" in details["smote"]
    of_networks = frames.folds.loc[frames.folds["epochs"] > 1, "epochs"]
    (line,) = [line for line in overview([problem]).blocks[0].text if "Networks ended" in line]
    assert f"range {of_networks.min()} to {of_networks.max()})" in line


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
    assert texts(page_section) == "No configuration is complete yet."


@pytest.fixture
def comparison():
    problem = MadeUpProblem(methods=FIVE, early_stopping=False)
    return comparisons(made_up_frames(problem, noise=0.05))[0]


def scores(frames, method, metric):
    runs = frames.runs.set_index("row")["run"]
    test_scores = frames.scores[
        (frames.scores["part"] == "test") & (frames.scores["metric"] == metric)
    ]
    return (
        test_scores[test_scores["run"] == runs[method]]
        .sort_values(["repeat", "fold"])["value"]
        .to_numpy()
    )


def test_statistics_are_those_of_the_formula():
    frames = made_up_frames(MadeUpProblem(methods=FIVE, early_stopping=False), noise=0.05)
    (comparison,) = comparisons(frames)
    tests = paired_tests(comparison, remix_method(comparison.methods))
    against_baseline = [t for t in tests if (t.against, t.metric) == ("baseline", "bbs")]
    assert [t.method for t in against_baseline] == ["cost", "smote", "mixup (0.1)", "remix (0.1)"]
    sizes = frames.folds.iloc[0]
    ratio = sizes["n_test"] / sizes["n_train"]
    assert ratio == pytest.approx(1.43, abs=0.01)
    p_values = []
    for test in against_baseline:
        d = scores(frames, test.method, "bbs") - scores(frames, "baseline", "bbs")
        t = d.mean() / np.sqrt((1 / 20 + ratio) * d.var(ddof=1))
        p_values.append(2 * stats.t.sf(abs(t), 19))
        assert (test.degrees_of_freedom, test.t) == (19, pytest.approx(t))
        assert test.p == pytest.approx(p_values[-1])
    order = np.argsort(p_values)
    expected = np.maximum.accumulate([p_values[i] * (4 - place) for place, i in enumerate(order)])
    assert [against_baseline[i].holm_p for i in order] == pytest.approx(np.minimum(expected, 1))


def test_swapping_method_and_reference_swaps_the_sign(comparison):
    tests = paired_tests(comparison, remix_method(comparison.methods))
    by_key = {(t.against, t.method, t.metric): t for t in tests}
    forward = by_key["baseline", "remix (0.1)", "g_mean"]
    backward = by_key["remix (0.1)", "baseline", "g_mean"]
    assert forward.mean == pytest.approx(-backward.mean)
    assert forward.p == pytest.approx(backward.p)
    assert {t.against for t in tests} == {"baseline", "remix (0.1)"}


def test_equal_folds_have_p_one_and_a_constant_difference_p_zero():
    frames = made_up_frames(MadeUpProblem(methods=FIVE))
    run = frames.runs.set_index("row")["run"]
    test = (frames.scores["part"] == "test") & (frames.scores["metric"] == "g_mean")
    value = frames.scores["value"].where(~test, 0.5)
    value = value.mask(test & (frames.scores["run"] == run["cost"]), 0.75)
    (comparison,) = comparisons(replace(frames, scores=frames.scores.assign(value=value)))
    by_key = {
        (t.method, t.metric): t
        for t in paired_tests(comparison, remix_method(comparison.methods))
        if t.against == "baseline"
    }
    assert (by_key["smote", "g_mean"].t, by_key["smote", "g_mean"].holm_p) == (0.0, 1.0)
    assert (by_key["cost", "g_mean"].t, by_key["cost", "g_mean"].holm_p) == (np.inf, 0.0)


def test_a_search_has_no_reference():
    (comparison,) = comparisons(made_up_frames(MadeUpProblem(algorithm="tpe")))
    assert paired_tests(comparison, None) == ()


def test_the_section_prints_ratio_and_degrees_of_freedom(comparison):
    page_section = section([comparison])
    captions = [table.caption for block in page_section.blocks for table in block.tables]
    assert any("n_test/n_train 1.43, 19 degrees of freedom" in caption for caption in captions)
    lines = page_section.files["paired-tests"]
    assert len(lines) == 2 * 4 * 5
    assert (lines["degrees_of_freedom"] == 19).all()
    tests = paired_tests(comparison, remix_method(comparison.methods))
    assert len(table_of_tests([(comparison, tests)])) == len(lines)


def test_many_problems_are_counted_and_folded():
    made_problems = [
        MadeUpProblem(problem=f"p{n}", methods=FIVE[:2], repeats=2) for n in range(14)
    ]
    page_section = section(comparisons(made_up_frames(*made_problems)))
    assert sum(bool(block.collapsed) for block in page_section.blocks) == 14
    text = " ".join(line for block in page_section.blocks for line in block.text)
    assert "Different from baseline after Holm within each problem" in text
