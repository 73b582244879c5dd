"""What a user's own code may do to the process: it is one line, or has no effect."""

from __future__ import annotations

import random
import signal

import keras
import numpy as np
import pytest

from remix_study.errors import UsageError
from remix_study.models.custom import build_custom, register_builder
from remix_study.models.user_code import check_keras_settings, keras_settings
from remix_study.study.background import in_background
from remix_study.study.signals import Signals, Stopped
from remix_study.training.backend import load_networks


def built_with(action):
    """The network of a builder that does something else, too."""

    def build(input_shape, n_classes):
        action()
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_classes)])

    return build_custom(register_builder(build), (4,), 2, {})


def raise_error():
    raise LookupError("no weights\nin this folder")


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: exit(7), r"cannot be built \(SystemExit: 7\)"),
        (raise_error, r"cannot be built \(LookupError: no weights in this folder\)"),
        (lambda: keras.config.set_floatx("float64"), "sets keras.config.floatx to float64"),
        (
            lambda: keras.config.set_dtype_policy("mixed_bfloat16"),
            "dtype_policy to mixed_bfloat16 .* studies train with float32",
        ),
    ],
)
def test_what_is_refused(action, words):
    before = keras_settings()
    with pytest.raises(UsageError, match=words) as error:
        built_with(action)
    assert "\n" not in str(error.value)
    assert {k: str(v) for k, v in keras_settings().items()} == {
        k: str(v) for k, v in before.items()
    }


def interrupt():
    raise KeyboardInterrupt


@pytest.fixture
def default_handler():
    """Python's own, which a process that was started in the background of a shell has not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_handler")
def test_an_interrupt_of_a_builder_is_one_line_and_that_of_a_person_goes_through():
    with pytest.raises(KeyboardInterrupt):
        built_with(interrupt)
    with pytest.raises(UsageError, match=r"cannot be built \(KeyboardInterrupt\)"):
        in_background(lambda: built_with(interrupt))
    with Signals().installed():
        with pytest.raises(UsageError, match=r"cannot be built \(KeyboardInterrupt\)"):
            built_with(interrupt)
        with pytest.raises(Stopped):
            built_with(lambda: signal.raise_signal(signal.SIGTERM))


def test_seeds_that_a_builder_sets_do_not_leave_it():
    random.seed(3)
    np.random.seed(3)
    expected = random.Random(3).random(), np.random.RandomState(3).rand()
    built_with(lambda: keras.utils.set_random_seed(0))
    assert (random.random(), np.random.rand()) == expected


class Lazy(keras.Model):
    """Makes its layer when it is first called."""

    def build(self, shape):
        self.layer = keras.layers.Dense(2)
        self.layer.build(shape)
        self.built = True

    def call(self, x):
        return self.layer(x)


def test_weights_that_are_drawn_late_come_from_the_seed_too():
    name = register_builder(lambda *_: Lazy())
    first, second = (build_custom(name, (4,), 2, {}) for _ in range(2))
    expected = first.initial_weights(5)
    random.seed(8)
    np.random.seed(8)
    for result, value in zip(second.initial_weights(5), expected, strict=True):
        np.testing.assert_array_equal(result, value)
    assert not np.array_equal(second.initial_weights(6)[0], expected[0])


def test_settings_of_keras_that_studies_cannot_train_with_are_one_line(monkeypatch):
    load_networks()
    monkeypatch.setattr(keras.config, "floatx", lambda: "float64")
    with pytest.raises(UsageError, match=r"floatx is float64, and studies need float32: set it"):
        check_keras_settings()
