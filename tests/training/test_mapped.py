"""Any network in a stack: members mapped by JAX, against the same members one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from outcome_checks import assert_close
from small_images import SmallImages
from small_problems import short_training

from remix_study.batches.strategies import make_strategy
from remix_study.studyfile.schema import Model, Training
from remix_study.training import stacks
from remix_study.training.engine import Engine

FOLDERS = (os.path.dirname(__file__), os.path.dirname(os.path.dirname(__file__)))


def normalised(input_shape, n_classes):
    """A network with batch normalisation and Keras' own dropout, which have a state."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(3, 3, activation="relu"),
            layers.BatchNormalization(momentum=0.5),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(n_classes),
        ]
    )


def mapped(engine: Engine, stack: int) -> Engine:
    """The same engine with a stack of members."""
    return Engine(
        replace(engine.network, stack=stack, is_mapped=True),
        engine.X,
        engine.y,
        engine.n_classes,
        engine.fill,
        engine.centre,
        engine.scale,
        jit=False,
        augmentation=engine.augmentation,
    )


def check_parity(name, strategies, epochs, *, atol):
    """Three members of unequal sizes, in stacks of two: the second is padded."""
    images = SmallImages()
    members = images.members((48, 64, 48))
    one_by_one = images.engine(members, name=name)
    strategies = [make_strategy(strategy) for strategy in strategies]
    training = short_training(epochs=epochs, patience=1, stop="early", start_from_epoch=0)
    expected = one_by_one.fit(members, strategies, training)
    engine = mapped(one_by_one, 2)
    outcomes = engine.fit(members, strategies, training)
    assert_close(outcomes, expected, atol=atol)
    for member in range(len(members) * len(strategies)):
        pairs = zip(engine.member_weights(member), one_by_one.member_weights(member), strict=True)
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours, theirs, atol=10 * atol)


def run_on_jax(code: str) -> None:
    """Run a line of this module in a process whose backend is JAX."""
    pytest.importorskip("jax")
    path = os.pathsep.join([*FOLDERS, *sys.path])
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": path}
    lines = f"import test_mapped as t\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", lines], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_images_side_by_side_are_those_one_at_a_time():
    run_on_jax(
        "t.check_parity('cnn', ['remix', 'smote'], 1, atol=1e-5)\n"
        "t.check_parity('cnn', ['remix-aug'], 2, atol=1e-4)\n"
        "t.check_parity('test_mapped:normalised', ['baseline'], 2, atol=1e-4)\n"
        "t.check_where_members_are_mapped()\n"
    )


def check_where_members_are_mapped() -> None:
    """On an accelerator, or where a study file gives the stack."""
    cnn, mlp = Model("cnn"), Model("mlp")
    assert not stacks.can_stack(cnn, Training())
    assert stacks.can_stack(cnn, Training(stack=4))
    assert stacks.can_stack(mlp, Training())


def test_tensorflow_stacks_dense_networks_only():
    assert not stacks.can_stack(Model("cnn"), Training(stack=4))
    assert stacks.can_stack(Model("mlp"), Training())
