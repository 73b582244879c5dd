"""Verdicts on studies with known effects, and the sentences of their section."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from gaussian_studies import gaussian_frames
from made_up_studies import MadeUpProblem, at_three_ratios, made_up_frames
from scipy import stats

from remix_study.report.sections.verdict import section
from remix_study.results.comparison import comparisons
from remix_study.results.corrections import DIVIDED, THRESHOLD, corrected_methods, with_methods
from remix_study.results.verdict import problem_verdict, remix_method

pytestmark = pytest.mark.usefixtures("unrendered_figures")

GAUSS = (
    ("baseline", None),
    ("cost", None),
    ("balance", None),
    ("remix", 0.1),
    ("logit-adjusted", None),
)


def verdicts(frames):
    return [
        problem_verdict(
            with_methods(
                comparison,
                corrected_methods(comparison, frames.probabilities, remix_method(comparison)),
            )
        )
        for comparison in comparisons(frames)
    ]


def words(page_section):
    parts = []
    for block in page_section.blocks:
        parts += [*block.warnings, block.headline, *block.text]
        parts += [line for answer in block.answers for line in answer.lines]
    return " ".join(parts).replace("\N{NO-BREAK SPACE}", " ")


def answer(page_section, question, block=0):
    shown = [block for block in page_section.blocks if block.answers]
    lines = next(a.lines for a in shown[block].answers if question in a.question)
    return " ".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def test_differences_are_corrected_and_paired():
    frames = made_up_frames(MadeUpProblem(), noise=0.02)
    (verdict,) = verdicts(frames)
    joined = frames.scores[
        (frames.scores["metric"] == "bbs") & (frames.scores["part"] == "test")
    ].merge(frames.runs[["run", "row"]])
    wide = joined.pivot(index=["repeat", "fold"], columns="row", values="value")
    for name in ("baseline", "balance", "cost", "logit-adjusted"):
        change = wide["remix (0.1)"] - wide[name]
        reach = stats.t.ppf(0.975, 19) * np.sqrt(1.05 * change.var(ddof=1))
        interval = verdict.rival(name).differences["bbs"].interval
        assert interval.mean == pytest.approx(change.mean())
        assert (interval.low, interval.high) == pytest.approx(
            (change.mean() - reach, change.mean() + reach)
        )


def test_known_effects_are_stated():
    page_section = section(verdicts(made_up_frames(MadeUpProblem(), noise=1e-4)))
    assert words(page_section).startswith("ReMix (0.1) is better than the baseline on g-mean")
    assert answer(page_section, "Does ReMix help?").startswith(
        "Yes. Against the baseline: better on"
    )
    assert answer(page_section, "Does its mixing help?").startswith("Yes.")
    assert "No, ReMix is surely better than each rival" in answer(page_section, "simpler")
    # What helps the balanced measures was made to harm the natural ones.
    assert answer(page_section, "probabilities").startswith(
        "Not as they come: worse than the baseline’s"
    )


def test_what_the_folds_cannot_show_is_not_stated():
    page_section = section(verdicts(made_up_frames(MadeUpProblem(), noise=0.4)))
    assert "shows no clear difference from the baseline" in words(page_section)
    assert "mixing has no clear effect on top of balancing" in words(page_section)
    assert answer(page_section, "Does ReMix help?").startswith("These folds cannot show it.")
    assert answer(page_section, "simpler").startswith("ReMix is not clearly better than cost")
    assert "rows are within error of the best" in answer(page_section, "validation")


def test_harm_is_called_harm():
    frames = made_up_frames(
        MadeUpProblem(methods=(("baseline", None), ("remix", 0.1))), noise=1e-4
    )
    scores = frames.scores.copy()
    remix = scores["run"] == int(
        frames.runs.loc[frames.runs["strategy"] == "remix", "run"].iloc[0]
    )
    scores.loc[remix & (scores["metric"] == "g_mean"), "value"] -= 0.5
    scores.loc[remix & (scores["metric"] == "bbs"), "value"] += 0.5
    page_section = section(verdicts(replace(frames, scores=scores)))
    assert answer(page_section, "Does ReMix help?").startswith("No, it harms.")
    assert "is worse than the baseline on g-mean and balanced Brier" in words(page_section)


def test_few_folds_and_few_rows_are_warned_of_first():
    frames = made_up_frames(
        MadeUpProblem(
            repeats=2, counts={"rest": 1200, "3": 12}, methods=(("baseline", None), ("remix", 0.1))
        )
    )
    block = section(verdicts(frames)).blocks[0]
    assert block.warnings[0].startswith("Only 4 folds")
    assert block.warnings[1].startswith("Only 6 rows of the rarest class")
    assert "0.17" in block.warnings[1]


def test_enough_folds_and_rows_need_no_warning():
    (block,) = section(verdicts(made_up_frames(MadeUpProblem()))).blocks
    assert block.warnings == ()


def test_missing_configurations_are_warned_of_first():
    (block,) = section(verdicts(made_up_frames(MadeUpProblem(planned=20)))).blocks
    assert "6 points still to run" in block.warnings[0]


def test_another_alpha_than_the_published_is_stated():
    frames = made_up_frames(
        MadeUpProblem(methods=(("baseline", None), ("remix", 0.05), ("remix", 0.5)))
    )
    (verdict,) = verdicts(frames)
    assert verdict.remix.alpha == 0.05
    assert "this speaks of alpha 0.05" in words(section([verdict]))


def test_the_correction_suffices_for_a_balanced_network():
    # ReMix here is a true posterior at shares 0.3: the correction is all that it needs.
    frames = gaussian_frames(methods=GAUSS, shares={"remix": 0.3, "balance": 0.3}, repeats=10)
    (verdict,) = verdicts(frames)
    assert set(verdict.probability_quality.worse) == {"brier", "log_loss", "cwece"}
    assert verdict.probability_quality.correction_outcome == "sufficient"
    page_section = section([verdict])
    text = answer(page_section, "probabilities")
    assert "approximately, since its rows were mixed, they cannot be told from" in text
    assert "decide by the probabilities as they come" in text


def test_a_softened_network_needs_a_temperature_on_top():
    frames = gaussian_frames(
        methods=GAUSS, shares={"remix": 0.5}, slopes={"remix": 0.35}, repeats=10, n=1200
    )
    (verdict,) = verdicts(frames)
    assert verdict.probability_quality.correction_outcome == "sufficient with temperature"
    assert "with a temperature fitted on validation" in answer(section([verdict]), "probabilities")


def test_an_unbalanced_network_needs_no_correction():
    frames = gaussian_frames(methods=GAUSS, shares={"remix": 0.05})
    (verdict,) = verdicts(frames)
    assert verdict.probability_quality.correction_outcome == "not needed"
    assert answer(section([verdict]), "probabilities").startswith("Not surely worse")


def test_probabilities_worse_than_the_class_shares_are_named():
    frames = gaussian_frames(methods=GAUSS, shares={"remix": 0.9}, distance=1.0)
    (verdict,) = verdicts(frames)
    assert "remix (0.1)" in verdict.probability_quality.below_guessing
    assert "baseline" not in verdict.probability_quality.below_guessing


def test_rivals_without_training_are_compared_too():
    frames = gaussian_frames(methods=GAUSS)
    (verdict,) = verdicts(frames)
    divided = verdict.rival(DIVIDED)
    assert divided.relation("bbs") == "unclear"
    assert verdict.rival(THRESHOLD).relation("g_mean") is not None
    assert verdict.rival(THRESHOLD).relation("bbs") is None
    chosen = next(selection for selection in verdict.selections if selection.metric == "g_mean")
    if chosen.overall.strategy != "baseline":
        assert DIVIDED in chosen.simpler


def test_nothing_simpler_is_named_where_the_chosen_method_is_better():
    frames = made_up_frames(MadeUpProblem(), noise=1e-4)
    (verdict,) = verdicts(frames)
    chosen = next(selection for selection in verdict.selections if selection.metric == "g_mean")
    assert chosen.overall.label == "remix (0.3)"
    assert chosen.simpler == ()


def test_missing_rivals_are_named():
    page_section = section(
        verdicts(made_up_frames(MadeUpProblem(methods=(("baseline", None), ("remix", 0.1)))))
    )
    assert "Not in this study: balance, cost and logit-adjusted." in words(page_section)


def test_many_problems_get_a_summary_first():
    page_section = section(verdicts(made_up_frames(*at_three_ratios(), noise=1e-4)))
    assert "against the baseline better on all 3 problems" in page_section.blocks[0].text[0]
    (glance,) = page_section.blocks[0].tables
    assert [row[0].text for row in glance.rows] == [
        "digits-3-ir0.05",
        "digits-3-ir0.025",
        "digits-3-ir0.01",
    ]


def test_the_verdict_on_a_search_refers_to_its_section():
    methods = tuple(("remix", alpha) for alpha in (0.1, 0.3, 0.5))
    page_section = section(
        verdicts(made_up_frames(MadeUpProblem(algorithm="tpe", methods=methods), noise=1e-4))
    )
    assert "Optuna chose 3 different points" in words(page_section)
    assert "stands under Search" in words(page_section)
    # Its choice heeds constraints, which the scores here know nothing of.
    assert "would validation choose" not in words(page_section)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ((), "nothing to judge"),
        ((("baseline", None),), "ReMix was not run"),
        ((("remix", 0.1),), "neither a baseline nor balancing"),
    ],
)
def test_a_study_with_too_little_to_compare_says_what_is_missing(methods, expected):
    page_section = section(verdicts(made_up_frames(MadeUpProblem(methods=methods))))
    assert expected in words(page_section)


def test_a_rival_that_did_not_train_is_named_first_and_no_gain():
    frames = made_up_frames(MadeUpProblem(), noise=0.02)
    baseline = int(frames.runs.loc[frames.runs["row"] == "baseline", "run"].iloc[0])
    of_baseline = frames.folds["run"] == baseline
    n_folds = int(of_baseline.sum())

    def text(n: int) -> str:
        reasons = pd.Series("", frames.folds.index)
        reasons[frames.folds.index[of_baseline][:n]] = "constant"
        folds = frames.folds.assign(untrained=reasons)
        return words(section(verdicts(replace(frames, folds=folds))))

    least = -(-n_folds // 4)
    assert "did not train" not in text(least - 1)
    assert f"Baseline did not train: on {least} of {n_folds} folds its networks mostly" in text(
        least
    )
    assert ", which did not train" in text(least)
