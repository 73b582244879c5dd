"""A check against the main study, computed again by scipy and plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, made_up_frames
from scipy import stats

from remix_study.paper.sections.ablations import compare_check, sections
from remix_study.results.comparison import comparisons
from remix_study.results.study_roles import Check

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))


@pytest.fixture(scope="module")
def check():
    main = MadeUpProblem(methods=FIVE, repeats=5, study="main", early_stopping=False)
    frames = made_up_frames(main, replace(main, study="check"), spread=0.1)
    first, second = comparisons(frames)
    return Check(first, second, {"model.hidden": (None, [197, 197])})


def text_of(page_sections):
    return " ".join(
        text for section in page_sections for block in section.blocks for text in block.text
    )


def with_scores(comparison, label, metric, change):
    """The same problem with one row's test scores changed."""
    frame = comparison.scores["test", metric]
    changed = {("test", metric): frame.assign(**{label: change(frame[label])})}
    return replace(comparison, scores={**comparison.scores, **changed})


def holm_by_hand(p):
    """The i-th smallest p times what is left, never falling, at most one."""
    order = np.argsort(p)
    raised = np.maximum.accumulate(np.array(p)[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(raised, 1)
    return adjusted


def p_of(d, ratio):
    error = np.sqrt((1 / len(d) + ratio) * d.var(ddof=1))
    return 2 * stats.t.sf(abs(d.mean() / error), len(d) - 1)


def lines_by_metric(ablation):
    return {changes.metric: changes.methods for changes in ablation.metrics}


def has_changed(check):
    return {changes.metric: changes.has_changed for changes in compare_check(check).metrics}


def test_numbers_are_those_of_scipy(check):
    ablation = compare_check(check)
    assert [changes.metric for changes in ablation.metrics] == ["g_mean", "bbs"]
    for metric, lines in lines_by_metric(ablation).items():
        assert len(lines) == len(FIVE)
        expected = []
        for line in lines:
            before = check.main.score(line.method.label, metric).to_numpy()
            after = check.varied.score(line.method.label, metric).to_numpy()
            assert line.main.score.mean == pytest.approx(before.mean())
            assert line.check.score.mean == pytest.approx(after.mean())
            d = after - before
            error = np.sqrt((1 / len(d) + check.main.ratio) * d.var(ddof=1))
            expected.append(p_of(d, check.main.ratio))
            change = line.change.interval
            assert change.mean == pytest.approx(d.mean())
            low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), error)
            assert (change.low, change.high) == pytest.approx((low, high))
        assert [line.change.p for line in lines] == pytest.approx(expected)
        assert [line.change.holm_p for line in lines] == pytest.approx(holm_by_hand(expected))
        sign = -1 if metric == "g_mean" else 1
        for side in ("main", "check"):
            in_study = [getattr(line, side) for line in lines]
            means = [sign * method.score.mean for method in in_study]
            assert [method.rank for method in in_study] == list(stats.rankdata(means))


def test_leads_of_remix_are_those_of_scipy(check):
    ablation = compare_check(check)
    rivals = ("baseline", "cost", "smote", "mixup (0.1)")
    for changes in ablation.metrics:
        metric, leads = changes.metric, changes.leads
        assert tuple(lead.main.against for lead in leads) == rivals
        side_leads = [
            [
                (c.score("remix (0.1)", metric) - c.score(name, metric)).to_numpy()
                for name in rivals
            ]
            for c in (check.main, check.varied)
        ]
        moves = [after - before for before, after in zip(*side_leads, strict=True)]
        expected = holm_by_hand([p_of(d, check.main.ratio) for d in moves])
        assert [lead.change.holm_p for lead in leads] == pytest.approx(expected)
        for lead, d in zip(leads, moves, strict=True):
            assert lead.change.mean == pytest.approx(d.mean())
        for side, differences in zip(("main", "check"), side_leads, strict=True):
            adjusted = holm_by_hand([p_of(d, check.main.ratio) for d in differences])
            for lead, d, p in zip(leads, differences, adjusted, strict=True):
                better = (d.mean() > 0) == (metric == "g_mean")
                relation = ("better" if better else "worse") if p <= 0.05 else "unclear"
                assert getattr(lead, side).relation_after_holm == relation
    relations = {lead.main.relation_after_holm for c in ablation.metrics for lead in c.leads}
    assert relations >= {"better", "unclear"}


@pytest.mark.usefixtures("unrendered_figures")
def test_the_same_scores_keep_the_conclusion(check):
    unchanged = Check(check.main, replace(check.main, study="check"), check.changes)
    ablation = compare_check(unchanged)
    assert has_changed(unchanged) == {"g_mean": False, "bbs": False}
    assert {line.change.p for lines in lines_by_metric(ablation).values() for line in lines} == {1}
    text = text_of(sections([unchanged]))
    assert "G-mean: the conclusion stays the same: in both ReMix is better than baseline" in text
    assert "remix (0.1) is first in both" in text
    assert "over baseline by 0.000" in text
    assert "surely so after Holm: none" in text
    assert "conclusion changes" not in text
    assert "model.hidden from as the problem's size gives it to 197, 197" in text


