"""Decisions with costs, floors and regions: against plain numpy and scikit-learn, and by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from gaussian_studies import gaussian_frames
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from remix_study.metrics import METRICS
from remix_study.metrics.costs import cost_matrix
from remix_study.report.sections.decision import headline, section
from remix_study.report.sentences import SENTENCES
from remix_study.results.aims import Aim
from remix_study.results.comparison import comparisons
from remix_study.results.decision import decide
from remix_study.results.decision_files import as_json
from remix_study.results.form_summary import form_as_json
from remix_study.results.forms import forms_of
from remix_study.results.regions import region_of
from remix_study.results.thresholds import PooledRows
from remix_study.studyfile.metric_keys import know_metric

COSTS = {"fn": 20, "fp": 1}
METHODS = (("baseline", None), ("balance", None), ("remix", 0.1), ("logit-adjusted", None))


@pytest.fixture(scope="module")
def frames():
    return gaussian_frames(methods=METHODS)


def with_report(frames, **tables):
    return replace(frames, problems=frames.problems.assign(report=[tables]))


def decision_with(frames, **tables):
    (comparison,) = comparisons(with_report(frames, **tables))
    return decide(comparison, frames.probabilities)


def cost_of(y, decided):
    """Cost of a row by scikit-learn's confusion matrix, with a miss at 20 and an alarm at 1."""
    matrix = confusion_matrix(y, decided, labels=[0, 1])
    return (20 * matrix[1, 0] + matrix[0, 1]) / len(y)


def cheapest_threshold(y, p):
    """Of all thresholds between two probabilities the cheapest, the nearest to 1/21 of equals."""
    values = np.unique(np.r_[0, p, 1])
    thresholds = (values[1:] + values[:-1]) / 2
    alarms = p >= thresholds[:, None]
    costs = np.where(y == 1, 20 * ~alarms, alarms).mean(axis=1)
    best = thresholds[costs <= costs.min() + 1e-12]
    return best[np.abs(best - 1 / 21).argmin()]


def test_a_plain_script_finds_the_same_threshold_and_cost(frames):
    (comparison,) = comparisons(with_report(frames, costs=COSTS))
    method = comparison.method("baseline")
    form = next(
        f for f in forms_of(comparison, method, frames.probabilities) if f.name == "threshold"
    )
    folds = list(form.scores["test"].index)
    validation = [frames.probabilities(method.run, *fold, "validation") for fold in folds]
    ids, y, p = (np.concatenate([part[column] for part in validation]) for column in range(3))
    assert form.threshold == pytest.approx(cheapest_threshold(y, p[:, 1]), abs=1e-12)
    fold = folds[0]
    tested, y_test, p_test, _ = frames.probabilities(method.run, *fold, "test")
    usable = ~np.isin(ids, tested)
    decided = p_test[:, 1] >= cheapest_threshold(y[usable], p[usable, 1])
    assert form.scores["test"]["cost"].loc[fold] == pytest.approx(cost_of(y_test, decided))
    # Recall and precision are of the same decisions.
    recall = form.scores["test"]["recall"].loc[fold]
    assert recall == pytest.approx(decided[y_test == 1].mean())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_no_threshold_is_cheaper(seed, has_ties):
    rng = np.random.default_rng(seed)
    p = rng.random(60)
    p = np.round(p, 1) if has_ties else p
    y = (rng.random(60) < p).astype(np.int32)
    pool = PooledRows([(np.arange(60), y, np.c_[1 - p, p], None)])
    costs = cost_matrix(COSTS, ("no", "yes"), "x")
    threshold = pool.choose(Aim(("cost",), costs=costs))
    cheapest = cost_of(y, p >= cheapest_threshold(y, p))
    assert cost_of(y, p >= threshold) == pytest.approx(cheapest)


def test_weights_of_rows_choose_as_repeated_rows_do():
    rng = np.random.default_rng(4)
    p, times = rng.random(80), rng.integers(1, 4, 80)
    y = (rng.random(80) < p).astype(np.int32)
    two = np.c_[1 - p, p]
    weighted = PooledRows([(np.arange(80), y, two, times.astype(float))])
    rows = np.repeat(np.arange(80), times)
    repeated = PooledRows([(rows, y[rows], two[rows], None)])
    aim = Aim(("cost",), costs=cost_matrix({"fn": 3, "fp": 1}, ("no", "yes"), "x"))
    assert weighted.choose(aim) == repeated.choose(aim)


