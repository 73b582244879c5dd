"""Seed, batch size and extent of a demonstration."""

from __future__ import annotations

from dataclasses import dataclass

SEED = 2020
BATCH_SIZE = 64


@dataclass(frozen=True)
class Scale:
    """How much is drawn and trained for a demonstration.

    Attributes:
        seeds: data sets drawn of each kind, each with a network of its own.
        epochs: most epochs that a network trains.
        side: points along each side of the plane on which probabilities are predicted.
        draws: epochs of batches behind every share and density.
    """

    seeds: int = 10
    epochs: int = 500
    side: int = 121
    draws: int = 40


FULL = Scale()
