"""Weights of rows in training and validation losses, for all strategies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from outcome_checks import assert_close, assert_same_bits, largest_difference
from reference_training import assert_same_weights, dense_reference
from small_problems import SmallProblem, short_training

from remix_study.batches.strategies import make_strategy, strategy_names
from remix_study.batches.training_rows import TrainingRows
from remix_study.training.members import Member
from remix_study.training.program import loss_shares

SIZES = (64, 80)


@pytest.fixture
def problem():
    return SmallProblem()


def weighted(problem, weights):
    problem.row_weights = np.asarray(weights, np.float64)
    return problem


def random_weights(problem):
    return np.random.default_rng(5).exponential(size=len(problem.y))


@pytest.mark.parametrize(
    "names",
    [
        ("smote", "remix", "remix-chou", "cost"),
        pytest.param(strategy_names(), marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_each_strategy_equals_a_slow_loss_with_weights(problem, names):
    """A row blended of two has the label w1 l y1 + w2 (1 - l) y2."""
    weighted(problem, random_weights(problem))
    members = problem.members(SIZES)
    engine = problem.engine(members)
    reference = dense_reference(5, (8, 6), 3)
    for name in names:
        if name == "cost-repo":
            continue  # The baseline with other seeds.
        strategy = make_strategy(name)
        outcomes = engine.fit(members, strategy, short_training())
        for position, member in enumerate(members):
            start = engine.network.initial_weights(member.seed)
            losses = reference.fit(problem, member, strategy, epochs=1, weights=start)
            assert_same_weights(engine.member_weights(position), reference.model, atol=1e-5)
            np.testing.assert_allclose(outcomes[position].loss, losses, rtol=1e-4)


def test_weights_of_one_are_no_weights_to_the_bit(problem):
    members, training = problem.members(SIZES), short_training(stop="early", start_from_epoch=0)
    for name in ("baseline", "remix"):
        strategy = make_strategy(name)
        problem.row_weights = None
        plain = problem.engine(members).fit(members, strategy, training)
        weighted(problem, np.ones(len(problem.y)))
        assert_same_bits(problem.engine(members).fit(members, strategy, training), plain)


def test_the_scale_of_weights_changes_nothing(problem):
    members, weights = problem.members(SIZES), random_weights(problem)
    training = short_training(epochs=2, stop="early", start_from_epoch=0)
    for name in ("logit-adjusted", "remix"):
        first, second = (
            weighted(problem, scale * weights)
            .engine(members)
            .fit(members, make_strategy(name), training)
            for scale in (1, 300)
        )
        assert_close(second, first, atol=1e-5)
        np.testing.assert_allclose(second[0].monitor, first[0].monitor, rtol=1e-5)
        for second_outcome, first_outcome in zip(second, first, strict=True):
            shares = second_outcome.trained_on.class_shares
            np.testing.assert_allclose(shares, first_outcome.trained_on.class_shares, rtol=1e-5)
            assert shares.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "name",
    ["cost", *(pytest.param(n, marks=pytest.mark.slow) for n in ("baseline", "focal"))],
)
def test_whole_weights_equal_repeated_rows_at_full_batch(problem, name):
    """Also in the losses that early stopping watches; without dropout, which is drawn by row."""
    weights = np.random.default_rng(6).integers(1, 4, len(problem.y))
    (member,) = problem.members((48,))
    copies = np.repeat(np.arange(len(problem.y)), weights)

    def repeated(rows):
        return np.flatnonzero(np.isin(copies, rows)).astype(np.int32)

    many = SmallProblem()
    many.X, many.y = problem.X[copies], problem.y[copies]
    train = repeated(member.training.rows)
    many_member = Member(
        member.seed,
        TrainingRows(train, many.y[train], 3, lambda: None),
        repeated(member.validation),
        repeated(member.test),
    )
    for monitor in ("natural", "balanced"):
        outcomes = []
        for small, network in ((weighted(problem, weights), member), (many, many_member)):
            training = short_training(
                epochs=4,
                batch_size=len(network.training.rows),
                stop="early",
                start_from_epoch=0,
                monitor=monitor,
                learning_rate=0.01,
            )
            (outcome,) = small.engine([network], dropout=0.0).fit(
                [network], make_strategy(name), training
            )
            outcomes.append(outcome)
        few, full = outcomes
        np.testing.assert_allclose(few.loss, full.loss, rtol=1e-5)
        np.testing.assert_allclose(few.monitor, full.monitor, rtol=1e-5)
        np.testing.assert_allclose(
            np.repeat(few.test, weights[member.test], axis=0)[
                np.argsort(np.repeat(member.test, weights[member.test]), kind="stable")
            ],
            full.test,
            atol=1e-6,
        )
        np.testing.assert_allclose(
            few.trained_on.class_shares, full.trained_on.class_shares, atol=1e-6
        )


def test_rows_of_weight_zero_are_not_learnt_from(problem):
    (member,) = problem.members((48,))
    weights = random_weights(problem)
    weights[member.training.rows[::2]] = 0
    training = short_training(batch_size=48, epochs=2)
    strategy = make_strategy("baseline")
    plain = weighted(problem, weights).engine([member]).fit([member], strategy, training)
    problem.y = problem.y.copy()
    problem.y[member.training.rows[::2]] = 0
    codes = replace(member.training, y=problem.y[member.training.rows])
    relabelled = replace(member, training=codes)
    outcomes = problem.engine([member]).fit([relabelled], strategy, training)
    assert largest_difference(outcomes, plain) == 0


def test_shares_of_validation_losses():
    y, rows = np.array([0, 0, 1, 1, 1], np.int32), np.array([4, 3, 1, 0], np.int32)
    weights = np.array([1.0, 3.0, 9.0, 2.0, 4.0])
    natural = loss_shares(rows, y, "natural", weights)
    np.testing.assert_allclose(natural, np.array([4, 2, 3, 1]) / 10)
    balanced = loss_shares(rows, y, "balanced", weights)
    np.testing.assert_allclose(balanced, [4 / 12, 2 / 12, 3 / 8, 1 / 8])
    for kind in ("natural", "balanced"):
        ones = loss_shares(rows, y, kind, np.ones(5))
        np.testing.assert_array_equal(ones, loss_shares(rows, y, kind))
