"""Data and settings at the edge: each is trained on, refused or reported, never a crash."""

from __future__ import annotations

import numpy as np
import pytest
from small_problems import Workshop, training

from remix_study.batches.strategies import make_strategy, strategy_names
from remix_study.data.arrays import from_arrays
from remix_study.errors import StudyFileError, UsageError
from remix_study.study.configurations import Configuration
from remix_study.study.task import prepare
from remix_study.studyfile.parsing import parse_study

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


def task_of(X, y, batch=16):
    return prepare(parse_study(STUDY.format(batch=batch)), from_arrays(X, y))[0]


def fit(task, name="remix"):
    setting = Configuration(make_strategy(name), task.spec.training, task.study.model)
    return task.fit(setting)


def rows(n=160, features=4, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return rng.normal(size=(n, features)) + y[:, None], y


def check(outcomes, n_classes=2):
    for outcome in outcomes:
        assert outcome.failed == ""
        assert np.isfinite(outcome.loss).all()
        for part in (outcome.validation, outcome.test):
            np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-5)
            assert part.shape[1] == n_classes


def test_a_constant_feature_says_nothing():
    X, y = rows()
    with_constant = np.column_stack([X, np.full(len(y), 7.0)])
    task = task_of(with_constant, y)
    outcomes = fit(task)
    check(outcomes)
    moved = task_of(np.column_stack([X, np.full(len(y), -1e9)]), y)
    for one, other in zip(outcomes, fit(moved), strict=True):
        np.testing.assert_array_equal(one.test, other.test)


def test_a_feature_far_from_zero_keeps_its_digits():
    """A time stamp around 1e12 that differs in its last digits trains like the same one at 0."""
    X, y = rows()
    X[:, 0] = np.round(X[:, 0] * 100)
    far = X.copy()
    far[:, 0] += 1e12
    for one, other in zip(fit(task_of(X, y)), fit(task_of(far, y)), strict=True):
        assert other.failed == ""
        np.testing.assert_allclose(one.test, other.test, atol=1e-3)


def test_a_single_value_of_1e12_is_clipped():
    X, y = rows()
    X[3, 1] = 1e12
    check(fit(task_of(X, y)))


def test_the_type_of_the_numbers_does_not_matter():
    X, y = rows()
    X = np.round(X * 2)
    expected = fit(task_of(X, y))
    for dtype in ("float32", "int64", "int8"):
        for one, other in zip(fit(task_of(X.astype(dtype), y)), expected, strict=True):
            np.testing.assert_array_equal(one.test, other.test)


@pytest.mark.parametrize("n_classes", [2, 50])
def test_two_and_fifty_classes(n_classes):
    X, y = rows(600, n_classes=n_classes)
    task = task_of(X, y, batch=64)
    for name in strategy_names():
        check(fit(task, name), n_classes)


def test_one_batch_an_epoch():
    X, y = rows()
    task = task_of(X, y)
    whole = min(len(fold.train) for fold in task.folds)
    task = task_of(X, y, batch=whole)
    outcomes = fit(task)
    check(outcomes)
    assert all(o.trained_on.batches == o.epochs for o in outcomes)


def test_a_batch_larger_than_a_fold_is_refused_before_training():
    X, y = rows()
    with pytest.raises((StudyFileError, UsageError), match="57"):
        task_of(X, y, batch=57)


def test_a_class_that_validation_lacks_does_not_count_there():
    """The balanced loss is the mean over the classes that are present."""
    workshop = Workshop()
    members = workshop.members()
    member = members[0]
    kept = member.validation[workshop.y[member.validation] != 2]
    members[0] = type(member)(member.seed, member.training, kept, member.test)
    keys = training(epochs=2, stop="early", start_from_epoch=0, patience=2)
    outcome = workshop.engine(members).fit(members, make_strategy("remix"), keys)[0]
    best = int(outcome.monitor.argmin())
    own = -np.log(outcome.validation[np.arange(len(kept)), workshop.y[kept]].astype(float))
    means = [own[workshop.y[kept] == c].mean() for c in (0, 1)]
    assert outcome.failed == ""
    assert outcome.monitor[best] == pytest.approx(np.mean(means), rel=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_ends_its_member_alone(bad):
    """The start of one member holds a value that spreads; the others train as without it."""
    workshop = Workshop()
    members, strategy = workshop.members(), make_strategy("remix")
    clean = workshop.engine(members).fit(members, strategy, training(epochs=3))
    engine = workshop.engine(members, fresh=True)
    start = engine.network.initial_weights(members[1].seed)
    spoilt = start[0].copy()
    start[0][0, 0] = bad
    try:
        outcomes = engine.fit(members, strategy, training(epochs=3))
    finally:
        start[0][:] = spoilt
    assert outcomes[1].failed == "training loss is not finite in epoch 1"
    for position in (0, 2):
        np.testing.assert_array_equal(outcomes[position].test, clean[position].test)


def test_a_rate_that_explodes_is_survived():
    """Features are clipped and the loss is linear in the logits, so even 10 stays finite."""
    workshop = Workshop()
    members = workshop.members()
    engine = workshop.engine(members)
    outcomes = engine.fit(members, make_strategy("cost"), training(epochs=3, learning_rate=10.0))
    for outcome in outcomes:
        assert outcome.failed == "" or "not finite" in outcome.failed
