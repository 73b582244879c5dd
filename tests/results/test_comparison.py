"""Methods of a comparison, their order and scores, and the names of problems in words."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, at_three_ratios, made_up_frames

from remix_study.results.comparison import comparisons
from remix_study.results.methods import remix_method


def test_methods_are_in_the_order_of_the_paper_then_by_name():
    methods = (
        ("logit-adjusted", None),
        ("remix", 1.0),
        ("zebra", None),
        ("remix", 0.1),
        ("balance", None),
        ("smote", None),
        ("baseline", None),
    )
    (comparison,) = comparisons(made_up_frames(MadeUpProblem(methods=methods)))
    assert [method.label for method in comparison.methods] == [
        "baseline",
        "smote",
        "balance",
        "remix (0.1)",
        "remix (1)",
        "logit-adjusted",
        "zebra",
    ]


def test_scores_are_those_of_the_frames_fold_by_fold():
    frames = made_up_frames(MadeUpProblem())
    (comparison,) = comparisons(frames)
    run = int(frames.runs.loc[frames.runs["row"] == "remix (0.3)", "run"].iloc[0])
    for part in ("validation", "test"):
        scores = frames.scores[
            (frames.scores["run"] == run)
            & (frames.scores["part"] == part)
            & (frames.scores["metric"] == "bbs")
        ]
        expected = {(line.repeat, line.fold): line.value for line in scores.itertuples()}
        assert comparison.score("remix (0.3)", "bbs", part).to_dict() == expected


def test_unmixed_is_the_same_sampler_without_mixing():
    (comparison,) = comparisons(made_up_frames(MadeUpProblem()))
    remix, mixup = comparison.method("remix", 0.1), comparison.method("mixup", 0.1)
    assert comparison.unmixed(remix).label == "balance"
    assert comparison.unmixed(mixup).label == "baseline"
    assert comparison.method("remix", 0.7) is None


def test_unmixed_of_an_augmented_method_is_augmented():
    methods = (("balance", None), ("augment", None), ("remix", 0.1), ("remix-aug", 0.1))
    (comparison,) = comparisons(made_up_frames(MadeUpProblem(methods=methods)))
    assert [method.label for method in comparison.methods] == [
        "balance",
        "augment",
        "remix (0.1)",
        "remix-aug (0.1)",
    ]
    assert comparison.unmixed(comparison.method("remix-aug", 0.1)).label == "augment"
    assert comparison.unmixed(comparison.method("remix", 0.1)).label == "balance"
    # What a page says of ReMix is about plain ReMix.
    assert remix_method(comparison.methods).label == "remix (0.1)"
    (alone,) = comparisons(made_up_frames(MadeUpProblem(methods=(*methods[:2], methods[3]))))
    assert remix_method(alone.methods) is None


def test_failed_folds_have_no_scores():
    frames = made_up_frames(MadeUpProblem())
    folds = frames.folds.copy()
    folds.loc[(folds["run"] == 0) & (folds["repeat"] == 3), "failed"] = "not a number"
    (comparison,) = comparisons(replace(frames, folds=folds))
    label = next(method.label for method in comparison.methods if method.run == 0)
    assert len(comparison.score(label, "g_mean")) == 18
    assert comparison.missing_folds(label, "g_mean") == 2


@pytest.mark.parametrize(("early", "ratio"), [(True, 1.0), (False, 1 / 0.7)])
def test_ratio_depends_on_early_stopping(early, ratio):
    (comparison,) = comparisons(made_up_frames(MadeUpProblem(early_stopping=early)))
    assert comparison.ratio == pytest.approx(ratio)


def test_a_problem_of_two_studies_is_named_with_its_study():
    first, second = comparisons(made_up_frames(MadeUpProblem(), MadeUpProblem(study="other")))
    assert (first.name, second.name) == ("made/digits-3-ir0.05", "other/digits-3-ir0.05")


def test_methods_of_different_settings_are_different():
    frames = made_up_frames(MadeUpProblem(methods=(("balance", None), ("remix", 0.1))))
    rates = []
    for rate in (0.001, 0.01):
        runs = frames.runs.copy()
        runs["parameters"] = [{**old, "learning_rate": rate} for old in runs["parameters"]]
        runs["run"] += 10 if rate == 0.01 else 0
        rates.append(runs)
    (comparison,) = comparisons(replace(frames, runs=pd.concat(rates, ignore_index=True)))
    assert [method.label for method in comparison.methods] == [
        "balance, learning_rate 0.001",
        "balance, learning_rate 0.01",
        "remix (0.1), learning_rate 0.001",
        "remix (0.1), learning_rate 0.01",
    ]
    assert comparison.unmixed(comparison.methods[3]) is comparison.methods[1]


def test_labels_of_searched_configurations_end_with_the_trial():
    (comparison,) = comparisons(
        made_up_frames(MadeUpProblem(algorithm="tpe", methods=(("remix", 0.2), ("remix", 0.2))))
    )
    assert [method.label for method in comparison.methods] == ["remix (0.2) #0", "remix (0.2) #1"]


def test_milder_problems_come_first_and_binary_before_multi_class():
    multi = MadeUpProblem(
        problem="several", kind="multi-class", classes=("0", "1", "2"), minority=("1",)
    )
    problems = comparisons(
        made_up_frames(multi, *reversed(at_three_ratios()), MadeUpProblem(study="later"))
    )
    assert [(c.study, c.problem) for c in problems] == [
        ("made", "digits-3-ir0.05"),
        ("made", "digits-3-ir0.025"),
        ("made", "digits-3-ir0.01"),
        ("made", "several"),
        ("later", "digits-3-ir0.05"),
    ]


def test_problems_are_named_in_words():
    binary, natural, multi = comparisons(
        made_up_frames(
            MadeUpProblem(),
            MadeUpProblem(
                problem="wine-0_1-ir0.1",
                dataset="wine",
                kind="multi-class",
                classes=("0", "1", "2"),
                minority=("0", "1"),
                imbalance=0.1,
            ),
            MadeUpProblem(
                problem="cancer",
                dataset="cancer",
                imbalance=math.nan,
                classes=("benign", "malignant"),
                minority=(),
                counts={"benign": 357, "malignant": 212},
            ),
        )
    )
    assert binary.full_title == "digits, class 3 against the rest, rare 1:20"
    assert multi.title == "wine, classes 0, 1 rare among 3"
    assert natural.title == "cancer, classes as they are"
    assert natural.imbalance_name == "as it is (rare 1:1.68)"


@pytest.mark.parametrize(("constant", "collapsed", "expected"), [
    (0, 0, None), (1, 3, None), (2, 3, (5, "collapsed")), (20, 0, (20, "constant")),
])  # fmt: skip
def test_a_method_did_not_train_from_a_quarter_of_its_folds_on(constant, collapsed, expected):
    frames = made_up_frames(MadeUpProblem(methods=(("baseline", None), ("balance", None))))
    reasons = [""] * len(frames.folds)
    places = [i for i, run in enumerate(frames.folds["run"]) if run == frames.runs["run"].iloc[0]]
    assert len(places) == 20
    for number, place in enumerate(places[: constant + collapsed]):
        reasons[place] = "constant" if number < constant else "collapsed"
    (comparison,) = comparisons(replace(frames, folds=frames.folds.assign(untrained=reasons)))
    label = str(frames.runs["row"].iloc[0])
    untrained = comparison.untrained(label)
    assert (untrained and (untrained.n_folds, untrained.reason)) == expected
    assert untrained is None or untrained.folds == 20
    assert comparison.untrained("balance" if label == "baseline" else "baseline") is None
