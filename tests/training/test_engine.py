"""The stacked engine against networks trained one at a time by other means."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_problems import Workshop, training

from remix_study.batches.losses import FOCAL, FOCAL_GAMMA, loss_vectors
from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import make_strategy, strategy_names
from remix_study.seeds import derive_seed
from remix_study.training import engine as engine_module
from remix_study.training import prefetch
from remix_study.training.random_streams import EpochMasks


@pytest.fixture
def workshop():
    return Workshop()


def reference(workshop, member, strategy, epochs, batch_size, hidden, dropout, weights):
    """One network, stock Keras layers and stock Adam, a Python loop over batches."""
    network = keras.Sequential(
        [keras.layers.Dense(units, activation="relu") for units in hidden]
        + [keras.layers.Dense(workshop.n_classes)]
    )
    network.build((None, workshop.X.shape[1]))
    network.set_weights([w[0] if w.shape[0] == 1 else w for w in weights])
    adam = keras.optimizers.Adam(1e-3)
    class_weight, offset = loss_vectors(strategy.loss, member.training.y, workshop.n_classes)
    X, Y = workshop.prepared(), np.eye(workshop.n_classes, dtype=np.float32)[workshop.y]
    masked = list(hidden[:-1])
    losses = []
    for epoch in range(epochs):
        plan = plan_epoch(
            strategy, member.training, batch_size=batch_size, seed=member.seed, epoch=epoch
        )
        width = batch_size * sum(masked)
        masks = np.zeros((1, plan.steps, width), np.uint16)
        EpochMasks([member.seed], epoch, width).draw(plan.steps, masks)
        total = 0.0
        for step in range(plan.steps):
            share, label_share = plan.weight[step][:, None], plan.label_weight[step][:, None]
            first, second = plan.first[step], plan.second[step]
            x = share * X[first] + (1 - share) * X[second]
            y = label_share * Y[first] + (1 - label_share) * Y[second]
            with tf.GradientTape() as tape:
                hidden_x, start = tf.constant(x), 0
                for position, layer in enumerate(network.layers[:-1]):
                    hidden_x = layer(hidden_x)
                    if dropout and position < len(masked):
                        size = batch_size * masked[position]
                        mask = masks[0, step, start : start + size].reshape(batch_size, -1)
                        hidden_x *= (mask >= round(dropout * 65536)) / np.float32(1 - dropout)
                        start += size
                z = network.layers[-1](hidden_x) + offset
                fit = tf.nn.log_softmax(z)
                easy = (1 - tf.exp(fit)) ** FOCAL_GAMMA if strategy.loss == FOCAL else 1.0
                loss = tf.reduce_mean(-tf.reduce_sum(class_weight * easy * y * fit, axis=1))
            gradients = tape.gradient(loss, network.trainable_variables)
            adam.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
            total += float(loss)
        losses.append(total / plan.steps)
    return network, losses


@pytest.mark.parametrize("name", strategy_names())
def test_stacked_members_equal_networks_trained_alone(workshop, name):
    """Weights and losses after two epochs, dropout included, for every strategy."""
    members, strategy = workshop.members(), make_strategy(name)
    engine = workshop.engine(members)
    outcomes = engine.fit(members, strategy, training(epochs=2))
    for position, member in enumerate(members):
        # The baseline a second time has seeds of its own.
        seed = derive_seed(member.seed, strategy.loss) if name == "cost-repo" else member.seed
        own = replace(member, seed=seed)
        start = engine.network.initial_weights(own.seed)
        network, losses = reference(workshop, own, strategy, 2, 16, (8, 6), 0.1, start)
        got = engine.member_weights(position)
        for mine, theirs in zip(got, network.get_weights(), strict=True):
            np.testing.assert_allclose(mine.reshape(theirs.shape), theirs, atol=1e-5)
        np.testing.assert_allclose(outcomes[position].loss, losses, rtol=1e-4)
        expected = keras.ops.softmax(network(workshop.prepared()[member.test]))
        np.testing.assert_allclose(outcomes[position].test, expected, atol=1e-5)


def test_a_stack_equals_model_fit_on_the_same_batches(workshop):
    """Without dropout Keras' own ``fit`` can be asked."""
    members, strategy = workshop.members(), make_strategy("remix")
    engine = workshop.engine(members, dropout=0.0)
    engine.fit(members, strategy, training(epochs=1))
    X, Y = workshop.prepared(), np.eye(3, dtype=np.float32)[workshop.y]
    for position, member in enumerate(members):
        plan = plan_epoch(strategy, member.training, batch_size=16, seed=member.seed, epoch=0)
        share, first, second = plan.weight[..., None], plan.first, plan.second
        x = (share * X[first] + (1 - share) * X[second]).reshape(-1, X.shape[1])
        y = (share * Y[first] + (1 - share) * Y[second]).reshape(-1, 3)
        network = keras.Sequential(
            [keras.layers.Dense(8, "relu"), keras.layers.Dense(6, "relu"), keras.layers.Dense(3)]
        )
        network.build((None, X.shape[1]))
        start = engine.network.initial_weights(member.seed)
        network.set_weights([w[0] if w.shape[0] == 1 else w for w in start])
        network.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
        network.fit(x, y, batch_size=16, shuffle=False, verbose=0)
        got = engine.member_weights(position)
        for mine, theirs in zip(got, network.get_weights(), strict=True):
            np.testing.assert_allclose(mine.reshape(theirs.shape), theirs, atol=1e-5)