@pytest.mark.usefixtures("unrendered_figures")
def test_another_first_row_alone_is_no_other_conclusion(check):
    """SMOTE passes ReMix by a hair and neither is told from the other on either side."""
    remix_scores = check.main.score("remix (0.1)", "g_mean") + 1e-4
    noise = np.resize([0.2, -0.2], len(remix_scores))
    behind, passing = (
        with_scores(check.main, "smote", "g_mean", lambda _, by=by: remix_scores + noise + by)
        for by in (-1e-3, 1e-3)
    )
    ablation_check = Check(behind, replace(passing, study="check"), check.changes)
    assert has_changed(ablation_check)["g_mean"] is False
    text = text_of(sections([ablation_check]))
    assert "By the means smote is first instead of remix (0.1)" in text
    assert "smote from 2 to 1" in text


@pytest.mark.usefixtures("unrendered_figures")
def test_a_rival_that_passes_remix_changes_the_conclusion(check):
    turned = with_scores(check.main, "smote", "g_mean", lambda _: 1.0)
    ablation_check = Check(check.main, replace(turned, study="check"), check.changes)
    assert has_changed(ablation_check) == {"g_mean": True, "bbs": False}
    text = text_of(sections([ablation_check]))
    assert "G-mean: the conclusion changes: ReMix is worse than smote" in text
    assert "against ReMix over smote" in text
    assert "smote better by" in text


@pytest.mark.usefixtures("unrendered_figures")
def test_a_lost_difference_changes_the_conclusion(check):
    """The same order, but ReMix can no longer be told from the baseline."""
    rng = np.random.default_rng(1)
    noisy = with_scores(
        check.main, "baseline", "bbs", lambda scores: scores + rng.normal(0, 0.4, len(scores))
    )
    frame = noisy.scores["test", "bbs"]
    assert frame["remix (0.1)"].mean() == frame.mean().min()
    ablation_check = Check(check.main, replace(noisy, study="check"), check.changes)
    assert has_changed(ablation_check)["bbs"]
    text = text_of(sections([ablation_check]))
    assert "ReMix is not told apart from baseline" in text
    assert "where in main it is better than it" in text


@pytest.mark.usefixtures("unrendered_figures")
def test_epochs_are_those_of_the_rows_that_both_have(check):
    folds = check.varied.folds
    runs = [c.method("smote").run for c in (check.main, check.varied)]
    longer = folds.assign(epochs=np.where(folds["run"] == runs[1], 500, folds["epochs"]))
    ablation_check = Check(check.main, replace(check.varied, folds=longer), check.changes)
    lines = lines_by_metric(compare_check(ablation_check))["g_mean"]
    epochs = {line.method.label: (line.main.epochs, line.check.epochs) for line in lines}
    before = check.main.folds.loc[check.main.folds["run"] == runs[0], "epochs"].median()
    assert epochs["smote"] == (before, 500)
    assert epochs["cost"][1] < 500
    assert f"smote {before:g} and 500" in text_of(sections([ablation_check]))


@pytest.mark.usefixtures("unrendered_figures")
def test_without_remix_nothing_is_concluded(check):
    methods = tuple(row for row in check.varied.methods if row.strategy != "remix")
    without_remix = replace(
        check.varied,
        methods=methods,
        scores={k: f.drop(columns="remix (0.1)") for k, f in check.varied.scores.items()},
    )
    ablation_check = Check(check.main, without_remix, check.changes)
    assert has_changed(ablation_check)["g_mean"] is None
    assert "nothing is concluded without ReMix" in text_of(sections([ablation_check]))


@pytest.mark.usefixtures("unrendered_figures")
def test_rows_that_are_not_complete_are_named(check):
    incomplete = with_scores(
        check.varied, "cost", "bbs", lambda scores: scores.mask(scores.index == scores.index[0])
    )
    ablation_check = Check(check.main, incomplete, check.changes)
    ablation = compare_check(ablation_check)
    assert ablation.left_out == ("cost",)
    for lines in lines_by_metric(ablation).values():
        assert "cost" not in {line.method.label for line in lines}
    nothing = Check(check.main, replace(check.varied, methods=(), scores={}), check.changes)
    page_sections = sections([nothing])
    assert "There is no row to compare yet." in text_of(page_sections)
    assert not page_sections[0].files


def test_without_checks_there_is_no_section():
    assert sections([]) == ()


@pytest.mark.usefixtures("unrendered_figures")
def test_the_table_has_a_line_a_metric_and_row(check):
    (section,) = sections([check])
    frame = section.files["checks"]
    assert len(frame) == 10
    assert set(frame["degrees_of_freedom"]) == {9}
    assert pd.Series(frame["test_train_ratio"]).nunique() == 1
    caption = section.blocks[0].tables[0].caption
    assert f"n_test/n_train {round(check.main.ratio, 2):g}, 9 degrees of freedom" in caption
