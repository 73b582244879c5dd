"""A user's own Keras model in the engine: the same as Keras' own ``fit`` on the same batches."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from outcome_checks import assert_same_bits, largest_difference
from reference_training import assert_same_weights, fit_by_keras
from small_problems import SmallProblem, short_training

from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import make_strategy


@pytest.fixture
def problem():
    return SmallProblem(n_features=6)


def batches(problem, member, strategy):
    """The first epoch's batches: x (rows, d) and soft labels (rows, K)."""
    plan = plan_epoch(strategy, member.training, batch_size=16, seed=member.seed, epoch=0)
    X, Y = problem.prepared(), np.eye(3, dtype=np.float32)[problem.y]
    share, first, second = plan.weight[..., None], plan.first, plan.second
    x = (share * X[first] + (1 - share) * X[second]).reshape(-1, X.shape[1])
    return x, (share * Y[first] + (1 - share) * Y[second]).reshape(-1, 3)


@pytest.mark.parametrize(
    "name",
    [
        "dense",
        pytest.param("conv", marks=pytest.mark.slow),
        "batch_norm",
        pytest.param("attention", marks=pytest.mark.slow),
        pytest.param("penalised", marks=pytest.mark.slow),
        "subclassed",
    ],
)
def test_any_model_equals_model_fit_on_the_same_batches(problem, name):
    """Two members in a second trial: weights and batch norm's state are not shared."""
    members, strategy = problem.members((96, 64)), make_strategy("remix")
    engine = problem.engine(members, name=f"user_nets:{name}")
    engine.fit(members, make_strategy("baseline"), short_training(epochs=2))
    outcomes = engine.fit(members, strategy, short_training())
    logits = engine.network.has_logits
    model = engine.network.train
    reference = keras.models.clone_model(model) if name != "subclassed" else model
    reference.build((None, 6))
    reference.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=logits))
    for position, member in enumerate(members):
        start = engine.network.initial_weights(member.seed)
        (loss,) = fit_by_keras(reference, start, batches(problem, member, strategy))
        assert_same_weights(engine.member_weights(position), reference, atol=3e-5)
        assert outcomes[position].loss[0] == pytest.approx(loss, rel=1e-3)
        expected = reference(problem.prepared()[member.test])
        expected = keras.ops.softmax(expected) if logits else expected
        np.testing.assert_allclose(outcomes[position].test, expected, atol=1e-4)


def test_it_is_compiled_once_and_options_reach_the_builder(problem):
    members = problem.members((96, 64, 80))
    engine = problem.engine(members, name="user_nets:dense", width=5, fresh=True)
    assert engine.network.parameters == 6 * 5 + 5 + 5 * 3 + 3
    for name in ("baseline", "remix", "cost"):
        engine.fit(members, make_strategy(name), short_training(epochs=2))
    assert engine.program.traces["train"] == engine.program.traces["forward"] == 1


def test_dropout_and_state_repeat_bit_for_bit(problem):
    """Keras' own Dropout draws from the member's seed, so trials and orders do not matter."""
    members, strategy = problem.members((96, 64)), make_strategy("remix")
    keys = short_training(epochs=3, stop="early", start_from_epoch=0, patience=3)
    engine = problem.engine(members, name="user_nets:dropout")
    first = engine.fit(members, strategy, keys)
    engine.fit(members, make_strategy("cost"), keys)
    assert_same_bits(engine.fit(members, strategy, keys), first)
    assert_same_bits(engine.fit(members[1:], strategy, keys), first[1:])
    without = problem.engine(members, name="user_nets:dropout", rate=0.0)
    assert largest_difference(without.fit(members, strategy, keys), first) > 1e-3
