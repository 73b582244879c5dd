"""A user's own Keras model in the engine: the same as Keras' own ``fit`` on the same batches."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from small_problems import Workshop, training

from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import make_strategy


@pytest.fixture
def workshop():
    return Workshop(n_features=6)


def batches(workshop, member, strategy):
    plan = plan_epoch(strategy, member.training, batch_size=16, seed=member.seed, epoch=0)
    X, Y = workshop.prepared(), np.eye(3, dtype=np.float32)[workshop.y]
    share, first, second = plan.weight[..., None], plan.first, plan.second
    x = (share * X[first] + (1 - share) * X[second]).reshape(-1, X.shape[1])
    return x, (share * Y[first] + (1 - share) * Y[second]).reshape(-1, 3)


@pytest.mark.parametrize(
    "name", ["dense", "conv", "batch_norm", "attention", "penalised", "subclassed"]
)
def test_any_model_equals_model_fit_on_the_same_batches(workshop, name):
    """Two members: weights and batch norm's state are each one's own, for two trials."""
    members, strategy = workshop.members((96, 64)), make_strategy("remix")
    engine = workshop.engine(members, name=f"user_nets:{name}")
    engine.fit(members, make_strategy("baseline"), training(epochs=2))
    outcomes = engine.fit(members, strategy, training())
    for position, member in enumerate(members):
        x, y = batches(workshop, member, strategy)
        model = engine.network.train
        for variable, value in zip(
            model.variables, engine.network.initial_weights(member.seed), strict=True
        ):
            variable.assign(value)
        own = keras.models.clone_model(model) if name != "subclassed" else model
        own.build((None, 6))
        own.set_weights(model.get_weights())
        logits = engine.network.has_logits
        own.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=logits))
        history = own.fit(x, y, batch_size=16, shuffle=False, verbose=0)
        for mine, theirs in zip(engine.member_weights(position), own.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=3e-5)
        assert outcomes[position].loss[0] == pytest.approx(history.history["loss"][0], rel=1e-3)
        expected = own.predict(workshop.prepared()[member.test], verbose=0)
        expected = keras.ops.softmax(expected) if logits else expected
        np.testing.assert_allclose(outcomes[position].test, expected, atol=1e-4)


def test_it_is_compiled_once_and_options_reach_the_builder(workshop):
    members = workshop.members((96, 64, 80))
    engine = workshop.engine(members, name="user_nets:dense", width=5, fresh=True)
    assert engine.network.parameters == 6 * 5 + 5 + 5 * 3 + 3
    for name in ("baseline", "remix", "cost"):
        engine.fit(members, make_strategy(name), training(epochs=2))
    assert engine.program.traces["train"] == engine.program.traces["forward"] == 1


def test_dropout_and_state_repeat_bit_for_bit(workshop):
    """Keras' own Dropout draws from the member's seed, so trials and orders do not matter."""
    members, strategy = workshop.members((96, 64)), make_strategy("remix")
    keys = training(epochs=3, stop="early", start_from_epoch=0, patience=3)
    engine = workshop.engine(members, name="user_nets:dropout")
    first = engine.fit(members, strategy, keys)
    engine.fit(members, make_strategy("cost"), keys)
    for one, other in zip(first, engine.fit(members, strategy, keys), strict=True):
        np.testing.assert_array_equal(one.test, other.test)
    alone = engine.fit(members[1:], strategy, keys)
    np.testing.assert_array_equal(alone[0].test, first[1].test)
    none = workshop.engine(members, name="user_nets:dropout", rate=0.0).fit(
        members, strategy, keys
    )
    assert np.abs(none[0].test - first[0].test).max() > 1e-3
