"""The network that the training engine trains: a Keras model, its stack and initial weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = list[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Network:
    """A Keras network that trains ``stack`` members at once.

    Attributes:
        train: Keras model for training. Stacked: inputs ``[x, *keep]`` with x of shape
            (stack, batch, d) and, for each masked layer, multipliers of shape
            (stack, batch, units). Otherwise a model of one member, x of shape (batch, ...).
        infer: The model with the same weights and no masks; the output has ``n_classes`` columns.
        stack: Number of members that share a step; 1 for a network without a member axis.
        is_stacked: Whether variables have a leading member axis.
        mask_units: Width of each layer whose dropout mask is an input.
        dropout: Share of units dropped in those layers.
        has_logits: Whether the output is logits; otherwise it is probabilities.
        initial_weights: Returns the weights of one member for its seed, in the order of
            ``train.weights`` and without the member axis.
    """

    train: Any
    infer: Any
    stack: int
    is_stacked: bool
    mask_units: tuple[int, ...]
    dropout: float
    has_logits: bool
    initial_weights: Callable[[int], Weights]

    @property
    def parameters(self) -> int:
        """Number of trainable parameters of one member."""
        total = sum(int(np.prod(v.shape)) for v in self.train.trainable_variables)
        return total // self.stack if self.is_stacked else total
