"""Forward passes that are run as they are, without a compiled program."""

from __future__ import annotations

import numpy as np

from remix_study.models.networks import build_mlp
from remix_study.training.backend import backend
from remix_study.training.problem_rows import Data, Inputs
from remix_study.training.step import Step, Weights


def test_an_impossible_class_of_a_row_without_a_share_leaves_the_loss_finite():
    """The first class has all probability, and only the row that has it counts."""
    network = build_mlp(1, 2, 2, hidden=(2,), dropout=0.0)
    values = [np.zeros((1, *value.shape), np.float32) for value in network.initial_weights(0)]
    values[-1][...] = [3e38, -3e38]
    rows = Data(np.zeros((2, 2), np.float32), np.array([0, 1], np.int32))
    zero, one = np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32)
    probabilities, loss = Step(network, 2, backend().gather, backend().gradient).forward(
        Weights(tuple(values), ()),
        rows,
        Inputs(zero, zero, one, one, zero),
        np.array([[0, 1]], np.int32),
        np.array([[1, 0]], np.float32),
    )
    np.testing.assert_array_equal(probabilities, [[[1, 0], [1, 0]]])
    assert np.asarray(loss) == 0
