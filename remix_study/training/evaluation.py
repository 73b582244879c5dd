"""Forward passes over many rows in blocks of one shape, and the validation loss they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax


class RowBlocks:
    """Rows of each member, padded to blocks that a compiled forward pass takes."""

    def __init__(self, rows: Sequence[NDArray[np.int32]], block: int) -> None:
        """Pad with the member's own first row; padding is cut off again."""
        self.sizes = [len(r) for r in rows]
        blocks = -(-max(self.sizes) // block)
        padded = np.empty((len(rows), blocks * block), np.int32)
        for member, own in enumerate(rows):
            padded[member] = own[0]
            padded[member, : len(own)] = own
        self._blocks = np.split(padded, blocks, axis=1)

    def logits(self, program: Any, data: Any, inputs: Any) -> NDArray[np.float32]:
        """Logits of all rows, float32 (M, longest, K); past a member's size they are padding."""
        parts = [program.forward(data, inputs, np.ascontiguousarray(b)) for b in self._blocks]
        return np.concatenate(parts, axis=1)[:, : max(self.sizes)]


class ValidationLoss:
    """Cross-entropy of each member's validation rows, balanced over classes or natural.

    Balanced, each class present counts the same. The natural mean is carried by the majority, so
    it would stop rebalanced networks for having moved the prior, which is what they are for.
    """

    def __init__(
        self,
        rows: Sequence[NDArray[np.int32]],
        y: NDArray[np.int32],
        kind: Literal["balanced", "natural"],
        block: int,
    ) -> None:
        """Prepare the weight of every row: they sum to one for each member."""
        self._rows = RowBlocks(rows, block)
        longest = max(self._rows.sizes)
        self._labels = np.zeros((len(rows), longest), np.int64)
        self._weights = np.zeros((len(rows), longest))
        for member, own in enumerate(rows):
            labels = y[own]
            present, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
            share = 1 / (len(present) * counts[codes]) if kind == "balanced" else 1 / len(own)
            self._labels[member, : len(own)] = labels
            self._weights[member, : len(own)] = share

    def __call__(self, program: Any, data: Any, inputs: Any) -> NDArray[np.float64]:
        """The loss of each member, float64 (M,)."""
        logits = self._rows.logits(program, data, inputs)
        fit = log_softmax(logits.astype(np.float64), axis=2)
        own = np.take_along_axis(fit, self._labels[:, :, None], axis=2)[:, :, 0]
        # Padding weighs nothing, but 0 * -inf would be NaN.
        losses: NDArray[np.float64] = -np.where(self._weights > 0, self._weights * own, 0.0).sum(1)
        return losses
