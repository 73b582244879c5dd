"""The stacked engine against networks trained one at a time by other means."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from outcome_checks import assert_close, assert_same_bits, largest_difference
from reference_training import assert_same_weights, dense_reference, fit_by_keras
from small_problems import SmallProblem, forget_programs, short_training

from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import make_strategy, strategy_names
from remix_study.seeds import derive_seed
from remix_study.training import engine as engine_module
from remix_study.training.members import mean_outcome
from remix_study.training.pace import Pace


@pytest.fixture
def problem():
    return SmallProblem()


def compiled_by_keras(*layers):
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


def test_one_compilation_serves_all_strategies_alphas_and_rates_but_the_focal_loss(problem):
    """The first test of this file: those that follow train on its programs."""
    forget_programs()
    members = problem.members()
    engine = problem.engine(members)
    for name, alpha in (("baseline", None), ("remix", 0.1), ("remix", 0.7), ("smote", None)):
        engine.fit(members, make_strategy(name, alpha), short_training(epochs=2))
    engine.fit(members, make_strategy("cost"), short_training(learning_rate=0.01), dropout=0.3)
    plain = engine.fit(members, make_strategy("cost"), short_training(epochs=2))
    assert engine.program.traces == {"train": 1, "forward": 1, "choose": 0}
    focal = engine.fit(members, make_strategy("focal"), short_training(epochs=2))
    again = engine.fit(members, make_strategy("cost"), short_training(epochs=2))
    assert engine.program.traces == {"train": 2, "forward": 1, "choose": 0}
    assert_same_bits(again, plain)
    for outcome, plain_outcome in zip(focal, plain, strict=True):
        assert np.abs(outcome.test - plain_outcome.test).max() > 1e-3


@pytest.mark.parametrize("name", strategy_names())
def test_stacked_members_equal_networks_trained_alone(problem, name):
    """Weights and losses after two epochs, dropout included, for every strategy."""
    members, strategy = problem.members(), make_strategy(name)
    engine = problem.engine(members)
    outcomes = engine.fit(members, strategy, short_training(epochs=2))
    reference = dense_reference(5, (8, 6), 3)
    for position, member in enumerate(members):
        # This strategy is the baseline again, with other seeds.
        seed = derive_seed(member.seed, strategy.loss) if name == "cost-repo" else member.seed
        losses = reference.fit(
            problem,
            replace(member, seed=seed),
            strategy,
            epochs=2,
            weights=engine.network.initial_weights(seed),
        )
        assert_same_weights(engine.member_weights(position), reference.model, atol=1e-5)
        np.testing.assert_allclose(outcomes[position].loss, losses, rtol=1e-4)
        expected = keras.ops.softmax(reference.model(problem.prepared()[member.test]))
        np.testing.assert_allclose(outcomes[position].test, expected, atol=1e-5)


def test_a_stack_equals_model_fit_on_the_same_batches(problem):
    """Without dropout, which Keras draws differently."""
    members, strategy = problem.members(), make_strategy("remix")
    engine = problem.engine(members, dropout=0.0)
    engine.fit(members, strategy, short_training(epochs=1))
    X, Y = problem.prepared(), np.eye(3, dtype=np.float32)[problem.y]
    model = compiled_by_keras(
        keras.Input((5,)),
        keras.layers.Dense(8, "relu"),
        keras.layers.Dense(6, "relu"),
        keras.layers.Dense(3),
    )
    for position, member in enumerate(members):
        plan = plan_epoch(strategy, member.training, batch_size=16, seed=member.seed, epoch=0)
        share, first, second = plan.weight[..., None], plan.first, plan.second
        x = (share * X[first] + (1 - share) * X[second]).reshape(-1, X.shape[1])
        y = (share * Y[first] + (1 - share) * Y[second]).reshape(-1, 3)
        start = engine.network.initial_weights(member.seed)
        fit_by_keras(model, [w[0] if w.shape[0] == 1 else w for w in start], (x, y))
        assert_same_weights(engine.member_weights(position), model, atol=1e-5)


def test_members_with_fewer_steps_wait(problem):
    """Folds of unequal sizes: a member's weights do not move after its last step of an epoch."""
    members, strategy = problem.members((64, 96, 80)), make_strategy("baseline")
    engine = problem.engine(members)
    engine.fit(members, strategy, short_training(epochs=3))
    reference = dense_reference(5, (8, 6), 3)
    for position, member in enumerate(members):
        start = engine.network.initial_weights(member.seed)
        reference.fit(problem, member, strategy, epochs=3, weights=start)
        assert_same_weights(engine.member_weights(position), reference.model, atol=2e-5)


def test_an_epoch_of_several_calls_is_the_same_epoch(problem, monkeypatch):
    members, strategy = problem.members(), make_strategy("remix")
    one_call = problem.engine(members).fit(members, strategy, short_training(epochs=2))
    monkeypatch.setattr(Pace, "calls", lambda _, n_steps: iter([(0, 4), (4, n_steps)]))
    two_calls = problem.engine(members).fit(members, strategy, short_training(epochs=2))
    assert_same_bits(two_calls, one_call)


