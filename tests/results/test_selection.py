"""The choice by validation parts against a choice made here by plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.results.comparison import comparisons
from remix_study.results.selection import select_by_validation


def wide(frames, metric, part):
    scores = frames.scores[(frames.scores["metric"] == metric) & (frames.scores["part"] == part)]
    joined = scores.merge(frames.runs[["run", "row"]])
    return joined.pivot(index=["repeat", "fold"], columns="row", values="value")


@pytest.mark.parametrize(("metric", "sign"), [("g_mean", 1), ("bbs", -1)])
def test_choices_overall_fold_by_fold_and_in_hindsight(metric, sign):
    frames = made_up_frames(MadeUpProblem(), noise=0.03)
    (comparison,) = comparisons(frames)
    selection = select_by_validation(comparison, metric)
    validation, test = wide(frames, metric, "validation"), wide(frames, metric, "test")
    overall = (sign * validation.mean()).idxmax()
    assert selection.overall.label == overall
    assert selection.overall_test.mean == pytest.approx(test[overall].mean())
    chosen = [
        (fold, max(validation.columns, key=lambda row: sign * validation.loc[fold, row]))
        for fold in validation.index
    ]
    assert selection.by_fold.tolist() == pytest.approx(
        [test.loc[fold, row] for fold, row in chosen]
    )
    counts = pd.Series([row for _, row in chosen]).value_counts()
    assert selection.times == counts.max()
    assert counts[selection.most_often] == counts.max()
    assert selection.hindsight.method == (sign * test.mean()).idxmax()
    assert selection.candidates == len(frames.runs)


def test_test_scores_take_no_part_in_the_choice():
    frames = made_up_frames(MadeUpProblem(), noise=0.03)
    scores = frames.scores.copy()
    test = scores["part"] == "test"
    scores.loc[test, "value"] = np.random.default_rng(0).random(test.sum())
    before = select_by_validation(comparisons(frames)[0], "g_mean")
    after = select_by_validation(comparisons(replace(frames, scores=scores))[0], "g_mean")
    assert (before.overall, before.most_often) == (after.overall, after.most_often)


def test_methods_within_error_are_those_whose_interval_holds_zero():
    methods = (("baseline", None), ("remix", 0.29), ("remix", 0.3), ("remix", 0.31))
    selection = select_by_validation(
        comparisons(made_up_frames(MadeUpProblem(methods=methods), noise=0.005))[0], "g_mean"
    )
    best = {"remix (0.29)", "remix (0.3)", "remix (0.31)"}
    assert {selection.hindsight.method, *selection.within_error} == best


def test_a_method_with_failed_folds_is_no_candidate():
    frames = made_up_frames(
        MadeUpProblem(methods=(("baseline", None), ("balance", None), ("remix", 0.3)))
    )
    folds = frames.folds.copy()
    folds.loc[(folds["run"] == 2) & (folds["repeat"] == 0), "failed"] = "not a number"
    selection = select_by_validation(comparisons(replace(frames, folds=folds))[0], "g_mean")
    assert selection.candidates == 2


def test_a_single_method_is_no_choice():
    assert (
        select_by_validation(
            comparisons(made_up_frames(MadeUpProblem(methods=(("remix", 0.1),))))[0], "g_mean"
        )
        is None
    )
