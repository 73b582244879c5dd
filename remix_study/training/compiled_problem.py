"""A network's compiled program with the rows of a problem: what all stacks of an engine share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.models.augmentation import Augmentation
from remix_study.models.networks import Network
from remix_study.training.adam import AdamState
from remix_study.training.program import Program
from remix_study.training.step import Data, Weights

# Stacks whose first values are kept between trials.
_KEPT_STARTS = 8

MaskBuffers = tuple[NDArray[np.uint16], NDArray[np.uint16]]
"""Two arrays for dropout masks: the program reads one while the other is filled."""

FirstValues = tuple[Weights, AdamState]
"""Weights of a stack before its first step, and the state of an optimiser without any step."""


@dataclass(eq=False)
class CompiledProblem:
    """A network's compiled program with the rows of a problem on its device.

    Attributes:
        network: What is trained.
        X: float32 (n, d), missing values as NaN, or images uint8 (n, height, width, channels).
        y: int32 (n,).
        n_classes: Number of classes K.
        fill: (members, d) what missing values become; d is 0 for images, which are only scaled.
        centre: (members, d) what is subtracted.
        scale: (members, d) what is divided by.
        jit: Whether the program is compiled by XLA.
        augmentation: What strategies that augment do to images.
        program: The compiled functions.
        data: X and y on the device.
    """

    network: Network
    X: NDArray[Any]
    y: NDArray[np.int32]
    n_classes: int
    fill: NDArray[Any]
    centre: NDArray[Any]
    scale: NDArray[Any]
    jit: bool = True
    augmentation: Augmentation | None = None
    program: Program = field(init=False)
    data: Data = field(init=False)
    _free_buffers: list[MaskBuffers] = field(init=False, default_factory=list)
    _starts: dict[tuple[int, ...], FirstValues] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Put the rows on the device; the first trial compiles."""
        self.program = Program(
            self.network, n_classes=self.n_classes, jit=self.jit, augmentation=self.augmentation
        )
        self.data = self.program.data(self.X, self.y)

    def first_values(self, seeds: Sequence[int]) -> FirstValues:
        """Return the first values of a stack on the device, kept for later trials.

        Args:
            seeds: Seeds of its members, which are the same in each trial.
        """
        key = tuple(seeds)
        if key not in self._starts:
            if len(self._starts) >= _KEPT_STARTS:
                self._starts.clear()
            self._starts[key] = self.program.start(
                [self.network.initial_weights(seed) for seed in seeds]
            )
        return self._starts[key]

    def take_buffers(self, shape: tuple[int, int, int]) -> MaskBuffers:
        """Return two arrays for the masks of a stack, of an earlier trial where there are any.

        To allocate them costs a second trial more than all else before its first step: tens of
        megabytes that the system hands out page by page.
        """
        # Stacks in other threads take buffers, too.
        with suppress(IndexError):
            while True:
                buffers = self._free_buffers.pop()
                if buffers[0].shape == shape:
                    return buffers
        return np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)

    def return_buffers(self, buffers: MaskBuffers) -> None:
        """Keep buffers for the next trial; the caller must not write to them any more."""
        self._free_buffers.append(buffers)