def test_labels_of_tested_rows_do_not_move_the_thresholds_they_are_scored_with(frames):
    (comparison,) = comparisons(with_report(frames, costs=COSTS))
    method = comparison.method("baseline")
    tested = frames.probabilities(method.run, 0, 0, "test")[0]

    def flipped(run, repeat, fold, part):
        ids, y, p, weights = frames.probabilities(run, repeat, fold, part)
        return ids, np.where(np.isin(ids, tested), 1 - y, y).astype(np.int32), p, weights

    p = frames.probabilities(method.run, 0, 0, "test")[2]
    plain, blind = (
        next(f for f in forms_of(comparison, method, read) if f.name == "threshold")
        for read in (frames.probabilities, flipped)
    )
    assert (plain.decide((0, 0), p) == blind.decide((0, 0), p)).all()
    assert plain.threshold != blind.threshold


def test_costs_choose_the_method_and_are_named(frames):
    decision = decision_with(frames, costs=COSTS)
    assert decision.objectives == ("cost",)
    assert {form.prior for form in decision.entries if form.name != "threshold"} <= {"natural"}
    answer = json.loads(json.dumps(as_json(decision), allow_nan=False))
    assert answer["costs"] == COSTS
    assert answer["expected_cost"] == pytest.approx(decision.chosen.scores["test"]["cost"].mean())
    # One row in twenty is rare.
    assert answer["cost_of_always"] == pytest.approx({"common": 1.0, "rare": 0.95})
    assert answer["expected_cost"] < 0.95
    assert answer["against_always"] == "better"
    text = str(section([decision]).blocks[0])
    assert "deciding always for common costs 1.0000 and" in text
    assert "deciding always for rare costs 0.9500" in text
    assert f"from a probability of {decision.threshold:.3g} on" in text


def test_a_cost_curve_has_the_expected_cost_at_the_costs_that_are_given(frames):
    decision = decision_with(frames, costs=COSTS)
    curve = decision.cost_curves[0]
    assert curve.method is decision.chosen.method
    (comparison,) = comparisons(with_report(frames, costs=COSTS))
    form = next(
        f
        for f in forms_of(comparison, curve.method, frames.probabilities)
        if f.name == "threshold"
    )
    middle = len(curve.ratios) // 2
    assert curve.ratios[[0, middle, -1]] == pytest.approx([2, 20, 200])
    # Every test part has one rare row in twenty, so that deciding always for it costs 0.95.
    expected = form.scores["test"]["cost"].mean() / 0.95
    assert curve.costs[middle] == pytest.approx(expected)
    assert {c.method.strategy for c in decision.cost_curves} >= {"baseline"}
    block = section([decision]).blocks[0]
    assert [picture.name for picture in block.pictures] == ["decision-1-cost", "cost-curve-1"]
    block = section([decision_with(frames)]).blocks[0]
    assert not any("cost" in picture.name for picture in block.pictures)


def test_a_method_that_is_not_better_than_a_constant_answer_is_said_to_be_so():
    useless = gaussian_frames(methods=METHODS[:1], distance=0.05)
    decision = decision_with(useless, costs=COSTS)
    assert decision.against_constant in ("cannot tell", "worse", "practically equal")
    words = f"; against deciding always for rare, which costs 0.9500: {decision.against_constant}"
    assert words in headline(decision)


def test_right_probabilities_are_decided_at_the_costs_odds(frames):
    (comparison,) = comparisons(with_report(frames, costs=COSTS))
    method = comparison.method("balance")
    form = forms_of(comparison, method, frames.probabilities)[0]
    assert form.name == "natural shares"
    _, y, p, _ = frames.probabilities(method.run, 0, 0, "test")
    natural = frames.folds["natural_prior"].iloc[0]
    odds = p[:, 1] / p[:, 0] * natural[1] / natural[0]
    assert form.scores["test"]["cost"].loc[(0, 0)] == pytest.approx(cost_of(y, odds > 1 / 20))


def test_more_classes_are_decided_by_least_expected_cost():
    written = {"a": {"b": 2, "c": 9}, "b": {"a": 1, "c": 1}, "c": {"a": 5, "b": 5}}
    costs = cost_matrix(written, "abc", "x")
    p = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    expected = [
        min(range(3), key=lambda j: sum(row[c] * costs[c][j] for c in range(3))) for row in p
    ]
    assert Aim(("cost",), costs=costs).decide(p).tolist() == expected


