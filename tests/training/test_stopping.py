"""Schedules and stopping against Keras' own callbacks, replayed on the same histories."""

from __future__ import annotations

import keras
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import short_training

from remix_study.training.stopping import StoppingSchedule, first_epoch_to_choose

HISTORIES = st.lists(
    st.floats(0.001, 2.0, allow_nan=False).map(lambda v: round(v, 3)), min_size=1, max_size=60
)


def by_epochs(epochs, start, patience):
    keys = {"epochs": epochs, "start_from_epoch": start, "patience": patience}
    return short_training(stop="early", **keys)


class StubModel:
    """What a Keras callback needs of a model."""

    def __init__(self):
        self.optimizer = keras.optimizers.SGD(1e-3)
        self.stop_training = False
        self.best = None
        self.epoch = 0

    def get_weights(self):
        return [self.epoch]

    def set_weights(self, weights):
        self.best = weights[0]


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_plateau_follows_keras(history):
    keys = short_training(epochs=1000, schedule="plateau", lowest_rate=1e-5)
    schedule = StoppingSchedule(keys, np.ones(1, int), 1)
    model = StubModel()
    callback = keras.callbacks.ReduceLROnPlateau("loss", factor=0.2, patience=5, min_lr=1e-5)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(history):
        callback.on_epoch_end(epoch, {"loss": loss})
        schedule.update(np.array([loss]), None)
        np.testing.assert_allclose(
            schedule.rates[0], float(model.optimizer.learning_rate), rtol=1e-5
        )


@settings(max_examples=60, deadline=None)
@given(HISTORIES, st.integers(0, 8), st.integers(1, 6))
def test_early_stopping_follows_keras(history, start, patience):
    keys = by_epochs(1000, start, patience)
    schedule = StoppingSchedule(keys, np.ones(1, int), 1)
    model = StubModel()
    callback = keras.callbacks.EarlyStopping(
        "val_loss", patience=patience, restore_best_weights=True, start_from_epoch=start
    )
    callback.set_model(model)
    callback.on_train_begin()
    best = None
    for epoch, loss in enumerate(history):
        model.epoch = epoch
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if schedule.update(np.array([0.1]), np.array([loss]))[0]:
            best = epoch
        assert schedule.running[0] == (not model.stop_training)
        if model.stop_training:
            assert schedule.stopped[0] == "patience"
            assert schedule.epochs[0] == epoch + 1
            callback.on_train_end()
            assert model.best == best
            return


def test_training_at_the_lowest_rate_ends_without_relative_gain():
    keys = short_training(
        epochs=500, schedule="plateau", stop="lowest-rate", patience=3, learning_rate=1e-4,
        lowest_rate=1e-5, plateau_patience=2, plateau_factor=0.1,
    )  # fmt: skip
    schedule = StoppingSchedule(keys, np.ones(1, int), 1)
    # Epoch 1 sets the best; 2 and 3 do not gain: the rate falls to the lowest. There epoch 4
    # gains 1e-2 relative, 5 to 7 gain 5e-5 each, which is less than 1e-4.
    losses = [1.0, 1.0, 1.0, 0.99, 0.99 * (1 - 5e-5), 0.99 * (1 - 6e-5), 0.99 * (1 - 7e-5)]
    for number, loss in enumerate(losses, 1):
        assert schedule.running[0]
        schedule.update(np.array([loss]), None)
        assert (schedule.rates[0] == 1e-5) == (number >= 3)
    assert not schedule.running[0]
    assert schedule.stopped[0] == "lowest rate"


def test_each_member_goes_by_its_own_history():
    """Three histories at once end as each would alone."""
    rng = np.random.default_rng(3)
    histories = rng.uniform(0.1, 1, (40, 3))
    keys = by_epochs(40, 2, 4)
    of_three = StoppingSchedule(keys, np.ones(3, int), 3)
    improved = [of_three.update(np.ones(3), losses) for losses in histories]
    for member in range(3):
        of_one = StoppingSchedule(keys, np.ones(1, int), 1)
        for epoch, losses in enumerate(histories):
            assert of_one.update(np.ones(1), losses[[member]])[0] == improved[epoch][member]
        assert of_one.epochs[0] == of_three.epochs[member]
        assert of_one.stopped[0] == of_three.stopped[member]


def test_losses_are_compared_after_as_many_steps_in_small_and_large_tables():
    """60 steps are 60, 30, 9 or 2 epochs; the best loss before them is not chosen."""
    keys = short_training(epochs=70, stop="early", start_from_step=60, patience=100)
    steps = np.array([1, 2, 7, 55])
    assert first_epoch_to_choose(keys, steps).tolist() == [61, 31, 10, 3]
    schedule = StoppingSchedule(keys, steps, 4)
    improved = np.array([schedule.update(np.ones(4), np.ones(4) * n) for n in range(1, 71)])
    assert [np.flatnonzero(column).tolist() for column in improved.T] == [[60], [30], [9], [2]]


def test_the_last_epoch_may_always_be_chosen():
    keys = short_training(epochs=5, stop="early", start_from_step=60)
    assert first_epoch_to_choose(keys, np.array([1, 100])).tolist() == [5, 2]


def test_padding_never_runs_and_the_last_epoch_ends_the_rest():
    schedule = StoppingSchedule(short_training(epochs=2), np.ones(4, int), 3)
    assert schedule.running.tolist() == [True, True, True, False]
    schedule.update(np.array([1, np.inf, 1, np.nan]), None)
    assert schedule.running.tolist() == [True, False, True, False]
    assert schedule.failed == ["", "training loss is not finite in epoch 1", "", ""]
    schedule.update(np.ones(4), None)
    assert not schedule.running.any()
    assert schedule.epochs.tolist() == [2, 1, 2, 0]
    assert schedule.stopped == ["epochs", "failed", "epochs", ""]
