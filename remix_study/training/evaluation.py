"""Forward passes over many rows, in blocks of one shape, and the validation loss they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from remix_study.training.program import Program
from remix_study.training.step import Data, Inputs, Weights


class RowBlocks:
    """Rows of each member on the device, padded to blocks that a compiled forward pass takes."""

    def __init__(
        self,
        program: Program,
        rows: Sequence[NDArray[np.int32]],
        block: int,
        shares: Sequence[NDArray[np.float64]] | None = None,
    ) -> None:
        """Put the rows on the device, padded with row 0, which is cut off again.

        Args:
            program: The compiled forward pass.
            rows: int32 positions of each member's rows.
            block: Rows of a forward pass.
            shares: The weight of each row in its member's loss; 0 when None, and for padding.
        """
        self.sizes = [len(r) for r in rows]
        self._program = program
        blocks = -(-max(self.sizes) // block)
        padded = np.zeros((len(rows), blocks * block), np.int32)
        weights = np.zeros(padded.shape, np.float32)
        for member, size in enumerate(self.sizes):
            padded[member, :size] = rows[member]
            if shares is not None:
                weights[member, :size] = shares[member]
        self._blocks = [
            (program.put(part, "int32"), program.put(weight, "float32"))
            for part, weight in zip(
                np.split(padded, blocks, axis=1), np.split(weights, blocks, axis=1), strict=True
            )
        ]

    def logits(self, weights: Weights, data: Data, inputs: Inputs) -> NDArray[np.float32]:
        """Return the logits of all rows, float32 (M, longest, K), padded past a member's size."""
        parts = [np.asarray(z) for z, _ in self._passes(weights, data, inputs)]
        return np.concatenate(parts, axis=1)[:, : max(self.sizes)]

    def losses(self, weights: Weights, data: Data, inputs: Inputs) -> NDArray[np.float64]:
        """Return each member's cross-entropy, weighted by the rows' shares, float64 (M,).

        The logits stay on the device.
        """
        parts = [np.asarray(loss, np.float64) for _, loss in self._passes(weights, data, inputs)]
        total: NDArray[np.float64] = np.sum(parts, axis=0)
        return total

    def _passes(self, weights: Weights, data: Data, inputs: Inputs) -> list[tuple[Any, Any]]:
        return [
            self._program.forward(weights, data, inputs, rows, share)
            for rows, share in self._blocks
        ]


def loss_shares(
    rows: NDArray[np.int32], y: NDArray[np.int32], kind: Literal["balanced", "natural"]
) -> NDArray[np.float64]:
    """Return the weight of each row in a member's validation loss, float64; they sum to one.

    Args:
        rows: Positions of the member's validation rows.
        y: (n,) classes of the problem's rows.
        kind: "balanced" gives each class that is present the same weight; "natural" gives it to
            each row. The majority decides the natural mean: it would stop networks trained on
            rebalanced batches because their prior has moved, which is what those are for.
    """
    if kind == "natural":
        return np.full(len(rows), 1 / len(rows))
    present, codes, counts = np.unique(y[rows], return_inverse=True, return_counts=True)
    shares: NDArray[np.float64] = 1 / (len(present) * counts[codes])
    return shares
