"""Corrected methods of a study against scores computed here from the same Gaussians."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gaussian_studies import gaussian_frames
from made_up_studies import MadeUpProblem, made_up_frames
from sklearn.metrics import brier_score_loss, log_loss

from remix_study.report.sections.corrections import section
from remix_study.results.comparison import comparisons
from remix_study.results.corrections import (
    DIVIDED,
    THRESHOLD,
    corrected_methods,
    is_exact,
    source_methods,
    table,
    with_methods,
)
from remix_study.results.methods import Method
from remix_study.results.verdict import remix_method

METHODS = (
    ("baseline", None),
    ("cost", None),
    ("smote", None),
    ("balance", None),
    ("mixup", 0.1),
    ("remix", 0.1),
    ("remix", 0.4),
    ("logit-adjusted", None),
)


@pytest.fixture(scope="module")
def frames():
    return gaussian_frames(
        methods=METHODS, shares={"balance": 0.3, "remix": 0.3}, slopes={"remix": 0.6}
    )


@pytest.fixture(scope="module")
def corrected(frames):
    (comparison,) = comparisons(frames)
    return with_corrections(comparison, frames.probabilities)


def with_corrections(comparison, read):
    return with_methods(comparison, corrected_methods(comparison, read, remix_method(comparison)))


def test_one_method_of_each_strategy_is_corrected(corrected):
    assert [method.label for method in corrected.corrected] == [
        DIVIDED,
        THRESHOLD,
        "baseline + temperature",
        "cost corrected",
        "smote corrected",
        "mixup (0.1) + temperature",
        "balance corrected",
        "remix (0.1) corrected",
        "remix (0.1) corrected + temperature",
        "logit-adjusted corrected",
    ]


def test_balance_is_corrected_from_the_measured_share(frames, corrected):
    run = int(frames.runs.loc[frames.runs["row"] == "balance", "run"].iloc[0])
    share = frames.folds["natural_prior"].iloc[0][1]
    for (repeat, fold), score in corrected.score("balance corrected", "log_loss").items():
        _, y, p, _ = frames.probabilities(run, repeat, fold, "test")
        odds = p[:, 1] / p[:, 0] * (share / 0.3) * ((1 - 0.3) / (1 - share))
        expected = odds / (1 + odds)
        assert score == pytest.approx(log_loss(y, expected), rel=1e-5)
        assert corrected.score("balance corrected", "brier").loc[(repeat, fold)] == pytest.approx(
            brier_score_loss(y, expected)
        )


def test_cost_and_logit_adjustment_are_corrected_from_equal_shares(frames, corrected):
    share = frames.folds["natural_prior"].iloc[0][1]
    for name in ("cost", "logit-adjusted"):
        run = int(frames.runs.loc[frames.runs["row"] == name, "run"].iloc[0])
        _, y, p, _ = frames.probabilities(run, 0, 0, "test")
        odds = p[:, 1] / p[:, 0] * share / (1 - share)
        expected = log_loss(y, odds / (1 + odds))
        assert corrected.score(f"{name} corrected", "log_loss").loc[(0, 0)] == pytest.approx(
            expected, rel=1e-5
        )


def test_corrected_log_loss_is_that_of_the_baseline(frames, corrected):
    (comparison,) = comparisons(frames)
    baseline = comparison.score("baseline", "log_loss").mean()
    assert comparison.score("balance", "log_loss").mean() > baseline + 0.05
    for name in ("balance", "cost", "logit-adjusted"):
        log_loss_of_it = corrected.score(f"{name} corrected", "log_loss").mean()
        assert log_loss_of_it == pytest.approx(baseline, abs=0.01)


@pytest.mark.parametrize(
    ("parts", "exact"),
    [
        (("undersample", "none", "cross-entropy"), True),
        (("balanced-repo", "none", "cross-entropy"), True),
        (("natural", "none", "logit-adjusted"), True),
        (("smote-repo", "none", "cross-entropy"), False),
        (("smote-dataset", "none", "cross-entropy"), False),
        (("natural", "remix-chou", "cross-entropy"), False),
        (("natural", "none", "focal"), False),
        (("natural", "none", "class-balanced"), False),
    ],
)
def test_correction_is_exact_for_unmixed_rows_of_the_data(parts, exact):
    assert is_exact(Method("a", 1, "a", parts, None, "", (), 0.0)) is exact


def test_sources_have_the_alpha_nearest_to_the_published_by_ratio():
    methods = (
        ("baseline", None),
        ("remix", 0.01),
        ("remix", 0.2),
        ("mixup", 0.01),
        ("mixup", 0.2),
    )
    (comparison,) = comparisons(made_up_frames(MadeUpProblem(methods=methods)))
    for remix in (None, comparison.method("remix", 0.2)):
        sources = [method.label for method in source_methods(comparison, remix)]
        assert sources == ["baseline", "mixup (0.2)", "remix (0.2)"]
    sources = source_methods(comparison, comparison.method("remix", 0.01))
    assert [method.label for method in sources] == ["baseline", "mixup (0.01)", "remix (0.01)"]


def test_only_unmixed_methods_are_exact(corrected):
    exact = {method.label for method in corrected.corrected if method.is_exact}
    assert "balance corrected" in exact
    assert "cost corrected" in exact
    assert not exact & {"remix (0.1) corrected", "smote corrected", "mixup (0.1) + temperature"}


def test_the_threshold_changes_decisions_and_nothing_else(corrected):
    metrics = {metric for part, metric in corrected.scores if part == "test"}
    assert {metric for metric in metrics if len(corrected.score(THRESHOLD, metric))} == {
        "g_mean",
        "balanced_accuracy",
        "min_recall",
        "precision",
        "recall",
        "f1",
        "mcc",
        "recall_0",
        "recall_1",
    }


def test_the_temperature_is_fitted_on_validation_and_undoes_the_softening():
    # ReMix's logits are shrunk by 0.6: a temperature and the change of prior bring them back.
    frames = gaussian_frames(
        methods=(("baseline", None), ("remix", 0.1)),
        shares={"remix": 0.3},
        slopes={"remix": 0.6},
        n=6000,
        repeats=1,
    )
    parts_read = []

    def read(run, repeat, fold, part):
        parts_read.append(part)
        return frames.probabilities(run, repeat, fold, part)

    (comparison,) = comparisons(frames)
    corrected = with_corrections(comparison, read)
    shifted = corrected.score("remix (0.1) corrected", "log_loss").mean()
    restored = corrected.score("remix (0.1) corrected + temperature", "log_loss").mean()
    baseline = comparison.score("baseline", "log_loss").mean()
    assert shifted > baseline + 0.005
    assert restored == pytest.approx(baseline, abs=0.002)
    assert set(parts_read) == {"validation", "test"}


def test_failed_folds_are_left_out(frames):
    folds = frames.folds.copy()
    run = int(frames.runs.loc[frames.runs["row"] == "balance", "run"].iloc[0])
    folds.loc[(folds["run"] == run) & (folds["repeat"] == 0), "failed"] = "not a number"

    def read(number, repeat, fold, part):
        assert (number, repeat) != (run, 0)
        return frames.probabilities(number, repeat, fold, part)

    (comparison,) = comparisons(replace(frames, folds=folds))
    corrected = with_methods(comparison, corrected_methods(comparison, read, None))
    assert len(corrected.score("balance corrected", "brier")) == 8


def test_without_probabilities_there_is_a_sentence(frames):
    (comparison,) = comparisons(frames)
    assert corrected_methods(comparison, None, None) == {}
    page_section = section([comparison])
    assert "no stored probabilities" in page_section.blocks[0].text[0]
    assert page_section.files == {}


def test_table_has_the_difference_to_the_source(corrected):
    lines = table([corrected])
    line = lines[(lines["row"] == "balance corrected") & (lines["metric"] == "brier")].iloc[0]
    change = corrected.score("balance corrected", "brier") - corrected.score("balance", "brier")
    assert line["difference_to_source"] == pytest.approx(change.mean())
    assert line["source"] == "balance"
    assert line["exact"] == "yes"
