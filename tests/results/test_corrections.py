"""Corrected rows of a whole study, against scores computed here from the same Gaussians."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gaussian_studies import gaussian_frames
from sklearn.metrics import brier_score_loss, log_loss

from remix_study.report.sections.corrections import section
from remix_study.results.comparison import comparisons
from remix_study.results.corrections import DIVIDED, THRESHOLD, corrected_methods, is_exact, table
from remix_study.results.methods import Method
from remix_study.results.verdict import remix_method

ROWS = (
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
        methods=ROWS, shares={"balance": 0.3, "remix": 0.3}, slopes={"remix": 0.6}
    )


@pytest.fixture(scope="module")
def made(frames):
    (comparison,) = comparisons(frames)
    return corrected_methods(comparison, frames.probabilities, remix_method(comparison))


def by_name(made, name):
    return next(row for row in made if row.name == name)


def test_which_rows_are_made(made):
    assert [row.name for row in made] == [
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


def test_balance_is_corrected_from_the_measured_share(frames, made):
    run = int(frames.runs.loc[frames.runs["row"] == "balance", "run"].iloc[0])
    share = frames.folds["natural_prior"].iloc[0][1]
    row = by_name(made, "balance corrected")
    for (repeat, fold), found in row.score("log_loss").items():
        _, y, p = frames.probabilities(run, repeat, fold, "test")
        odds = p[:, 1] / p[:, 0] * (share / 0.3) * ((1 - 0.3) / (1 - share))
        expected = odds / (1 + odds)
        assert found == pytest.approx(log_loss(y, expected), rel=1e-5)
        assert row.score("brier").loc[(repeat, fold)] == pytest.approx(
            brier_score_loss(y, expected)
        )


def test_cost_and_logit_adjustment_are_corrected_from_equal_shares(frames, made):
    share = frames.folds["natural_prior"].iloc[0][1]
    for name in ("cost", "logit-adjusted"):
        run = int(frames.runs.loc[frames.runs["row"] == name, "run"].iloc[0])
        _, y, p = frames.probabilities(run, 0, 0, "test")
        odds = p[:, 1] / p[:, 0] * share / (1 - share)
        expected = log_loss(y, odds / (1 + odds))
        assert by_name(made, f"{name} corrected").score("log_loss").loc[(0, 0)] == pytest.approx(
            expected, rel=1e-5
        )


def test_correction_brings_the_posterior_of_the_baseline_back(frames, made):
    (comparison,) = comparisons(frames)
    baseline = comparison.score("baseline", "log_loss").mean()
    assert comparison.score("balance", "log_loss").mean() > baseline + 0.05
    for name in ("balance", "cost", "logit-adjusted"):
        corrected = by_name(made, f"{name} corrected").score("log_loss").mean()
        assert corrected == pytest.approx(baseline, abs=0.01)


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
def test_rivals_that_bayes_rule_holds_for(parts, exact):
    assert is_exact(Method("a", 1, "a", parts, None, "", (), 0.0)) is exact


def test_only_unmixed_rows_are_called_exact(made):
    exact = {row.name for row in made if row.is_exact}
    assert "balance corrected" in exact
    assert "cost corrected" in exact
    assert not exact & {"remix (0.1) corrected", "smote corrected", "mixup (0.1) + temperature"}


def test_the_threshold_changes_decisions_and_nothing_else(made):
    row = by_name(made, THRESHOLD)
    assert set(row.scores) == {"g_mean", "balanced_accuracy", "min_recall", "recall_0", "recall_1"}


def test_the_temperature_is_fitted_on_validation_and_undoes_the_softening():
    # ReMix's logits are shrunk by 0.6: a temperature and the change of prior bring them back.
    frames = gaussian_frames(
        methods=(("baseline", None), ("remix", 0.1)),
        shares={"remix": 0.3},
        slopes={"remix": 0.6},
        n=6000,
        repeats=1,
    )
    seen = []

    def read(run, repeat, fold, part):
        seen.append(part)
        return frames.probabilities(run, repeat, fold, part)

    (comparison,) = comparisons(frames)
    made = corrected_methods(comparison, read, remix_method(comparison))
    shifted = by_name(made, "remix (0.1) corrected").score("log_loss").mean()
    restored = by_name(made, "remix (0.1) corrected + temperature").score("log_loss").mean()
    baseline = comparison.score("baseline", "log_loss").mean()
    assert shifted > baseline + 0.005
    assert restored == pytest.approx(baseline, abs=0.002)
    assert set(seen) == {"validation", "test"}


def test_failed_folds_are_left_out(frames):
    folds = frames.folds.copy()
    run = int(frames.runs.loc[frames.runs["row"] == "balance", "run"].iloc[0])
    folds.loc[(folds["run"] == run) & (folds["repeat"] == 0), "failed"] = "not a number"

    def read(number, repeat, fold, part):
        assert (number, repeat) != (run, 0)
        return frames.probabilities(number, repeat, fold, part)

    (comparison,) = comparisons(replace(frames, folds=folds))
    made = corrected_methods(comparison, read, None)
    assert len(by_name(made, "balance corrected").score("brier")) == 8


def test_without_probabilities_there_is_a_sentence(frames):
    (comparison,) = comparisons(frames)
    assert corrected_methods(comparison, None, None) == ()
    made = section([(comparison, ())])
    assert "no stored probabilities" in made.blocks[0].text[0]
    assert made.files == {}


def test_table_has_the_difference_to_the_source(frames, made):
    (comparison,) = comparisons(frames)
    lines = table([(comparison, made)])
    line = lines[(lines["row"] == "balance corrected") & (lines["metric"] == "brier")].iloc[0]
    change = by_name(made, "balance corrected").score("brier") - comparison.score(
        "balance", "brier"
    )
    assert line["difference_to_source"] == pytest.approx(change.mean())
    assert line["source"] == "balance"
    assert line["exact"] == "yes"
