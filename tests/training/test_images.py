"""Images in the engine: the convolutional network, and augmentation inside the program."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from small_images import SMALL, Gallery
from small_problems import Workshop, training

from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import compose, make_strategy, strategy_names
from remix_study.batches.training_rows import TrainingRows
from remix_study.errors import UsageError
from remix_study.training.random_streams import augmentation_seeds

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def gallery():
    return Gallery()


def fitted(network, member, x, y, batch_size=16):
    """Keras' own ``fit`` on given batches, from the member's first weights."""
    model = keras.models.clone_model(network.train)
    model.set_weights(network.initial_weights(member.seed))
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    history = model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
    return model, history.history["loss"][0]


@pytest.mark.parametrize("name", ["baseline", "smote", "remix", "augment", "remix-aug"])
def test_it_equals_model_fit_on_the_same_batches(gallery, name):
    """Weights, losses and probabilities; augmented batches are augmented outside the engine."""
    members, strategy = gallery.members(), make_strategy(name)
    engine = gallery.engine(members)
    outcomes = engine.fit(members, strategy, training())
    for position, member in enumerate(members):
        augmentation = engine.augmentation if strategy.augment else None
        x, y = gallery.batches(member, strategy, augmentation)
        model, loss = fitted(engine.network, member, x, y)
        for mine, theirs in zip(engine.member_weights(position), model.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=3e-5)
        assert outcomes[position].loss[0] == pytest.approx(loss, rel=1e-3)
        # Validation and test images are as they are, under every strategy.
        for part in ("validation", "test"):
            rows = gallery.X[getattr(member, part)].astype(np.float32) / 255
            expected = keras.ops.softmax(model.predict(rows, verbose=0))
            np.testing.assert_allclose(getattr(outcomes[position], part), expected, atol=1e-4)


def test_the_second_epoch_is_augmented_afresh(gallery):
    members, strategy = gallery.members((64,)), make_strategy("augment")
    engine = gallery.engine(members)
    engine.fit(members, strategy, training(epochs=2))
    model = keras.models.clone_model(engine.network.train)
    model.set_weights(engine.network.initial_weights(members[0].seed))
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    for epoch in range(2):
        x, y = gallery.batches(members[0], strategy, engine.augmentation, epoch)
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    for mine, theirs in zip(engine.member_weights(0), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=5e-5)


def test_it_repeats_bit_for_bit_whatever_it_is_trained_beside(gallery):
    members, strategy = gallery.members(), make_strategy("remix-aug")
    keys = training(epochs=3, stop="early", start_from_epoch=0, patience=3)
    engine = gallery.engine(members)
    first = engine.fit(members, strategy, keys)
    engine.fit(members, make_strategy("cost"), keys)
    engine.cores = 1
    again = engine.fit(members, strategy, keys)
    alone = engine.fit(members[1:], strategy, keys)
    elsewhere = gallery.engine(members).fit(members, strategy, keys)
    for position, outcome in enumerate(first):
        for other in (again[position], elsewhere[position]):
            np.testing.assert_array_equal(outcome.test, other.test)
            np.testing.assert_array_equal(outcome.loss, other.loss)
    np.testing.assert_array_equal(alone[0].test, first[1].test)


def test_one_program_with_and_one_without_augmentation(gallery):
    members = gallery.members()
    engine = gallery.engine(members)
    for name in strategy_names(images=True):
        engine.fit(members, make_strategy(name), training())
    # The focal loss has a program of its own, and so has augmentation of one row or of two.
    assert engine.program.traces == {"train": 4, "forward": 1, "choose": 0}


def test_mixing_is_off_where_alpha_is_and_augmentation_is_not(gallery):
    members = gallery.members((64,))
    engine = gallery.engine(members)
    found = {
        name: engine.fit(members, make_strategy(name, alpha), training())[0].test
        for name, alpha in (("augment", None), ("balance", None), ("remix", None))
    }
    zero = engine.fit(members, make_strategy("remix-aug", 0), training())[0].test
    np.testing.assert_array_equal(zero, found["augment"])
    assert np.abs(found["augment"] - found["balance"]).max() > 1e-3
    assert np.abs(found["augment"] - found["remix"]).max() > 1e-3


def test_a_pipeline_without_draws_acts_too(gallery):
    """Every training image is turned over, and no other: as if the training rows were so."""
    members = gallery.members((64,))
    engine = gallery.engine(members, augmentation="small_images:always")
    assert engine.augmentation.generators == 0
    turned = engine.fit(members, make_strategy("augment"), training())
    other = Gallery()
    rows = members[0].training.rows
    other.X[rows] = other.X[rows, ::-1]
    expected = other.engine(members).fit(members, make_strategy("balance"), training())
    np.testing.assert_allclose(turned[0].test, expected[0].test, atol=1e-5)


def test_pixels_stay_bytes(gallery):
    engine = gallery.engine(gallery.members())
    assert "uint8" in str(engine.data.X.dtype)


def test_smote_finds_the_neighbours_of_the_flat_images(gallery):
    member = gallery.members((96,))[0]
    flat = (gallery.X[member.training.rows] / np.float32(255)).reshape(96, -1)
    same = TrainingRows(member.training.rows, member.training.y, 3, lambda: flat)
    strategy = make_strategy("smote")
    plans = [
        plan_epoch(strategy, rows, batch_size=16, seed=5, epoch=0)
        for rows in (member.training, same)
    ]
    np.testing.assert_array_equal(plans[0].first, plans[1].first)
    np.testing.assert_array_equal(plans[0].second, plans[1].second)
    assert (plans[0].first != plans[0].second).any()


def test_smote_augments_both_rows_of_a_blend(gallery):
    members, strategy = gallery.members((64,)), compose("smote", augment=True)
    engine = gallery.engine(members)
    engine.fit(members, strategy, training())
    x, y = gallery.batches(members[0], strategy, engine.augmentation)
    model, _ = fitted(engine.network, members[0], x, y)
    for mine, theirs in zip(engine.member_weights(0), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=3e-5)


def test_seeds_are_a_members_own_and_all_different():
    both = augmentation_seeds([3, 4], epoch=2, steps=50, generators=2)
    assert both.shape == (50, 2, 2, 2, 2)
    np.testing.assert_array_equal(both[:, 1:], augmentation_seeds([4], 2, 50, 2))
    # A longer epoch begins alike, so that a member does not depend on the longest beside it.
    np.testing.assert_array_equal(augmentation_seeds([3, 4], 2, 70, 2)[:50], both)
    seeds = [tuple(seed) for seed in both.reshape(-1, 2)]
    other = [tuple(seed) for seed in augmentation_seeds([3, 4], 3, 50, 2).reshape(-1, 2)]
    assert len(set(seeds + other)) == 800
    assert augmentation_seeds([3, 4], 2, 50, None).shape == (50, 2, 0, 0, 2)
    # Where rows are not blended, the first are transformed as if they were.
    np.testing.assert_array_equal(augmentation_seeds([3, 4], 2, 50, 2, 1), both[:, :, :1])


def test_tables_are_not_augmented():
    workshop = Workshop()
    members = workshop.members()
    with pytest.raises(UsageError, match='strategy "augment" augments images, and these are rows'):
        workshop.engine(members).fit(members, make_strategy("augment"), training())


def test_members_with_fewer_steps_and_longer_epochs_than_a_chunk(gallery, monkeypatch):
    from remix_study.training import prefetch

    members, strategy = gallery.members((64, 48)), make_strategy("remix-aug")
    engine = gallery.engine(members)
    whole = engine.fit(members, strategy, training(epochs=2))
    monkeypatch.setattr(prefetch, "CHUNK", 3)
    parts = gallery.engine(members).fit(members, strategy, training(epochs=2))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.test, other.test, atol=1e-5)


def test_a_network_for_colours_refuses_grey_images():
    grey = Gallery(shape=(12, 10, 1))
    with pytest.raises(
        UsageError, match=r"takes rows of shape \(12, 10, 3\), but .* \(12, 10, 1\)"
    ):
        grey.engine(grey.members(), name="small_images:rgb_only")
    assert SMALL["dense"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_another_process_and_jax(backend, tmp_path):
    """The same bits elsewhere; JAX trains the same network, but draws other transformations."""
    pytest.importorskip(backend)
    spec = importlib.util.spec_from_file_location("image_runs", HERE / "image_runs.py")
    runs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runs)
    subprocess.run(
        [sys.executable, str(HERE / "image_runs.py"), str(tmp_path / "there.npz")],
        env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
    )
    here, there = runs.results(), np.load(tmp_path / "there.npz")
    assert set(here) == set(there)
    for name, array in here.items():
        if backend == "tensorflow":
            np.testing.assert_array_equal(there[name], array)
        elif name.startswith(runs.PLAIN) and not name.startswith(runs.AUGMENTED):
            np.testing.assert_allclose(there[name], array, atol=2e-5)
        else:
            assert np.abs(there[name] - array).max() > 1e-3