def test_members_with_fewer_steps_wait(workshop):
    """Unequal folds: each takes its own number of steps, and momentum does not move it on."""
    members, strategy = workshop.members((64, 112, 80)), make_strategy("baseline")
    engine = workshop.engine(members)
    engine.fit(members, strategy, training(epochs=3))
    for position, member in enumerate(members):
        start = engine.network.initial_weights(member.seed)
        network, _ = reference(workshop, member, strategy, 3, 16, (8, 6), 0.1, start)
        got = engine.member_weights(position)
        for mine, theirs in zip(got, network.get_weights(), strict=True):
            np.testing.assert_allclose(mine.reshape(theirs.shape), theirs, atol=2e-5)


def test_an_epoch_longer_than_a_chunk_is_the_same_epoch(workshop, monkeypatch):
    members, strategy = workshop.members(), make_strategy("remix")
    whole = workshop.engine(members).fit(members, strategy, training(epochs=2))
    monkeypatch.setattr(prefetch, "CHUNK", 4)  # 6 steps: one full chunk and one padded
    parts = workshop.engine(members).fit(members, strategy, training(epochs=2))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.test, other.test, atol=1e-6)
        np.testing.assert_allclose(one.loss, other.loss, rtol=1e-5)


def test_rows_are_predicted_in_blocks_of_one_shape(workshop, monkeypatch):
    members, strategy = workshop.members((64, 112, 80)), make_strategy("baseline")
    whole = workshop.engine(members).fit(members, strategy, training())
    monkeypatch.setattr(engine_module, "_BLOCK", 7)
    parts = workshop.engine(members).fit(members, strategy, training())
    for one, other, member in zip(whole, parts, members, strict=True):
        assert one.test.shape == (len(member.test), 3)
        np.testing.assert_allclose(one.test, other.test, atol=1e-6)
        np.testing.assert_allclose(one.validation, other.validation, atol=1e-6)


def test_what_a_member_is_stacked_with_does_not_matter(workshop):
    """A stack of one, of two with padding, and of three give the same member."""
    members, strategy = workshop.members(), make_strategy("smote")
    keys = training(epochs=6, stop="early", start_from_epoch=1, patience=2)
    together = workshop.engine(members, 3).fit(members, strategy, keys)
    for stack in (1, 2):
        apart = workshop.engine(members, stack).fit(members, strategy, keys)
        assert len(apart) == 3
        for one, other in zip(together, apart, strict=True):
            assert one.epochs == other.epochs
            assert one.stopped == other.stopped
            np.testing.assert_allclose(one.test, other.test, atol=1e-5)


