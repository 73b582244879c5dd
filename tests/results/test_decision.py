"""Forms of methods and the decision among them, on probabilities of known Gaussians."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from gaussian_studies import gaussian_frames
from sklearn.metrics import brier_score_loss, recall_score

from remix_study.metrics import better_sign, score
from remix_study.report.sections.decision import headline
from remix_study.results import form_choice
from remix_study.results.comparison import comparisons
from remix_study.results.decision import decide
from remix_study.results.decision_files import as_json, table
from remix_study.results.equivalence import posterior_of, word_of
from remix_study.results.form_choice import choose
from remix_study.results.form_scores import halves
from remix_study.results.forms import forms_of
from remix_study.results.intervals import corrected_interval
from remix_study.results.summary import _contents

METHODS = (("baseline", None), ("balance", None), ("remix", 0.1), ("logit-adjusted", None))


@pytest.fixture(scope="module")
def frames():
    return gaussian_frames(
        methods=METHODS, shares={"balance": 0.5, "remix": 0.5}, slopes={"remix": 0.6}
    )


@pytest.fixture(scope="module")
def comparison(frames):
    (comparison,) = comparisons(frames)
    return comparison


@pytest.fixture(scope="module")
def forms(frames, comparison):
    """(strategy, form) -> form."""
    return {
        (method.strategy, form.name): form
        for method in comparison.methods
        for form in forms_of(comparison, method, frames.probabilities)
    }


def test_which_forms_a_method_has(forms):
    assert {key for key in forms if key[0] in ("baseline", "balance")} == {
        ("baseline", "as trained"),
        ("baseline", "equal shares"),
        ("baseline", "threshold"),
        ("balance", "as trained"),
        ("balance", "natural shares"),
        ("balance", "threshold"),
    }
    assert forms["baseline", "as trained"].prior == "natural"
    assert forms["balance", "as trained"].prior == "equal"
    assert forms["balance", "natural shares"].prior == "natural"
    assert forms["baseline", "threshold"].prior == "natural"


def test_the_stored_scores_are_those_as_trained(comparison, forms):
    form = forms["remix", "as trained"]
    for part in ("validation", "test"):
        expected = comparison.score("remix (0.1)", "bbs", part)
        assert form.scores[part]["bbs"].to_list() == expected.to_list()


def test_equal_shares_divide_by_the_training_parts_shares(frames, forms):
    form = forms["baseline", "equal shares"]
    run = form.method.run
    share = frames.folds["natural_prior"].iloc[0][1]
    for part in ("validation", "test"):
        for (repeat, fold), brier in form.scores[part]["brier"].items():
            _, y, p, _ = frames.probabilities(run, repeat, fold, part)
            odds = p[:, 1] / p[:, 0] * (1 - share) / share
            assert brier == pytest.approx(brier_score_loss(y, odds / (1 + odds)), rel=1e-6)


def test_a_threshold_is_chosen_on_validation_rows_alone(frames, forms):
    form = forms["baseline", "threshold"]
    read = partial(frames.probabilities, form.method.run)
    folds = list(form.scores["test"].index)
    validation = [read(*fold, "validation") for fold in folds]
    ids, codes, p = (np.concatenate([part[column] for part in validation]) for column in range(3))
    assert form.threshold == pytest.approx(best_threshold(codes, p[:, 1]), abs=1e-12)
    for fold in folds[:3]:
        tested, y, q, _ = read(*fold, "test")
        # Rows that the fold tests have no part in its threshold, though other folds may have them.
        usable = ~np.isin(ids, tested)
        predicted = q[:, 1] >= best_threshold(codes[usable], p[usable, 1])
        assert (form.decide(fold, q) == predicted).all()
        expected = np.sqrt(np.prod(recall_score(y, predicted, average=None)))
        assert form.scores["test"]["g_mean"].loc[fold] == pytest.approx(expected)


def best_threshold(y, p):
    """The threshold with the best g-mean of all between two probabilities, nearest to one half."""
    values = np.unique(p)
    thresholds = np.append((values[1:] + values[:-1]) / 2, values[0] / 2)
    predicted = p >= thresholds[:, None]
    g_means = np.sqrt(predicted[:, y == 1].mean(axis=1) * (~predicted[:, y == 0]).mean(axis=1))
    best = thresholds[g_means >= g_means.max() - 1e-12]
    return best[np.abs(best - 0.5).argmin()]


def test_probabilities_with_a_threshold_stay_as_trained(forms):
    with_threshold, plain = forms["baseline", "threshold"], forms["baseline", "as trained"]
    for metric in ("bbs", "log_loss", "roc_auc"):
        assert with_threshold.scores["test"][metric].equals(plain.scores["test"][metric])


def test_validation_scores_of_a_threshold_are_cross_fitted(frames, comparison):
    """The score on one half does not change with the labels of that half's choice."""
    read = frames.probabilities
    method = comparison.method("baseline")

    def validation_accuracy(seed):
        def noise(run, repeat, fold, part):
            ids, y, _, weights = read(run, repeat, fold, part)
            q = np.random.default_rng([seed, repeat, fold]).random(len(y))
            return ids, y, np.c_[1 - q, q], weights

        form = next(f for f in forms_of(comparison, method, noise) if f.name == "threshold")
        return form.scores["validation"]["balanced_accuracy"].mean()

    # Fitted and scored on the same rows, noise would be above one half by what fits it.
    mean = np.mean([validation_accuracy(seed) for seed in range(12)])
    assert mean == pytest.approx(0.5, abs=0.03)


