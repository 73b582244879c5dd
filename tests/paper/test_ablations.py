"""A check against the main study, computed again by scipy and plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, made_up_frames
from scipy import stats

from remix_study.paper.ablations import compare_check
from remix_study.paper.sections.ablations import sections
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


def test_numbers_are_those_of_scipy(check):
    ablation = compare_check(check)
    assert len(ablation.lines) == 2 * len(FIVE)
    for metric in ("g_mean", "bbs"):
        changes = [line for line in ablation.lines if line.metric == metric]
        expected = []
        for line in changes:
            before = check.main.score(line.method.label, metric).to_numpy()
            after = check.varied.score(line.method.label, metric).to_numpy()
            assert line.main.mean == pytest.approx(before.mean())
            assert line.other.mean == pytest.approx(after.mean())
            d = after - before
            error = np.sqrt((1 / len(d) + check.main.ratio) * d.var(ddof=1))
            expected.append(2 * stats.t.sf(abs(d.mean() / error), len(d) - 1))
            assert line.change.mean == pytest.approx(d.mean())
            low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), error)
            assert (line.change.low, line.change.high) == pytest.approx((low, high))
        assert [line.p for line in changes] == pytest.approx(expected)
        # Holm by hand: the i-th smallest p times what is left, never falling.
        order = np.argsort(expected)
        raised = np.maximum.accumulate(np.array(expected)[order] * np.arange(5, 0, -1))
        adjusted = np.empty(5)
        adjusted[order] = np.minimum(raised, 1)
        assert [line.holm_p for line in changes] == pytest.approx(adjusted)
        sign = -1 if metric == "g_mean" else 1
        for side in ("main", "other"):
            means = [sign * getattr(line, side).mean for line in changes]
            rank = "rank_in_main" if side == "main" else "rank_in_check"
            ranks = [getattr(line, rank) for line in changes]
            assert ranks == list(stats.rankdata(means))


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


def test_leads_of_remix_are_those_of_scipy(check):
    ablation = compare_check(check)
    rivals = ("baseline", "cost", "smote", "mixup (0.1)")
    for metric in ("g_mean", "bbs"):
        leads = ablation.leads_of(metric)
        assert tuple(lead.rival for lead in leads) == rivals
        side_leads = [
            [
                (c.score("remix (0.1)", metric) - c.score(name, metric)).to_numpy()
                for name in rivals
            ]
            for c in (check.main, check.varied)
        ]
        changes = [after - before for before, after in zip(*side_leads, strict=True)]
        expected = holm_by_hand([p_of(d, check.main.ratio) for d in changes])
        assert [lead.holm_p for lead in leads] == pytest.approx(expected)
        for lead, d in zip(leads, changes, strict=True):
            assert lead.change.mean == pytest.approx(d.mean())
        for side, differences in enumerate(side_leads):
            adjusted = holm_by_hand([p_of(d, check.main.ratio) for d in differences])
            for lead, d, p in zip(leads, differences, adjusted, strict=True):
                better = (d.mean() > 0) == (metric == "g_mean")
                relation = ("better" if better else "worse") if p <= 0.05 else "unclear"
                assert lead.relations[side] == relation
    assert {lead.relations[0] for lead in ablation.leads} >= {"better", "unclear"}


@pytest.mark.usefixtures("unrendered_figures")
def test_the_same_scores_keep_the_conclusion(check):
    unchanged = Check(check.main, replace(check.main, study="check"), check.changes)
    ablation = compare_check(unchanged)
    assert not any(ablation.has_changed(metric) for metric in ablation.metrics)
    assert {line.p for line in ablation.lines} == {1.0}
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
    assert compare_check(ablation_check).has_changed("g_mean") is False
    text = text_of(sections([ablation_check]))
    assert "By the means smote is first instead of remix (0.1)" in text
    assert "smote from 2 to 1" in text


@pytest.mark.usefixtures("unrendered_figures")
def test_a_rival_that_passes_remix_changes_the_conclusion(check):
    turned = with_scores(check.main, "smote", "g_mean", lambda _: 1.0)
    ablation_check = Check(check.main, replace(turned, study="check"), check.changes)
    assert compare_check(ablation_check).has_changed("g_mean")
    assert not compare_check(ablation_check).has_changed("bbs")
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
    assert compare_check(ablation_check).has_changed("bbs")
    text = text_of(sections([ablation_check]))
    assert "ReMix is not told apart from baseline" in text
    assert "where in main it is better than it" in text


@pytest.mark.usefixtures("unrendered_figures")
def test_epochs_are_those_of_the_rows_that_both_have(check):
    folds = check.varied.folds
    runs = [c.method("smote").run for c in (check.main, check.varied)]
    longer = folds.assign(epochs=np.where(folds["run"] == runs[1], 500, folds["epochs"]))
    ablation_check = Check(check.main, replace(check.varied, folds=longer), check.changes)
    epochs = {line.method.label: line.epochs for line in compare_check(ablation_check).lines}
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
    assert compare_check(ablation_check).has_changed("g_mean") is None
    assert "nothing is concluded without ReMix" in text_of(sections([ablation_check]))


@pytest.mark.usefixtures("unrendered_figures")
def test_rows_that_are_not_complete_are_named(check):
    incomplete = with_scores(
        check.varied, "cost", "bbs", lambda scores: scores.mask(scores.index == scores.index[0])
    )
    ablation_check = Check(check.main, incomplete, check.changes)
    assert compare_check(ablation_check).left_out == ("cost",)
    assert "cost" not in {line.method.label for line in compare_check(ablation_check).lines}
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