def test_a_second_trial_starts_afresh_and_repeats_bit_for_bit(workshop):
    members = workshop.members()
    engine = workshop.engine(members)
    first = engine.fit(members, make_strategy("remix", 0.3), training(epochs=2))
    engine.fit(members, make_strategy("cost"), training(epochs=3))
    again = engine.fit(members, make_strategy("remix", 0.3), training(epochs=2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.test, other.test)
        np.testing.assert_array_equal(one.loss, other.loss)


def test_one_compilation_serves_every_strategy_alpha_and_rate(workshop):
    members = workshop.members()
    engine = workshop.engine(members, fresh=True)
    for name, alpha in (("baseline", None), ("remix", 0.1), ("remix", 0.7), ("smote", None)):
        engine.fit(members, make_strategy(name, alpha), training(epochs=2))
    engine.fit(members, make_strategy("cost"), training(learning_rate=0.01), dropout=0.3)
    assert engine.program.traces["train"] == engine.program.traces["forward"] == 1


def test_the_focal_loss_alone_is_a_program_of_its_own(workshop):
    members = workshop.members()
    engine = workshop.engine(members, fresh=True)
    plain = engine.fit(members, make_strategy("cost"), training(epochs=2))
    assert engine.program.traces["train"] == 1
    focal = engine.fit(members, make_strategy("focal"), training(epochs=2))
    again = engine.fit(members, make_strategy("cost"), training(epochs=2))
    assert engine.program.traces == {"train": 2, "forward": 1, "choose": 0}
    for one, other, repeated in zip(plain, focal, again, strict=True):
        assert np.abs(one.test - other.test).max() > 1e-3
        np.testing.assert_array_equal(one.test, repeated.test)


def test_dropout_is_an_input_and_acts(workshop):
    members, strategy = workshop.members(), make_strategy("baseline")
    engine = workshop.engine(members)
    little = engine.fit(members, strategy, training(epochs=2), dropout=0.1)
    much = engine.fit(members, strategy, training(epochs=2), dropout=0.6)
    built_in = workshop.engine(members, dropout=0.6).fit(members, strategy, training(epochs=2))
    assert np.abs(little[0].test - much[0].test).max() > 1e-3
    np.testing.assert_array_equal(much[0].test, built_in[0].test)


def test_best_weights_are_those_of_the_lowest_validation_loss(workshop):
    members = workshop.members()
    engine = workshop.engine(members)
    keys = training(epochs=30, stop="early", start_from_epoch=3, patience=4, learning_rate=0.05)
    for member, outcome in zip(members, engine.fit(members, make_strategy("remix"), keys),
                               strict=True):  # fmt: skip
        y = workshop.y[member.validation]
        counts = np.bincount(y, minlength=3)
        own = -np.log(outcome.validation[np.arange(len(y)), y].astype(float))
        balanced = np.mean([own[y == c].mean() for c in range(3) if counts[c]])
        watched = outcome.monitor[3:]
        assert balanced == pytest.approx(watched.min(), rel=1e-4)
        if outcome.stopped == "patience":
            assert outcome.epochs == 3 + watched.argmin() + 1 + 4


def test_the_natural_monitor_is_the_plain_mean(workshop):
    members = workshop.members()
    keys = training(epochs=1, stop="early", start_from_epoch=0, monitor="natural")
    outcome = workshop.engine(members).fit(members, make_strategy("baseline"), keys)[0]
    y = workshop.y[members[0].validation]
    own = -np.log(outcome.validation[np.arange(len(y)), y].astype(float))
    assert outcome.monitor[0] == pytest.approx(own.mean(), rel=1e-5)


def test_a_diverged_member_fails_alone(workshop):
    """One member learns from rows that overflow; the others do not notice."""
    members, strategy = workshop.members(), make_strategy("baseline")
    clean = workshop.engine(members).fit(members, strategy, training(epochs=3))
    engine = workshop.engine(members)
    engine.scale[1] = np.nan
    outcomes = engine.fit(members, strategy, training(epochs=3))
    assert outcomes[1].failed == "training loss is not finite in epoch 1"
    assert outcomes[1].stopped == "failed"
    assert outcomes[1].epochs == 1
    for position in (0, 2):
        assert outcomes[position].failed == ""
        np.testing.assert_array_equal(outcomes[position].test, clean[position].test)


def test_missing_values_extremes_and_spread_are_handled_before_mixing():
    """Impute, standardise and clip each row, then blend: not the other way round."""
    workshop = Workshop()
    workshop.X[::7, 0] = np.nan
    workshop.X[3, 1] = 1e6
    members, strategy = workshop.members(), make_strategy("remix", 5.0)
    engine = workshop.engine(members)
    fill, centre, scale = 0.25, 1.5, 2.0
    engine.fill[:], engine.centre[:], engine.scale[:] = fill, centre, scale
    outcomes = engine.fit(members, strategy, training())
    X = np.where(np.isnan(workshop.X), fill, workshop.X)
    other = Workshop()
    other.X = np.clip((X - centre) / scale, -5, 5).astype(np.float32)
    plain = other.engine(members).fit(members, strategy, training())
    for one, expected in zip(outcomes, plain, strict=True):
        np.testing.assert_allclose(one.test, expected.test, atol=1e-5)


def test_epochs_are_reported_as_they_run(workshop):
    members = workshop.members()
    seen = []
    outcomes = workshop.engine(members, 2).fit(
        members, make_strategy("baseline"), training(epochs=3), on_epoch=seen.append
    )
    assert sum(seen) == sum(outcome.epochs for outcome in outcomes) == 9


def test_what_was_trained_on_is_counted_for_the_epochs_a_member_ran(workshop):
    members = workshop.members((64, 112, 80))
    outcomes = workshop.engine(members).fit(members, make_strategy("balance"), training(epochs=4))
    for outcome, steps in zip(outcomes, (4, 7, 5), strict=True):
        assert outcome.trained_on.epochs == 4
        assert outcome.trained_on.batches == 4 * steps
        np.testing.assert_allclose(outcome.trained_on.class_shares, 1 / 3, atol=0.05)


MANY = (
    ("baseline", None),
    ("cost-repo", None),
    ("smote", None),
    ("remix", 0.3),
    ("undersample", None),
    ("logit-adjusted", None),
)


def test_strategies_that_share_stacks_are_each_what_it_is_alone(workshop):
    """Bit for bit, in stacks that end in the middle of a strategy's members and are not full."""
    members, strategies = workshop.members((64, 112, 80)), [make_strategy(*one) for one in MANY]
    keys = training(epochs=6, stop="early", start_from_epoch=1, patience=2)
    engine = workshop.engine(members, 4)
    together = engine.fit(members, strategies, keys)
    assert len(together) == 18
    for number, strategy in enumerate(strategies):
        alone = engine.fit(members, strategy, keys)
        for one, other in zip(together[3 * number : 3 * number + 3], alone, strict=True):
            assert (one.epochs, one.stopped, one.failed) == (other.epochs, other.stopped, "")
            np.testing.assert_array_equal(one.test, other.test)
            np.testing.assert_array_equal(one.validation, other.validation)
            np.testing.assert_array_equal(one.loss, other.loss)
            assert one.trained_on.as_dict() == other.trained_on.as_dict()
    # Each strategy did what is its own.
    assert len({outcome.test.tobytes() for outcome in together}) == 18


def test_some_folds_under_several_strategies(workshop):
    members, strategies = workshop.members(), [make_strategy(name) for name in ("cost", "remix")]
    engine = workshop.engine(members)
    some = engine.fit(members, strategies, training(epochs=2), places=[2, 0])
    for number, strategy in enumerate(strategies):
        alone = engine.fit(members, strategy, training(epochs=2))
        np.testing.assert_array_equal(some[2 * number].test, alone[2].test)
        np.testing.assert_array_equal(some[2 * number + 1].test, alone[0].test)


def test_strategies_of_several_programs_are_refused(workshop):
    members = workshop.members()
    with pytest.raises(ValueError, match="several programs"):
        workshop.engine(members).fit(
            members, [make_strategy("remix"), make_strategy("focal")], training()
        )


def test_a_large_stack_draws_its_masks_in_shorter_chunks():
    assert prefetch.chunk_length(100, 1000) == prefetch.CHUNK
    assert prefetch.chunk_length(10, 1000) == 10
    # 400 networks of 128 + 64 units under dropout, batches of 128: 20 MB a step.
    values = 400 * 128 * 192
    assert prefetch.chunk_length(100, values) == 13
    assert values * 13 * 2 < 2**28
    assert prefetch.chunk_length(100, 2**40) == 1
    assert prefetch.chunk_length(100, 0) == prefetch.CHUNK
