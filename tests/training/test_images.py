"""Images in the engine: the convolutional network, and augmentation inside the program."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from outcome_checks import assert_close, assert_same_bits
from reference_training import assert_same_weights, fit_by_keras
from small_images import SmallImages, forget_programs
from small_problems import SmallProblem, short_training

from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import compose, make_strategy, strategy_names
from remix_study.batches.training_rows import TrainingRows
from remix_study.errors import UsageError
from remix_study.training.pace import Pace


@pytest.fixture(scope="module")
def images():
    return SmallImages()


@pytest.fixture(scope="module")
def reference(images):
    """The same network as the engine's, compiled by Keras."""
    model = keras.models.clone_model(images.engine(images.members()).network.train)
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


def test_one_program_with_and_one_without_augmentation(images):
    """The first test of this file: those that follow train on its programs."""
    forget_programs()
    members = images.members()
    engine = images.engine(members)
    for name in strategy_names(images=True):
        engine.fit(members, make_strategy(name), short_training())
    # The focal loss has a program of its own, and so has augmentation of one row or of two.
    assert engine.program.traces == {"train": 4, "forward": 1, "choose": 0}


@pytest.mark.parametrize("name", ["baseline", "smote", "remix", "augment", "remix-aug"])
def test_it_equals_model_fit_on_the_same_batches(images, reference, name):
    """Weights, losses and probabilities; augmented batches are augmented outside the engine."""
    members, strategy = images.members(), make_strategy(name)
    engine = images.engine(members)
    outcomes = engine.fit(members, strategy, short_training())
    for position, member in enumerate(members):
        augmentation = engine.augmentation if strategy.augment else None
        batches = images.batches(member, strategy, augmentation)
        start = engine.network.initial_weights(member.seed)
        (loss,) = fit_by_keras(reference, start, batches)
        assert_same_weights(engine.member_weights(position), reference, atol=3e-5)
        assert outcomes[position].loss[0] == pytest.approx(loss, rel=1e-3)
        # Validation and test images are as they are, under every strategy.
        for part in ("validation", "test"):
            rows = images.X[getattr(member, part)].astype(np.float32) / 255
            expected = keras.ops.softmax(reference(rows))
            np.testing.assert_allclose(getattr(outcomes[position], part), expected, atol=1e-4)


def test_the_second_epoch_is_augmented_afresh(images, reference):
    members, strategy = images.members((64,)), make_strategy("augment")
    engine = images.engine(members)
    engine.fit(members, strategy, short_training(epochs=2))
    epochs = [
        images.batches(members[0], strategy, engine.augmentation, epoch) for epoch in range(2)
    ]
    fit_by_keras(reference, engine.network.initial_weights(members[0].seed), *epochs)
    assert_same_weights(engine.member_weights(0), reference, atol=5e-5)


def test_it_repeats_bit_for_bit_whatever_it_is_trained_beside(images):
    members, strategy = images.members(), make_strategy("remix-aug")
    keys = short_training(epochs=3, stop="early", start_from_epoch=0, patience=3)
    engine = images.engine(members)
    first = engine.fit(members, strategy, keys)
    engine.fit(members, make_strategy("cost"), keys)
    engine.cores = 1
    assert_same_bits(engine.fit(members, strategy, keys), first)
    assert_same_bits(engine.fit(members[1:], strategy, keys), first[1:])
    compiled_again = images.engine(members, fresh=True)
    assert_same_bits(compiled_again.fit(members, strategy, keys), first)


def test_mixing_is_off_where_alpha_is_and_augmentation_is_not(images):
    members = images.members((64,))
    engine = images.engine(members)
    test = {
        name: engine.fit(members, make_strategy(name, alpha), short_training())[0].test
        for name, alpha in (("augment", None), ("balance", None), ("remix", None))
    }
    zero = engine.fit(members, make_strategy("remix-aug", 0), short_training())[0].test
    np.testing.assert_array_equal(zero, test["augment"])
    assert np.abs(test["augment"] - test["balance"]).max() > 1e-3
    assert np.abs(test["augment"] - test["remix"]).max() > 1e-3


def test_a_pipeline_without_draws_acts_too(images):
    """Training images are turned upside down, and no others."""
    members = images.members((64,))
    engine = images.engine(members, augmentation="small_images:always")
    assert engine.augmentation.generators == 0
    turned = engine.fit(members, make_strategy("augment"), short_training())
    upside_down = SmallImages()
    rows = members[0].training.rows
    upside_down.X[rows] = upside_down.X[rows, ::-1]
    engine = upside_down.engine(members)
    expected = engine.fit(members, make_strategy("balance"), short_training())
    assert_close(turned, expected, atol=1e-5)


def test_pixels_stay_bytes(images):
    engine = images.engine(images.members())
    assert "uint8" in str(engine.data.X.dtype)


def test_smote_finds_the_neighbours_of_the_flat_images(images):
    member = images.members((96,))[0]
    flat = (images.X[member.training.rows] / np.float32(255)).reshape(96, -1)
    same = TrainingRows(member.training.rows, member.training.y, 3, lambda: flat)
    strategy = make_strategy("smote")
    plans = [
        plan_epoch(strategy, rows, batch_size=16, seed=5, epoch=0)
        for rows in (member.training, same)
    ]
    np.testing.assert_array_equal(plans[0].first, plans[1].first)
    np.testing.assert_array_equal(plans[0].second, plans[1].second)
    assert (plans[0].first != plans[0].second).any()


def test_smote_augments_both_rows_of_a_blend(images, reference):
    members, strategy = images.members((64,)), compose("smote", augment=True)
    engine = images.engine(members)
    engine.fit(members, strategy, short_training())
    batches = images.batches(members[0], strategy, engine.augmentation)
    fit_by_keras(reference, engine.network.initial_weights(members[0].seed), batches)
    assert_same_weights(engine.member_weights(0), reference, atol=3e-5)


def test_tables_are_not_augmented():
    problem = SmallProblem()
    members = problem.members()
    with pytest.raises(UsageError, match='strategy "augment" augments images, and these are rows'):
        problem.engine(members).fit(members, make_strategy("augment"), short_training())


def test_members_with_fewer_steps_and_epochs_of_several_calls(images, monkeypatch):
    members, strategy = images.members((64, 48)), make_strategy("remix-aug")
    engine = images.engine(members)
    one_call = engine.fit(members, strategy, short_training(epochs=2))
    monkeypatch.setattr(Pace, "calls", lambda _, n: iter([(0, 3), (3, n)]))
    two_calls = images.engine(members).fit(members, strategy, short_training(epochs=2))
    assert_close(two_calls, one_call, atol=1e-5)


def test_a_network_for_colours_refuses_grey_images():
    grey = SmallImages(shape=(12, 10, 1))
    with pytest.raises(
        UsageError, match=r"takes rows of shape \(12, 10, 3\), but .* \(12, 10, 1\)"
    ):
        grey.engine(grey.members(), name="small_images:rgb_only")
