"""A check against the main study, computed again by scipy and plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from remix_study.reports.checks import compare
from remix_study.reports.comparison import comparisons
from remix_study.reports.roles import Check
from remix_study.reports.sections.checks import sections

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))


@pytest.fixture(scope="module")
def check(frames_of, problem):
    main = problem(rows=FIVE, repeats=5, study="main", early_stopping=False)
    frames = frames_of(main, replace(main, study="check"), spread=0.1)
    first, second = comparisons(frames)
    return Check(first, second, {"model.hidden": (None, [197, 197])})


def words(found):
    return " ".join(text for section in found for block in section.blocks for text in block.text)


def with_scores(comparison, label, metric, change):
    """The same problem with one row's test scores changed."""
    frame = comparison.scores["test", metric]
    changed = {("test", metric): frame.assign(**{label: change(frame[label])})}
    return replace(comparison, scores={**comparison.scores, **changed})


def test_numbers_are_those_of_scipy(check):
    made = compare(check)
    assert len(made.lines) == 2 * len(FIVE)
    for metric in ("g_mean", "bbs"):
        own = [line for line in made.lines if line.metric == metric]
        expected = []
        for line in own:
            before = check.main.score(line.row.label, metric).to_numpy()
            after = check.other.score(line.row.label, metric).to_numpy()
            assert line.main.mean == pytest.approx(before.mean())
            assert line.other.mean == pytest.approx(after.mean())
            d = after - before
            error = np.sqrt((1 / len(d) + check.main.ratio) * d.var(ddof=1))
            expected.append(2 * stats.t.sf(abs(d.mean() / error), len(d) - 1))
            assert line.change.mean == pytest.approx(d.mean())
            low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), error)
            assert (line.change.low, line.change.high) == pytest.approx((low, high))
        assert [line.p for line in own] == pytest.approx(expected)
        # Holm by hand: the i-th smallest p times what is left, never falling.
        order = np.argsort(expected)
        raised = np.maximum.accumulate(np.array(expected)[order] * np.arange(5, 0, -1))
        adjusted = np.empty(5)
        adjusted[order] = np.minimum(raised, 1)
        assert [line.holm_p for line in own] == pytest.approx(adjusted)
        sign = -1 if metric == "g_mean" else 1
        for side in ("main", "other"):
            means = [sign * getattr(line, side).mean for line in own]
            ranks = [getattr(line, f"{side}_rank") for line in own]
            assert ranks == list(stats.rankdata(means))


@pytest.mark.usefixtures("undrawn")
def test_the_same_scores_keep_the_conclusion(check):
    same = Check(check.main, replace(check.main, study="check"), check.changes)
    made = compare(same)
    assert not any(made.changed(metric) for metric in made.outcomes)
    assert {line.p for line in made.lines} == {1.0}
    text = words(sections([same]))
    assert "G-mean: the conclusion stays the same; remix (0.1) is first in both" in text
    assert "changes;" not in text
    assert "model.hidden from as the problem's size gives it to 197, 197" in text


@pytest.mark.usefixtures("undrawn")
def test_another_first_row_changes_the_conclusion(check):
    turned = with_scores(check.main, "smote", "g_mean", lambda _: 1.0)
    made = Check(check.main, replace(turned, study="check"), check.changes)
    assert compare(made).changed("g_mean")
    assert not compare(made).changed("bbs")
    text = words(sections([made]))
    assert "G-mean: the conclusion changes; smote is first instead of remix (0.1)" in text
    assert "Told from itself" not in text
    assert "smote better by" in text


@pytest.mark.usefixtures("undrawn")
def test_a_lost_difference_changes_the_conclusion(check):
    """The same order, but ReMix can no longer be told from the baseline."""
    rng = np.random.default_rng(1)
    noisy = with_scores(
        check.main, "baseline", "bbs", lambda own: own + rng.normal(0, 0.4, len(own))
    )
    frame = noisy.scores["test", "bbs"]
    assert frame["remix (0.1)"].mean() == frame.mean().min()
    made = Check(check.main, replace(noisy, study="check"), check.changes)
    assert compare(made).changed("bbs")
    text = words(sections([made]))
    assert "ReMix is not told apart from the baseline" in text
    assert "not as in main: better than the baseline" in text


@pytest.mark.usefixtures("undrawn")
def test_rows_that_are_not_complete_are_named(check):
    holes = with_scores(
        check.other, "cost", "bbs", lambda own: own.mask(own.index == own.index[0])
    )
    made = Check(check.main, holes, check.changes)
    assert compare(made).left_out == ("cost",)
    assert "cost" not in {line.row.label for line in compare(made).lines}
    nothing = Check(check.main, replace(check.other, rows=(), scores={}), check.changes)
    found = sections([nothing])
    assert "There is no row to compare yet." in words(found)
    assert not found[0].files


def test_without_checks_there_is_no_section():
    assert sections([]) == ()


@pytest.mark.usefixtures("undrawn")
def test_the_table_has_a_line_a_metric_and_row(check):
    (section,) = sections([check])
    frame = section.files["checks"]
    assert len(frame) == 10
    assert set(frame["degrees_of_freedom"]) == {9}
    assert pd.Series(frame["test_train_ratio"]).nunique() == 1
    caption = section.blocks[0].tables[0].caption
    assert f"n_test/n_train {round(check.main.ratio, 2):g}, 9 degrees of freedom" in caption
