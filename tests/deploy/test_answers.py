"""From a model's outputs to answers, from folds to a prediction interval, from cards to pages."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from trained_models import with_first_weights

from remix_study.deploy.card import card_html, card_markdown, make_card, prediction_interval
from remix_study.deploy.contents import answers_of, recipe_of
from remix_study.deploy.loading import present_folder, previous_folder
from remix_study.deploy.model_folder import check_output, publish_folder
from remix_study.deploy.records import Answers
from remix_study.errors import UsageError
from remix_study.results.forms import Form
from remix_study.results.methods import Method

OUTPUTS = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.35, 0.33, 0.32]])


def answers(**changes):
    plain = {"classes": ("a", "b", "c"), "rare": ("c",), "prior": "natural", "rule": "largest"}
    none = dict.fromkeys(("divide_by", "multiply_by", "threshold", "decide_by", "costs"))
    return Answers(**(none | plain | changes))


def choice(form, costs=None, definition=None):
    info = {
        "objectives": ("g_mean",), "classes": ("0", "1"), "problem": "made", "notes": ("n|o",),
        "imbalance": float("nan"), "dataset": "<script>", "source": "here", "licence": "own",
        "citation": "none", "study": "small", "counts": {"0": 60, "1": 60},
        "report": {"costs": costs} if costs else {}, "definition": {},
    }  # fmt: skip
    folds = pd.DataFrame({"n_test": [60.0] * 4, "n_train": [42.0] * 4})
    comparison = SimpleNamespace(
        info=info, objectives=("g_mean",), ratio=1.0, name="made", definition=definition,
        trained_folds=lambda _: folds,
    )  # fmt: skip
    return SimpleNamespace(comparison=comparison, form=form, is_decided=True)


def form(**changes):
    method = Method(
        "baseline", 1, "baseline", ("natural", "none", "cross-entropy"), None, "", (), 1
    )
    scores = {"test": pd.DataFrame({"g_mean": [0.7, 0.8, 0.74, 0.72], "bbs": [0.2] * 4})}
    return Form(method, **({"name": "as trained", "prior": "natural", "scores": scores} | changes))


def test_the_largest_probability_or_the_least_cost_or_a_divided_one():
    assert answers().codes(OUTPUTS).tolist() == [0, 1, 0]
    costs = ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (9.0, 9.0, 0.0))
    expected = (OUTPUTS @ np.array(costs)).argmin(axis=1)
    assert answers(rule="least cost", costs=costs).codes(OUTPUTS).tolist() == expected.tolist()
    divided = answers(rule="divided", decide_by=(0.9, 0.09, 0.01))
    assert divided.codes(OUTPUTS).tolist() == (OUTPUTS / (0.9, 0.09, 0.01)).argmax(axis=1).tolist()


def test_a_threshold_is_where_the_second_class_begins():
    two = answers(classes=("a", "b"), rare=("b",), rule="threshold", threshold=0.2)
    assert two.codes(np.array([[0.81, 0.19], [0.8, 0.2], [0.5, 0.5]])).tolist() == [0, 1, 1]


def test_outputs_are_brought_to_other_class_shares():
    moved = answers(divide_by=(0.8, 0.1, 0.1), multiply_by=(1 / 3, 1 / 3, 1 / 3))
    ratio = OUTPUTS / (0.8, 0.1, 0.1)
    expected = ratio / ratio.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(moved.probabilities(OUTPUTS), expected)
    np.testing.assert_array_equal(answers().probabilities(OUTPUTS), OUTPUTS)


def test_the_form_says_how_answers_are_made():
    refit = with_first_weights()
    plain = answers_of(refit, choice(form()))
    assert (plain.rule, plain.threshold, plain.divide_by) == ("largest", 0.5, None)
    chosen = answers_of(refit, choice(form(name="threshold", threshold=0.3)))
    assert (chosen.rule, chosen.threshold) == ("threshold", 0.3)
    equal = answers_of(refit, choice(form(name="equal shares", prior="equal")))
    np.testing.assert_allclose(equal.multiply_by, [0.5, 0.5])
    np.testing.assert_allclose(equal.divide_by, refit.shares)
    assert equal.divide_by[0] == pytest.approx(2 / 3)


def test_tilts_of_more_classes_are_needed_and_used():
    refit = with_first_weights(n_classes=3, model="hidden = [7, 5]")
    tilts = {(0, 0): 1.0, (0, 1): 2.0, (1, 0): 1.5}
    divided = answers_of(refit, choice(form(name="threshold", tilts=tilts)))
    assert divided.rule == "divided"
    np.testing.assert_allclose(divided.decide_by, refit.natural_shares**1.5)
    with pytest.raises(UsageError, match="the database holds no probabilities"):
        answers_of(refit, choice(form(name="threshold")))


def test_the_interval_holds_for_new_rows_in_95_of_100_cases():
    rng = np.random.default_rng(0)
    n_inside = 0
    for _ in range(2000):
        folds = rng.normal(0.5, 0.05, 10)
        scores = {"mean": folds.mean(), "sd": folds.std(ddof=1), "folds": 10}
        low, high = prediction_interval("bbs", scores | {"n_test": 100, "ratio": 0.0}, 400)
        n_inside += low <= rng.normal(0.5, 0.05 / 2) <= high
    assert 0.93 < n_inside / 2000 < 0.97


def test_there_is_no_interval_of_one_fold_or_of_parts_that_are_given():
    scores = {"mean": 0.5, "sd": None, "folds": 1, "n_test": 9.0, "ratio": 1.0}
    assert prediction_interval("bbs", scores, 9) == (None, None)
    assert prediction_interval("bbs", scores | {"sd": 0.1, "ratio": None}, 9) == (None, None)


def test_names_from_data_change_no_card():
    refit = with_first_weights()
    chosen = choice(form())
    card = make_card(refit, chosen, answers_of(refit, chosen), recipe_of(refit, chosen))
    text = card_markdown(card)
    assert "<script>" not in text
    page = card_html(text)
    assert "<script>" not in page
    assert "<td>0.740</td>" in page
    assert page.count("<h2>") == 7


def test_a_folder_is_written_as_a_whole_or_not_at_all(tmp_path):
    def fail(folder):
        (folder / "model.keras").write_text("half")
        raise UsageError("in the middle")

    with pytest.raises(UsageError, match="in the middle"):
        publish_folder(tmp_path / "model", fail)
    assert list(tmp_path.iterdir()) == []
    publish_folder(tmp_path / "model", lambda folder: (folder / "x").write_text("other"))
    with pytest.raises(UsageError, match="model holds files that are no model's"):
        check_output(tmp_path / "model")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file; name a folder for the model"):
        check_output(tmp_path / "file")


@pytest.mark.parametrize("step", range(4))
def test_a_kill_at_any_moment_leaves_the_old_model_or_the_new_one(tmp_path, step):
    def write(version):
        manifest = json.dumps({"made_by": "remix_study fit", "version": version, "files": {}})
        return lambda folder: (folder / "manifest.json").write_text(manifest)

    def version():
        return json.loads((present_folder(output) / "manifest.json").read_text())["version"]

    output = tmp_path / "model"
    publish_folder(output, write(1))
    with warnings.catch_warnings():
        # Python warns of threads, and JAX where it is loaded; the child only touches files.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        child = os.fork()
    if not child:
        _kill_at(step)
        publish_folder(output, write(2))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert version() == (1 if step < 3 else 2)
    assert output.exists() == (step != 2)
    publish_folder(output, write(3))
    assert version() == 3
    assert not previous_folder(output).exists()


def _kill_at(step):
    """Kill this process before its step-th change of names or removal of a folder, from 0."""
    steps = itertools.count()

    def counted(function):
        def call(*args, **keys):
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **keys)

        return call

    os.replace, shutil.rmtree = counted(os.replace), counted(shutil.rmtree)
