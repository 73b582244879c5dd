"""Curves against alpha, with intervals by plain NumPy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_studies import MadeUpProblem, at_three_ratios, made_up_frames
from scipy import stats

from remix_study.report.sections.sensitivity import section
from remix_study.results.comparison import comparisons
from remix_study.results.sensitivity import sensitivity_curves, table

pytestmark = pytest.mark.usefixtures("unrendered_figures")


def fold_values(frames, row, metric):
    run = int(frames.runs.loc[frames.runs["row"] == row, "run"].iloc[0])
    scores = frames.scores
    chosen = scores[
        (scores["run"] == run) & (scores["metric"] == metric) & (scores["part"] == "test")
    ]
    return chosen.sort_values(["repeat", "fold"])["value"].to_numpy()


def texts(page_section):
    return " ".join(text for block in page_section.blocks for text in block.text)


def test_alpha_zero_is_balance_and_every_other_alpha_its_own_run():
    frames = made_up_frames(MadeUpProblem())
    (curve,) = [
        curve
        for curve in sensitivity_curves(comparisons(frames))
        if (curve.family, curve.metric) == ("remix", "g_mean")
    ]
    alphas = [point.alpha for point in curve.points]
    assert alphas == [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0]
    for point in curve.points:
        row = "balance" if point.alpha == 0 else f"remix ({point.alpha:g})"
        assert point.score.method == row
        assert point.score.mean == pytest.approx(fold_values(frames, row, "g_mean").mean())


def test_difference_to_zero_is_the_corrected_paired_interval():
    frames = made_up_frames(MadeUpProblem(early_stopping=False))
    lines = table(sensitivity_curves(comparisons(frames)))
    line = lines[(lines["row"] == "remix (0.4)") & (lines["metric"] == "bbs")].iloc[0]
    change = fold_values(frames, "remix (0.4)", "bbs") - fold_values(frames, "balance", "bbs")
    error = np.sqrt((1 / 20 + 1 / 0.7) * change.var(ddof=1))
    reach = stats.t.ppf(0.975, 19) * error
    assert line["difference_to_zero"] == pytest.approx(change.mean())
    assert line["difference_low"] == pytest.approx(change.mean() - reach)
    assert line["difference_high"] == pytest.approx(change.mean() + reach)
    single = fold_values(frames, "remix (0.4)", "bbs")
    assert line["corrected_se"] == pytest.approx(np.sqrt((1 / 20 + 1 / 0.7) * single.var(ddof=1)))


def test_alpha_zero_of_mixup_is_the_baseline():
    frames = made_up_frames(
        MadeUpProblem(methods=(("baseline", None), ("mixup", 0.1), ("mixup", 0.4)))
    )
    lines = table(sensitivity_curves(comparisons(frames)))
    zero = lines[(lines["metric"] == "g_mean") & (lines["alpha"] == 0)]
    assert zero["row"].tolist() == ["baseline"]


def test_imbalance_ratios_are_lines_of_one_panel():
    page_section = section(comparisons(made_up_frames(*at_three_ratios())))
    (block,) = [block for block in page_section.blocks if block.pictures]
    assert block.title == "ReMix on digits, class 3 against the rest"
    names = [picture.name for picture in block.pictures]
    assert names == [
        "sensitivity-remix-1-g_mean",
        "sensitivity-remix-1-g_mean-difference",
        "sensitivity-remix-1-bbs",
        "sensitivity-remix-1-bbs-difference",
        "sensitivity-remix-1",
    ]
    heads = [head.text for head in block.tables[0].head[0]]
    assert heads == ["alpha", "rare 1:20", "rare 1:40", "rare 1:100"]


def with_two_widths(frames):
    """The same runs, those of the second half by larger networks."""
    for _, runs in frames.runs.groupby("problem"):
        for place, at in enumerate(runs.index):
            width = "paper" if place < len(runs) / 2 else [256, 256]
            frames.runs.at[at, "parameters"] = {
                **frames.runs.at[at, "parameters"],
                "model.hidden": width,
            }
            frames.runs.at[at, "row"] += f", model.hidden {width}"
    return frames


@pytest.mark.parametrize("ratios", [1, 3])
def test_widths_are_lines_of_one_panel_unless_ratios_are(ratios):
    methods = (("balance", None), ("remix", 0.1), ("remix", 0.4)) * 2
    problems = at_three_ratios(MadeUpProblem(methods=methods))[:ratios]
    page_section = section(comparisons(with_two_widths(made_up_frames(*problems))))
    blocks = [block for block in page_section.blocks if block.pictures]
    titles = [block.title for block in blocks]
    heads = [[head.text for head in block.tables[0].head[0]] for block in blocks]
    title = "ReMix on digits, class 3 against the rest"
    if ratios == 1:
        lines = ["rare 1:20, model.hidden [256, 256]", "rare 1:20, model.hidden paper"]
        assert (titles, heads) == ([title], [["alpha", *lines]])
    else:
        widths = ["model.hidden [256, 256]", "model.hidden paper"]
        assert titles == [f"{title}, {width}" for width in widths]
        assert heads == [["alpha", "rare 1:20", "rare 1:40", "rare 1:100"]] * 2


def test_text_names_the_alphas_that_are_better():
    # With almost no noise of its own every alpha stands apart from zero.
    frames = made_up_frames(
        MadeUpProblem(methods=(("balance", None), ("remix", 0.1), ("remix", 0.3))), noise=1e-4
    )
    text = texts(section(comparisons(frames)))
    assert "Rare 1:20, g-mean: better than alpha 0 at 0.1 and 0.3" in text
    assert "Rare 1:20, balanced Brier: better than alpha 0 at 0.1 and 0.3" in text


def test_one_alpha_is_told_in_text_and_table():
    page_section = section(
        comparisons(made_up_frames(MadeUpProblem(methods=(("baseline", None), ("mixup", 0.1)))))
    )
    assert "MixUp was run at one alpha (0.1)" in texts(page_section)
    assert not any(block.pictures for block in page_section.blocks)
    assert set(page_section.files["sensitivity"]["alpha"]) == {0.0, 0.1}


def test_without_a_zero_there_is_a_curve_but_no_difference():
    page_section = section(
        comparisons(made_up_frames(MadeUpProblem(methods=(("remix", 0.1), ("remix", 0.4)))))
    )
    assert "without a run at alpha 0" in texts(page_section)
    (block,) = page_section.blocks
    assert [picture.name for picture in block.pictures if picture.on_page] == [
        "sensitivity-remix-1-g_mean",
        "sensitivity-remix-1-bbs",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"algorithm": "tpe"}, "Optuna chose the configurations"),
        ({"methods": (("baseline", None), ("cost", None))}, "nothing depends on alpha"),
        ({"methods": ()}, "nothing depends on alpha"),
    ],
)
def test_a_study_without_curves_says_why(changes, expected):
    assert expected in texts(section(comparisons(made_up_frames(MadeUpProblem(**changes)))))