def test_halves_share_every_class_and_depend_on_the_rows_alone():
    y = np.array([0] * 7 + [1] * 4 + [2])
    ids = np.random.default_rng(0).permutation(len(y))
    first, second = halves(ids, y)
    assert (first ^ second).all()
    assert np.bincount(y[first]).tolist() == [4, 2, 1]
    order = np.random.default_rng(1).permutation(len(y))
    assert (halves(ids[order], y[order])[0] == first[order]).all()


def test_without_probabilities_methods_compete_as_trained(comparison):
    decision = decide(comparison, None)
    assert {form.name for form in decision.entries} == {"as trained"}


def test_the_decision_does_not_look_at_test_parts(frames, comparison):
    def blind(run, repeat, fold, part):
        ids, y, p, _ = frames.probabilities(run, repeat, fold, part)
        return ids, y, p if part == "validation" else p[:, ::-1], None

    scores = {
        (part, metric): 1 - frame if part == "test" else frame
        for (part, metric), frame in comparison.scores.items()
    }
    chosen = decide(comparison, frames.probabilities).chosen
    blind_choice = decide(replace(comparison, scores=scores), blind).chosen
    assert (chosen.label, chosen.name) == (blind_choice.label, blind_choice.name)


def test_the_simplest_within_one_standard_error_is_chosen(frames, comparison):
    decision = decide(comparison, frames.probabilities)
    best = max(decision.entries, key=lambda form: utility(form).mean())
    gaps = {form.label: utility(best) - utility(form) for form in decision.entries}
    # Validation rows over training rows of 2 folds with 30 % held out.
    factor = np.sqrt(1 / 20 + 0.3 / 0.7)
    near = [label for label, gap in gaps.items() if gap.mean() <= factor * gap.std(ddof=1)]
    assert decision.entries[0] is best
    assert decision.chosen.label in near
    assert decision.chosen.method.strategy == "baseline"
    assert decision.chosen.name == "equal shares"


def test_a_forest_is_simpler_than_boosting_that_ends_by_the_rows_that_score_it(comparison):
    form = decide(comparison, None).entries[0]
    estimator = replace(form.method, parts=("none", "none", "cross-entropy"))
    names = ("hist-gradient-boosting", "hist-gradient-boosting-weighted", "random-forest")
    equals = [[replace(form, method=replace(estimator, strategy=name))] for name in names]
    _, chosen = choose(comparison, equals, ["bbs", "g_mean"])
    assert chosen.method.strategy == "random-forest"


def test_the_utility_of_a_form_is_computed_once(comparison, monkeypatch):
    form, signs = decide(comparison, None).entries[0], []
    monkeypatch.setattr(
        form_choice, "better_sign", lambda metric: signs.append(metric) or better_sign(metric)
    )
    choose(comparison, [[form, replace(form, name="equal shares")], [replace(form)]], ["bbs"])
    assert signs == 3 * ["bbs"]


def utility(form):
    """In units of the regions: 0.01 for g-mean, 0.005 for the balanced Brier score."""
    scores = form.scores["validation"]
    return scores["g_mean"] / 0.01 - scores["bbs"] / 0.005


def test_words_are_of_test_differences_to_the_chosen_method(frames, comparison):
    decision = decide(comparison, frames.probabilities)
    for form in decision.entries:
        if form is not decision.chosen:
            gap = form.scores["test"]["bbs"] - decision.chosen.scores["test"]["bbs"]
            interval = corrected_interval(gap, comparison.ratio)
            assert decision.words[form.label]["bbs"] == word_of(posterior_of(interval, "bbs"))