def test_rows_are_predicted_in_blocks_of_one_shape(problem, monkeypatch):
    members, strategy = problem.members((64, 96, 80)), make_strategy("baseline")
    one_block = problem.engine(members).fit(members, strategy, short_training())
    monkeypatch.setattr(engine_module, "_BLOCK", 7)
    blocks_of_7 = problem.engine(members).fit(members, strategy, short_training())
    assert_close(blocks_of_7, one_block, atol=1e-6)
    for outcome, member in zip(blocks_of_7, members, strict=True):
        assert outcome.test.shape == (len(member.test), 3)
        assert outcome.validation.shape == (len(member.validation), 3)


def test_what_a_member_is_stacked_with_does_not_matter(problem):
    """A stack of one, of two with padding, and of three give the same member."""
    members, strategy = problem.members(), make_strategy("smote")
    keys = short_training(epochs=6, stop="early", start_from_epoch=1, patience=2)
    in_one_stack = problem.engine(members, 3).fit(members, strategy, keys)
    for stack in (1, 2):
        outcomes = problem.engine(members, stack).fit(members, strategy, keys)
        assert_close(outcomes, in_one_stack, atol=1e-5)


def test_a_second_trial_starts_afresh_and_repeats_bit_for_bit(problem):
    members = problem.members()
    engine = problem.engine(members)
    first = engine.fit(members, make_strategy("remix", 0.3), short_training(epochs=2))
    engine.fit(members, make_strategy("cost"), short_training(epochs=3))
    again = engine.fit(members, make_strategy("remix", 0.3), short_training(epochs=2))
    assert_same_bits(again, first)


def test_dropout_is_an_input_and_acts(problem):
    members, strategy = problem.members(), make_strategy("baseline")
    engine = problem.engine(members)
    little = engine.fit(members, strategy, short_training(epochs=2), dropout=0.1)
    much = engine.fit(members, strategy, short_training(epochs=2), dropout=0.6)
    assert largest_difference(little, much) > 1e-3
    # A network built at that rate has it where none is given.
    engine.network = problem.engine(members, dropout=0.6, fresh=True).network
    assert_same_bits(engine.fit(members, strategy, short_training(epochs=2)), much)


def test_best_weights_are_those_of_the_lowest_validation_loss(problem):
    members = problem.members()
    engine = problem.engine(members)
    keys = short_training(
        epochs=30, stop="early", start_from_epoch=3, patience=4, learning_rate=0.05
    )
    for member, outcome in zip(members, engine.fit(members, make_strategy("remix"), keys),
                               strict=True):  # fmt: skip
        y = problem.y[member.validation]
        counts = np.bincount(y, minlength=3)
        losses = -np.log(outcome.validation[np.arange(len(y)), y].astype(float))
        balanced = np.mean([losses[y == c].mean() for c in range(3) if counts[c]])
        watched = outcome.monitor[3:]
        assert balanced == pytest.approx(watched.min(), rel=1e-4)
        if outcome.stopped == "patience":
            assert outcome.epochs == 3 + watched.argmin() + 1 + 4


def test_the_natural_monitor_is_the_plain_mean(problem):
    members = problem.members()
    keys = short_training(epochs=1, stop="early", start_from_epoch=0, monitor="natural")
    outcome = problem.engine(members).fit(members, make_strategy("baseline"), keys)[0]
    y = problem.y[members[0].validation]
    losses = -np.log(outcome.validation[np.arange(len(y)), y].astype(float))
    assert outcome.monitor[0] == pytest.approx(losses.mean(), rel=1e-5)


def test_a_diverged_member_fails_alone(problem):
    """One member learns from rows that overflow; the others do not notice."""
    members, strategy = problem.members(), make_strategy("baseline")
    clean = problem.engine(members).fit(members, strategy, short_training(epochs=3))
    engine = problem.engine(members)
    engine.scale[1] = np.nan
    outcomes = engine.fit(members, strategy, short_training(epochs=3))
    assert outcomes[1].failed == "training loss is not finite in epoch 1"
    assert outcomes[1].stopped == "failed"
    assert outcomes[1].epochs == 1
    assert_same_bits(outcomes[::2], clean[::2])
    assert [outcome.failed for outcome in clean] == ["", "", ""]


def test_missing_values_extremes_and_spread_are_handled_before_mixing():
    """Impute, standardise and clip each row, then blend: not the other way round."""
    problem = SmallProblem()
    problem.X[::7, 0] = np.nan
    problem.X[3, 1] = 1e6
    members, strategy = problem.members(), make_strategy("remix", 5.0)
    engine = problem.engine(members)
    fill, centre, scale = 0.25, 1.5, 2.0
    engine.fill[:], engine.centre[:], engine.scale[:] = fill, centre, scale
    outcomes = engine.fit(members, strategy, short_training())
    X = np.where(np.isnan(problem.X), fill, problem.X)
    prepared = SmallProblem()
    prepared.X = np.clip((X - centre) / scale, -5, 5).astype(np.float32)
    expected = prepared.engine(members).fit(members, strategy, short_training())
    assert_close(outcomes, expected, atol=1e-5)


