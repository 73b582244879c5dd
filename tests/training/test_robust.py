"""Unusual data and training keys are trained on, refused or reported, and never crash."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from outcome_checks import assert_same_bits
from small_problems import SmallProblem, kept_program, short_training

from remix_study.batches.strategies import make_strategy, strategy_names
from remix_study.data.arrays import from_arrays
from remix_study.errors import StudyFileError, UsageError
from remix_study.study.configurations import Configuration
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study
from remix_study.training import compiled_problem

STUDY = """
[study]
name = "edge"
seed = 4
objectives = ["g_mean"]
[[problems]]
[cv]
folds = 2
repeats = 1
[model]
name = "mlp"
hidden = [6]
[training]
epochs = 3
start_from_epoch = 0
batch_size = {batch}
"""


@pytest.fixture(autouse=True)
def _kept_programs(monkeypatch):
    """Tasks whose networks and rows have the same shapes share a compiled program."""
    monkeypatch.setattr(compiled_problem, "Program", kept_program)


def task_of(X, y, batch=16):
    return prepare_tasks(parse_study(STUDY.format(batch=batch)), from_arrays(X, y))[0]


def fit(task, name="remix"):
    setting = Configuration(make_strategy(name), task.spec.training, task.study.model)
    return task.fit(setting)


def rows(n=160, features=4, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return rng.normal(size=(n, features)) + y[:, None], y


def assert_trained(outcomes, n_classes=2):
    for outcome in outcomes:
        assert outcome.failed == ""
        assert np.isfinite(outcome.loss).all()
        for part in (outcome.validation, outcome.test):
            np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-5)
            assert part.shape[1] == n_classes


def test_smote_knows_the_categories_of_a_table():
    X, y = rows()
    frame = pd.DataFrame(X, columns=list("abcd")).assign(
        kind=np.arange(160) % 3, is_open=y == 1, one="always"
    )
    frame["kind"] = frame["kind"].map({0: "red", 1: "blue", 2: None})
    task = task_of(frame, y)
    nominal = task.members.nominal
    np.testing.assert_array_equal(nominal.codes[:3, 0], [1, 0, 2])
    np.testing.assert_array_equal(nominal.codes[:, 1], 1 - y)
    for member in task.members.members:
        training = member.training
        np.testing.assert_array_equal(training.nominal.codes, nominal.codes[training.rows])
    assert_trained(fit(task, "smote"))


def test_a_constant_feature_says_nothing():
    X, y = rows()
    X, far = X.copy(), X
    X[:, 3], far[:, 3] = 7.0, -1e9
    task = task_of(X, y)
    outcomes = fit(task)
    assert_trained(outcomes)
    assert_same_bits(fit(task_of(far, y)), outcomes)


def test_a_feature_far_from_zero_keeps_its_digits():
    """A time stamp around 1e12 that differs in its last digits trains like the same one at 0."""
    X, y = rows()
    X[:, 0] = np.round(X[:, 0] * 100)
    far = X.copy()
    far[:, 0] += 1e12
    for outcome, expected in zip(fit(task_of(far, y)), fit(task_of(X, y)), strict=True):
        assert outcome.failed == ""
        np.testing.assert_allclose(outcome.test, expected.test, atol=1e-3)


def test_a_single_value_of_1e12_is_clipped():
    X, y = rows()
    X[3, 1] = 1e12
    assert_trained(fit(task_of(X, y)))


def test_the_type_of_the_numbers_does_not_matter():
    X, y = rows()
    X = np.round(X * 2)
    expected = fit(task_of(X, y))
    for dtype in ("float32", "int64", "int8"):
        assert_same_bits(fit(task_of(X.astype(dtype), y)), expected)


@pytest.mark.parametrize(
    ("n_classes", "n", "batch"),
    [(2, 160, 16), pytest.param(50, 600, 64, marks=pytest.mark.slow)],
)
def test_two_and_fifty_classes(n_classes, n, batch):
    X, y = rows(n, n_classes=n_classes)
    task = task_of(X, y, batch)
    for name in strategy_names():
        assert_trained(fit(task, name), n_classes)


def test_one_batch_an_epoch():
    X, y = rows()
    task = task_of(X, y)
    smallest_part = min(len(fold.train) for fold in task.folds)
    task = task_of(X, y, batch=smallest_part)
    outcomes = fit(task)
    assert_trained(outcomes)
    assert all(o.trained_on.batches == o.epochs for o in outcomes)


def test_a_batch_larger_than_a_fold_is_refused_before_training():
    X, y = rows()
    with pytest.raises((StudyFileError, UsageError), match="57"):
        task_of(X, y, batch=57)


def test_a_class_that_validation_lacks_does_not_count_there():
    """The balanced loss is the mean over the classes that are present."""
    problem = SmallProblem()
    members = problem.members()
    member = members[0]
    rows = member.validation[problem.y[member.validation] != 2]
    members[0] = replace(member, validation=rows)
    keys = short_training(epochs=2, stop="early", start_from_epoch=0, patience=2)
    outcome = problem.engine(members).fit(members, make_strategy("remix"), keys)[0]
    best = int(outcome.monitor.argmin())
    losses = -np.log(outcome.validation[np.arange(len(rows)), problem.y[rows]].astype(float))
    means = [losses[problem.y[rows] == c].mean() for c in (0, 1)]
    assert outcome.failed == ""
    assert outcome.monitor[best] == pytest.approx(np.mean(means), rel=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_ends_its_member_alone(bad):
    """The start of one member holds a value that spreads; the others train as without it."""
    problem = SmallProblem()
    members, strategy = problem.members(), make_strategy("remix")
    expected = problem.engine(members).fit(members, strategy, short_training(epochs=3))
    engine = problem.engine(members)
    initial_weights = engine.network.initial_weights

    def with_bad_value(seed):
        weights = [array.copy() for array in initial_weights(seed)]
        if seed == members[1].seed:
            weights[0][0, 0] = bad
        return weights

    engine.network = replace(engine.network, initial_weights=with_bad_value)
    outcomes = engine.fit(members, strategy, short_training(epochs=3))
    assert outcomes[1].failed == "training loss is not finite in epoch 1"
    assert_same_bits(outcomes[::2], expected[::2])


def test_a_rate_that_explodes_is_survived():
    """Features are clipped and the loss is linear in the logits, so even 10 stays finite."""
    problem = SmallProblem()
    members = problem.members()
    engine = problem.engine(members)
    outcomes = engine.fit(
        members, make_strategy("cost"), short_training(epochs=3, learning_rate=10.0)
    )
    for outcome in outcomes:
        assert outcome.failed == "" or "not finite" in outcome.failed
