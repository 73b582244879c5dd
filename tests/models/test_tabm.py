"""TabM: its formula cell by cell, its training by Keras' own ``fit``, studies and saved models."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from outcome_checks import assert_same_bits
from reference_training import assert_same_weights, fit_by_keras
from scipy.special import softmax
from small_problems import SmallProblem, short_training

from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import make_strategy
from remix_study.errors import UsageError
from remix_study.models.building import build_network, resolved_options

OPTIONS = {"hidden": [6, 5], "dropout": 0.0, "heads": 3}


def slow(rows: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Logits (n, heads, K), head by head, of the weights in the network's order."""
    *body, kernel, bias = weights
    logits = []
    for head in range(OPTIONS["heads"]):
        x = rows
        for r, shared, s, b in zip(*(body[i::4] for i in range(4)), strict=True):
            x = np.maximum(((x * r[head]) @ shared) * s[head] + b[head], 0)
        logits.append(x @ kernel[head] + bias[head])
    return np.stack(logits, axis=1)


def test_it_is_the_formula():
    network = build_network("tabm", stack=1, input_shape=(4,), n_classes=3, options=OPTIONS)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape).astype(np.float32) for w in network.initial_weights(0)]
    network.train.set_weights(weights)
    rows = rng.normal(size=(7, 4)).astype(np.float32)
    logits = slow(rows, weights)
    np.testing.assert_allclose(network.train(rows), logits, atol=1e-4)
    mean = softmax(logits, axis=2).mean(axis=1)
    np.testing.assert_allclose(network.infer(rows), mean, atol=1e-5)
    shared, outputs = 4 * 6 + 6 * 5, 3 * (5 + 1) * 3
    adapters = 3 * (4 + 6 + 6) + 3 * (6 + 5 + 5)
    assert network.parameters == shared + adapters + outputs


def test_heads_begin_as_random_signs_of_the_features():
    network = build_network("tabm", stack=1, input_shape=(40,), n_classes=2, options={})
    weights = network.initial_weights(3)
    # A saved model takes the weights in this order.
    assert [v.path for v in network.infer.variables] == [v.path for v in network.train.variables]
    names = [v.path for v in network.train.variables]
    by_name = dict(zip(names, weights, strict=True))
    assert set(np.unique(by_name["r_1/kernel"])) == {-1, 1}
    assert (by_name["r_2/kernel"] == 1).all()
    limit = np.sqrt(6 / (40 + 128))
    assert 0.95 * limit < np.abs(by_name["shared_1/kernel"]).max() <= limit
    assert not np.array_equal(by_name["heads/kernel"][0], by_name["heads/kernel"][1])
    assert not np.array_equal(weights[0], network.initial_weights(4)[0])


@pytest.mark.parametrize(
    "strategy", ["remix", pytest.param("logit-adjusted", marks=pytest.mark.slow)]
)
def test_it_trains_as_keras_fit_does_on_the_same_batches(strategy):
    problem, strategy = SmallProblem(n_features=4), make_strategy(strategy)
    members = problem.members((96, 64))
    engine = problem.engine(members, name="tabm", **OPTIONS)
    outcomes = engine.fit(members, strategy, short_training())
    reference = keras.models.clone_model(engine.network.train)
    for position, member in enumerate(members):
        plan = plan_epoch(strategy, member.training, batch_size=16, seed=member.seed, epoch=0)
        X, Y = problem.prepared(), np.eye(3, dtype=np.float32)[problem.y]
        share = plan.weight[..., None]
        x = (share * X[plan.first] + (1 - share) * X[plan.second]).reshape(-1, 4)
        y = (share * Y[plan.first] + (1 - share) * Y[plan.second]).reshape(-1, 1, 3)
        counts = np.bincount(member.training.y, minlength=3)
        offset = np.log(counts / counts.sum()) if strategy.loss == "logit-adjusted" else 0.0

        def loss_of(labels, z, offset=offset):
            z = z + keras.ops.cast(offset, "float32")
            return keras.losses.categorical_crossentropy(labels, z, from_logits=True)

        reference.compile("adam", loss_of)
        start = engine.network.initial_weights(member.seed)
        (loss,) = fit_by_keras(reference, start, (x, np.repeat(y, 3, axis=1)))
        assert_same_weights(engine.member_weights(position), reference, atol=3e-5)
        assert outcomes[position].loss[0] == pytest.approx(loss, rel=1e-3)
        probabilities = softmax(reference(X[member.test]), axis=2).mean(axis=1)
        np.testing.assert_allclose(outcomes[position].test, probabilities, atol=1e-4)


def test_dropout_depends_on_the_seed_alone():
    problem = SmallProblem(n_features=4)
    members = problem.members((96, 64))
    engine = problem.engine(members, name="tabm", **OPTIONS | {"dropout": 0.5})
    first, again = (
        engine.fit(members, make_strategy("baseline"), short_training()) for _ in range(2)
    )
    assert_same_bits(first, again)
    other_seed = problem.members((96, 64), first_seed=70)
    assert not np.array_equal(
        engine.fit(other_seed, make_strategy("baseline"), short_training())[0].test, first[0].test
    )


def test_widths_by_name_and_images():
    assert resolved_options("tabm", {"hidden": "paper"}, (36,), 6)["hidden"] == (28, 28, 28)
    with pytest.raises(UsageError, match=r'model "tabm" takes tables, .* set model.name to "cnn"'):
        build_network("tabm", stack=1, input_shape=(8, 8, 1), n_classes=2, options={})
