"""What the training engine needs to know of a network, stacked or not."""

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
        infer: The same weights without masks; the output has ``n_classes`` columns.
        stack: Number of members that share a step; 1 for a network that knows no member axis.
        stacked: Whether variables carry a leading member axis.
        mask_units: Width of each layer whose dropout mask is fed from outside.
        dropout: Share of units dropped in those layers.
        logits: Whether the output is logits; otherwise it is probabilities.
        initial_weights: Seed -> weights of one member, in the order of ``train.weights`` and
            without the member axis.
    """

    train: Any
    infer: Any
    stack: int
    stacked: bool
    mask_units: tuple[int, ...]
    dropout: float
    logits: bool
    initial_weights: Callable[[int], Weights]

    @property
    def parameters(self) -> int:
        """Trainable parameters of one member."""
        total = sum(int(np.prod(v.shape)) for v in self.train.trainable_variables)
        return total // self.stack if self.stacked else total