def test_a_method_that_did_not_train_is_named_and_not_chosen(frames):
    run = int(frames.runs.loc[frames.runs["row"] == "baseline", "run"].iloc[0])
    folds = frames.folds.assign(untrained="")
    folds.loc[folds["run"] == run, "untrained"] = "constant"
    (comparison,) = comparisons(replace(frames, folds=folds))
    decision = decide(comparison, frames.probabilities)
    assert decision.did_not_train == ("baseline",)
    assert decision.chosen.method.strategy != "baseline"
    # Nor is it praised: neither as the best network nor among those that would do as well.
    assert decision.best_network.method.label != "baseline"
    assert not any(label.startswith("baseline") for label in decision.words)


def test_a_method_without_scores_on_every_fold_does_not_compete(frames):
    folds = frames.folds.copy()
    run = int(frames.runs.loc[frames.runs["row"] == "baseline", "run"].iloc[0])
    folds.loc[folds.index[folds["run"] == run][0], "failed"] = "diverged"
    (comparison,) = comparisons(replace(frames, folds=folds))
    decision = decide(comparison, frames.probabilities)
    assert "baseline" not in {form.method.label for form in decision.entries}


def test_the_headline_names_what_is_practically_equal(frames, comparison):
    decision = decide(comparison, frames.probabilities)
    chosen = decision.chosen.label
    label = next(form.label for form in decision.entries if form is not decision.chosen)
    decision.__dict__["words"] = {label: dict.fromkeys(decision.objectives, "practically equal")}
    text = f"Any of these: {chosen} and {label}; the simplest is {chosen}"
    assert headline(decision).startswith(text)


def test_json_and_table(frames, comparison):
    decision = decide(comparison, frames.probabilities)
    answer = json.loads(json.dumps(as_json(decision), allow_nan=False))
    assert answer.keys() >= {
        "problem", "method", "network", "validation", "test", "practically_equal", "cannot_tell",
        "best_reference", "best_keras", "threshold", "prior", "did_not_train",
    }  # fmt: skip
    assert answer["threshold"] == 0.5
    assert answer["prior"] == "equal"
    assert answer["best_reference"] is None
    assert answer["test"]["bbs"] == pytest.approx(decision.chosen.scores["test"]["bbs"].mean())
    lines = table([decision])
    assert lines["method"].iloc[0] == decision.chosen.method.label
    assert set(lines["metric"]) >= {"g_mean", "bbs", "precision"}


def test_scores_of_forms_are_those_of_the_metrics(frames, forms):
    form = forms["balance", "natural shares"]
    _, y, p, _ = frames.probabilities(form.method.run, 0, 0, "test")
    natural = frames.folds["natural_prior"].iloc[0]
    odds = p[:, 1] / p[:, 0] * natural[1] / natural[0]
    corrected = np.c_[1 / (1 + odds), odds / (1 + odds)]
    expected = score(y, corrected, 2)
    for metric in ("g_mean", "bbs", "average_precision", "mcc"):
        assert form.scores["test"][metric].loc[(0, 0)] == pytest.approx(expected[metric])


def test_with_fewer_than_four_folds_there_is_no_interval_and_no_word(frames):
    folds = frames.folds[frames.folds["repeat"] == 0]
    scores = frames.scores[frames.scores["repeat"] == 0]
    problems = frames.problems.assign(repeats=1)
    (comparison,) = comparisons(replace(frames, folds=folds, scores=scores, problems=problems))
    decision = decide(comparison, frames.probabilities)
    score = decision.mean(decision.chosen, "bbs")
    assert np.isfinite(score.mean)
    assert np.isnan([score.interval.low, score.interval.high]).all()
    assert {word for words in decision.words.values() for word in words.values()} == {
        "cannot tell"
    }
    assert "(" not in headline(decision).split(":")[1]


def test_the_network_is_that_of_the_chosen_configuration(frames):
    settings = {
        "model": {"name": "mlp", "hidden": [8], "dropout": 0.1},
        "training": {"learning_rate": 0.001, "batch_size": 64},
    }
    problems = frames.problems.assign(settings=[settings])
    varied = {"strategy": "baseline", "learning_rate": 0.05, "model.dropout": 0.3}
    runs = frames.runs.assign(parameters=[varied] * len(frames.runs))
    (comparison,) = comparisons(replace(frames, problems=problems, runs=runs))
    network = decide(comparison, frames.probabilities).network
    assert (
        network
        == "mlp, hidden [8], dropout 0.3, standard features, batch size 64, learning rate 0.05"
    )


def test_a_summary_keeps_the_forms_whose_scores_are_not_in_the_database(frames, comparison):
    decision = decide(comparison, frames.probabilities)
    forms = {form.method.run: form for form in decision.entries if form.name != "as trained"}
    contents = _contents([], [decision])
    assert 0 < len(contents) < len(decision.entries)
    assert {run: content["form"]["name"] for run, content in contents.items()} == {
        run: form.name for run, form in forms.items()
    }