def test_epochs_are_reported_as_they_run(problem):
    members = problem.members()
    members_that_ran = []
    outcomes = problem.engine(members, 2).fit(
        members,
        make_strategy("baseline"),
        short_training(epochs=3),
        on_epoch=members_that_ran.append,
    )
    # Two stacks, the second of one member.
    assert sorted(members_that_ran) == [1, 1, 1, 2, 2, 2]
    assert [outcome.epochs for outcome in outcomes] == [3, 3, 3]


def test_what_was_trained_on_is_counted_for_the_epochs_a_member_ran(problem):
    members = problem.members((64, 96, 80))
    outcomes = problem.engine(members).fit(
        members, make_strategy("balance"), short_training(epochs=4)
    )
    for outcome, steps in zip(outcomes, (4, 6, 5), strict=True):
        assert outcome.trained_on.epochs == 4
        assert outcome.trained_on.batches == 4 * steps
        np.testing.assert_allclose(outcome.trained_on.class_shares, 1 / 3, atol=0.05)


STRATEGIES = (
    ("baseline", None),
    ("cost-repo", None),
    ("smote", None),
    ("remix", 0.3),
    ("logit-adjusted", None),
)


def test_strategies_that_share_stacks_are_each_what_it_is_alone(problem):
    """Bit for bit, in stacks that end in the middle of a strategy's members and are not full."""
    members, strategies = problem.members((64, 96, 80)), [make_strategy(*s) for s in STRATEGIES]
    keys = short_training(epochs=6, stop="early", start_from_epoch=1, patience=2)
    engine = problem.engine(members, 2)
    outcomes = engine.fit(members, strategies, keys)
    assert [outcome.failed for outcome in outcomes] == [""] * 15
    for number, strategy in enumerate(strategies):
        expected = engine.fit(members, strategy, keys)
        assert_same_bits(outcomes[3 * number : 3 * number + 3], expected)
    # No two strategies or members trained alike.
    assert len({outcome.test.tobytes() for outcome in outcomes}) == 15


def test_some_folds_under_several_strategies(problem):
    members, strategies = problem.members(), [make_strategy(name) for name in ("cost", "remix")]
    engine = problem.engine(members)
    outcomes = engine.fit(members, strategies, short_training(epochs=2), places=[2, 0])
    for number, strategy in enumerate(strategies):
        expected = engine.fit(members, strategy, short_training(epochs=2))
        assert_same_bits(outcomes[2 * number : 2 * number + 2], [expected[2], expected[0]])


def test_strategies_of_several_programs_are_refused(problem):
    members = problem.members()
    with pytest.raises(ValueError, match="several programs"):
        problem.engine(members).fit(
            members, [make_strategy("remix"), make_strategy("focal")], short_training()
        )


def test_an_ensemble_has_the_mean_probabilities_of_its_networks(problem):
    members, strategy, keys = (
        problem.members(),
        make_strategy("remix", 0.3),
        short_training(epochs=2),
    )
    engine = problem.engine(members)
    alone = engine.fit(members, strategy, keys)
    several = (strategy, make_strategy("cost"))
    ensembles = engine.fit(members, several, keys, ensemble=3)
    assert_same_bits(engine.fit(members, strategy, keys, ensemble=1), alone)
    seeds = [[derive_seed(m.seed, "ensemble", number) for m in members] for number in (1, 2)]
    separately = [
        engine.fit(
            [replace(m, seed=s) for m, s in zip(members, member_seeds, strict=True)],
            strategy,
            keys,
        )
        for member_seeds in seeds
    ]
    for position, outcome in enumerate(ensembles[:3]):
        networks = [alone[position], *(outcomes[position] for outcomes in separately)]
        assert not np.array_equal(networks[0].test, networks[1].test)
        for part in ("validation", "test"):
            mean = np.mean([getattr(n, part).astype(np.float64) for n in networks], axis=0)
            np.testing.assert_array_equal(getattr(outcome, part), mean.astype(np.float32))
        # The first one is what is trained without an ensemble.
        np.testing.assert_array_equal(outcome.loss, alone[position].loss)
        assert outcome.epochs == alone[position].epochs
    assert len(ensembles) == 6
    assert not np.array_equal(ensembles[3].test, ensembles[0].test)


def test_an_ensemble_fails_with_one_of_its_networks(problem):
    outcomes = problem.engine(problem.members()).fit(
        problem.members(), make_strategy("baseline"), short_training()
    )
    failed = replace(
        outcomes[1], failed="training loss is not finite in epoch 1", stopped="failed"
    )
    assert mean_outcome([outcomes[0], failed]).failed == failed.failed
    assert not mean_outcome([outcomes[0], outcomes[0]]).failed
