"""Any network in a stack: members mapped by JAX, against the same members one at a time.

jax_checks.py calls what needs JAX.
"""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
from mixed_tables import MixedProblem
from outcome_checks import assert_close
from small_images import SmallImages
from small_problems import short_training

from remix_study.batches.strategies import make_strategy
from remix_study.studyfile.schema import Model, Training
from remix_study.training import stacks
from remix_study.training.engine import Engine


def normalised(input_shape, n_classes):
    """A network with batch normalisation and Keras' own dropout, which have a state."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(),
            layers.Dense(4, activation="relu"),
            layers.BatchNormalization(momentum=0.5),
            layers.Dropout(0.2),
            layers.Dense(n_classes),
        ]
    )


def mapped(engine: Engine, stack: int) -> Engine:
    """The same engine with a stack of members."""
    return Engine(
        replace(engine.network, stack=stack, is_mapped=True),
        np.asarray(engine.data.X),
        engine.y,
        engine.n_classes,
        engine.fill,
        engine.centre,
        engine.scale,
        jit=False,
        augmentation=engine.augmentation,
    )


def check_parity(problem, name, strategies, epochs, *, atol):
    """Three members of unequal sizes, in stacks of two: the second is padded."""
    members = problem.members((48, 64, 48))
    one_by_one = problem.engine(members, name=name)
    strategies = [make_strategy(strategy) for strategy in strategies]
    training = short_training(epochs=epochs, patience=1, stop="early", start_from_epoch=0)
    expected = one_by_one.fit(members, strategies, training)
    engine = mapped(one_by_one, 2)
    engine.data = one_by_one.data
    outcomes = engine.fit(members, strategies, training)
    assert_close(outcomes, expected, atol=atol)
    for member in range(len(members) * len(strategies)):
        pairs = zip(engine.member_weights(member), one_by_one.member_weights(member), strict=True)
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours, theirs, atol=10 * atol)


def check_categories():
    """SMOTE-NC and a network with a state."""
    check_parity(MixedProblem(), "test_mapped:normalised", ["smote"], 2, atol=1e-4)


def check_images():
    """Convolutions, augmented and not, and a network with a state."""
    check_parity(SmallImages(), "cnn", ["remix-aug"], 1, atol=1e-5)
    check_parity(SmallImages(), "cnn", ["remix", "smote"], 1, atol=1e-5)
    check_parity(SmallImages(), "test_mapped:normalised", ["remix"], 2, atol=1e-4)


def check_where_members_are_mapped() -> None:
    """On an accelerator, or where a study file gives the stack."""
    cnn, mlp = Model("cnn"), Model("mlp")
    assert not stacks.can_stack(cnn, Training())
    assert stacks.can_stack(cnn, Training(stack=4))
    assert stacks.can_stack(mlp, Training())


def test_tensorflow_stacks_dense_networks_only():
    assert not stacks.can_stack(Model("cnn"), Training(stack=4))
    assert stacks.can_stack(Model("mlp"), Training())
