"""Gains against pandas, their sign, and the problem that carries a mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_studies import MadeUpProblem, at_three_ratios, made_up_frames

from remix_study.report.sections.gains import section
from remix_study.results.comparison import comparisons
from remix_study.results.gains import ALL, gains, table, table_by_problem
from remix_study.results.rank_sums import rankable, strategy_ranks

pytestmark = pytest.mark.usefixtures("unrendered_figures")

ROWS = (("baseline", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1), ("remix", 1.0))


def found_in(frames):
    usable, _ = rankable(comparisons(frames))
    return gains(strategy_ranks(usable), usable)


def texts(made):
    return " ".join(text for block in made.blocks for text in block.text)


@pytest.fixture(scope="module")
def frames():
    second = MadeUpProblem(
        problem="other-ir0.01", dataset="other", imbalance=0.01, methods=ROWS, repeats=2
    )
    return made_up_frames(
        *at_three_ratios(MadeUpProblem(methods=ROWS, repeats=2)), second, noise=0.05
    )


def by_pandas(frames, metric, row):
    own = frames.scores[(frames.scores["part"] == "test") & (frames.scores["metric"] == metric)]
    means = own.merge(frames.runs[["run", "problem", "row"]]).pivot_table(
        index="problem", columns="row", values="value", aggfunc="mean"
    )
    return (means[row] - means["baseline"]) * (1 if metric == "g_mean" else -1)


@pytest.mark.parametrize("metric", ["g_mean", "bbs", "log_loss"])
def test_gains_by_ratio_and_over_all(frames, metric):
    lines = table(found_in(frames))
    for row in ("smote", "mixup (0.1)", "remix (0.1)"):
        expected = by_pandas(frames, metric, row)
        ratio = frames.problems.set_index("problem")["imbalance"]
        own = lines[(lines["row"] == row) & (lines["metric"] == metric)].set_index("imbalance")
        assert list(own.index) == ["IR 0.05", "IR 0.025", "IR 0.01", ALL]
        assert own.loc[ALL, "mean_gain"] == pytest.approx(expected.mean())
        assert own.loc[ALL, "median_gain"] == pytest.approx(expected.median())
        assert own.loc[ALL, "problems_better"] == (expected > 0).sum()
        for value in (0.05, 0.025, 0.01):
            here = expected[ratio == value]
            assert own.loc[f"IR {value:g}", "mean_gain"] == pytest.approx(here.mean())
            assert own.loc[f"IR {value:g}", "problems"] == len(here)


def test_positive_is_better_in_both_directions():
    made = found_in(made_up_frames(MadeUpProblem(methods=ROWS), noise=1e-4))
    sign = {(g.metric, g.method.strategy): g.mean() > 0 for g in made}
    assert sign["g_mean", "remix"]
    assert sign["bbs", "remix"]
    assert not sign["log_loss", "remix"]
    assert not sign["g_mean", "mixup"]


def test_by_problem_has_one_line_each(frames):
    lines = table_by_problem(found_in(frames))
    assert len(lines) == 5 * 3 * 4
    own = lines[(lines["row"] == "smote") & (lines["metric"] == "bbs")].set_index("problem")
    expected = by_pandas(frames, "bbs", "smote")
    assert own["gain"].to_dict() == pytest.approx(expected.to_dict())


def test_the_problem_that_carries_a_mean_is_named():
    frames = made_up_frames(
        *at_three_ratios(MadeUpProblem(methods=ROWS[:4], repeats=1)), noise=1e-3
    )
    scores = frames.scores.copy()
    run = frames.runs[
        (frames.runs["row"] == "remix (0.1)") & (frames.runs["problem"] == "digits-3-ir0.01")
    ]["run"].iloc[0]
    scores.loc[(scores["run"] == run) & (scores["metric"] == "g_mean"), "value"] = 1.0
    made = section(comparisons(replace(frames, scores=scores)))
    assert "G-mean: digits-3-ir0.01 (" in texts(made)
    assert "carries much of the mean gain of remix (0.1)" in texts(made)
    assert "balanced Brier: digits" not in texts(made)


def test_reading_and_figures_of_a_study(frames):
    made = section(comparisons(frames))
    (block,) = made.blocks
    assert "mean gain over 4 problems: " in texts(made)
    assert "the ratios do not have the same data sets" in texts(made)
    assert [p.name for p in block.pictures] == ["gains-binary-g_mean", "gains-binary-bbs"]
    assert [cell.text for cell in block.tables[0].head[0]] == [
        "row", "IR 0.05", "IR 0.025", "IR 0.01", "all", "better on",
    ]  # fmt: skip


def test_without_a_baseline_there_is_a_sentence():
    made = section(comparisons(made_up_frames(MadeUpProblem(methods=ROWS[1:]))))
    assert "no gain to show" in texts(made)
    assert made.files == {}


def test_data_as_they_are_have_their_own_group():
    first = MadeUpProblem(imbalance=float("nan"), problem="a", methods=ROWS[:2])
    second = MadeUpProblem(problem="b", methods=ROWS[:2])
    found = found_in(made_up_frames(first, second))
    assert list(found[0].groups) == ["as it is", "IR 0.05", ALL]