def test_a_floor_is_reached_on_validation_rows_by_the_best_threshold_that_does(frames):
    decision = decision_with(frames, floor={"recall": 0.9})
    assert {form.name for form in decision.entries} == {"threshold"}
    assert decision.objectives == ("g_mean",)
    form = decision.chosen
    folds = list(form.scores["test"].index)
    validation = [frames.probabilities(form.method.run, *fold, "validation") for fold in folds]
    y, p = (np.concatenate([part[column] for part in validation]) for column in (1, 2))
    p = p[:, 1]

    def rates(threshold):
        return (p[y == 1] >= threshold).mean(), (p[y == 0] < threshold).mean()

    reaching = [rates(t) for t in np.unique(p) if rates(t)[0] >= 0.9]
    recall, specificity = rates(form.threshold)
    assert recall >= 0.9
    assert recall * specificity == pytest.approx(max(r * s for r, s in reaching))
    assert as_json(decision)["floor"] == {"recall": 0.9}
    recall = decision.mean(form, "recall")
    assert f": recall {recall.mean:.3f} (" in headline(decision)


def test_a_floor_out_of_reach_is_said(frames):
    decision = decision_with(frames, floor={"mcc": 0.99})
    assert not decision.chosen.has_floor
    missed = "threshold lets MCC reach 0.99 on the validation rows."
    assert f" on; no {missed}" in headline(decision)
    assert f"No {missed}" in str(section([decision]).blocks[0])


def test_the_study_files_region_decides_the_words(frames):
    plain, wide = decision_with(frames), decision_with(frames, rope={"g_mean": 0.5, "bbs": 0.5})
    assert dict(plain.regions) == {"g_mean": 0.01, "bbs": 0.005}
    words = {word for by_metric in wide.words.values() for word in by_metric.values()}
    assert words == {"practically equal"}
    assert "less than 0.5 in g-mean and 0.5 in balanced Brier" in str(section([wide]).blocks)


def test_the_region_of_costs_is_a_hundredth_of_the_cheaper_constant_answer(frames):
    (comparison,) = comparisons(with_report(frames, costs=COSTS))
    assert region_of(comparison, "cost") == pytest.approx(0.0095)
    (comparison,) = comparisons(with_report(frames, costs=COSTS, rope={"cost": 0.2}))
    assert region_of(comparison, "cost") == 0.2


def test_the_region_of_an_own_metric_is_a_hundredth_of_what_is_above_its_worst_value(frames):
    know_metric("profit", "maximize", -5.0)
    try:
        scores = frames.scores.assign(metric=frames.scores["metric"].replace("ece", "profit"))
        (comparison,) = comparisons(replace(frames, scores=scores))
        means = [comparison.score(m.label, "profit", "validation") for m in comparison.methods]
        best = max(by_fold.mean() for by_fold in means)
        assert region_of(comparison, "profit") == pytest.approx((best + 5) / 100)
    finally:
        del METRICS["profit"]


def test_costs_without_probabilities_leave_the_objectives(frames):
    (comparison,) = comparisons(with_report(frames, costs=COSTS))
    decision = decide(comparison, None)
    assert decision.objectives == ("g_mean", "bbs")
    assert "costs" not in as_json(decision)
    assert "They could not choose" in str(section([decision]).blocks[0])


@pytest.mark.parametrize(
    "tables", [{"costs": COSTS}, {"floor": {"f1": 0.2}}, {"rope": {"bbs": 0.02}}], ids=str
)
def test_a_summary_without_probabilities_decides_the_same(frames, tables):
    whole = decision_with(frames, **tables)
    stored = {
        form.method.run: {
            "form": json.loads(json.dumps(form_as_json(form, whole.shown_metrics())))
        }
        for form in whole.entries
        if form.name != "as trained" or form.decide
    }
    assert as_json(decide(whole.comparison, None, stored)) == as_json(whole)


@pytest.mark.parametrize("has_floor", [True, False])
def test_only_a_baseline_that_keeps_the_floor_is_called_far_from_the_best(frames, has_floor):
    decision = decision_with(frames)
    forms = {form.method.strategy: form for form in decision.entries}
    baseline = replace(forms["baseline"], has_floor=has_floor)
    decision = replace(decision, chosen=forms["remix"], entries=(forms["remix"], baseline))
    questions = SENTENCES.answers("decision.questions", decision, (), None)
    lines = " ".join(line for answer in questions for line in answer.lines)
    assert ("more than one standard error below the best" in lines) == has_floor


def test_thresholds_are_between_probabilities_and_one_is_above_all():
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    pool = PooledRows([(np.arange(3), np.array([0, 1, 1]), p, None)])
    assert pool.thresholds == pytest.approx([0.35, 0.7, 0.9])
