"""A network's compiled program with the rows of a problem: what all stacks of an engine share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.losses import RowWeights
from remix_study.batches.nominal import NominalFeatures
from remix_study.models.augmentation import Augmentation
from remix_study.models.networks import Network
from remix_study.training.adam import AdamState
from remix_study.training.encoding import Encoder
from remix_study.training.pace import Pace
from remix_study.training.problem_rows import Data, put_rows
from remix_study.training.program import Program
from remix_study.training.stacks import has_accelerator, padded_rows
from remix_study.training.step import Weights

# Arrays of up to eight stacks are kept between trials.
_MOST_KEPT = 32
# Rows of a larger table are not copied to pad them.
_MOST_PADDED_BYTES = 1 << 28

T = TypeVar("T")

FirstValues = tuple[Weights, AdamState]
"""Weights of a stack before its first step, and the state of an optimiser without any step."""


@dataclass(eq=False)
class CompiledProblem:
    """A network's compiled program with the rows of a problem on its device.

    Attributes:
        network: What is trained.
        X: float32 (n, d), missing values as NaN, or images uint8 (n, height, width, channels); not
            kept, since large tables have no room for a second copy.
        y: int32 (n,).
        n_classes: Number of classes K.
        fill: (members, d) what missing values become; d is 0 for images, which are only scaled.
        centre: (members, d) what is subtracted.
        scale: (members, d) what is divided by.
        jit: Whether the program is compiled by XLA.
        augmentation: What strategies that augment do to images.
        nominal: The rows' nominal features; None where all are numeric.
        row_weights: float64 (n,) the rows' weights; None where all count alike.
        class_weights: float64 (K,) what ``class-weighted`` takes for the classes; None for
            balanced ones.
        draws_on_device: Whether batch plans are drawn by a compiled program where they can be;
            where None, on an accelerator.
        encoder: Of numeric features, with bins of each member; None where they are standardised.
        shared: A program of the same network that other rows have compiled; None makes one.
        padded_size: Rows that arrays need room for -> room that they get; changes no numbers.
            Where None, as :func:`padded_rows` on an accelerator, else none.
        program: The compiled functions.
        data: X and y on the device.
        pace: How many steps one call of the program takes.
    """

    network: Network
    X: InitVar[NDArray[Any]]
    y: NDArray[np.int32]
    n_classes: int
    fill: NDArray[Any]
    centre: NDArray[Any]
    scale: NDArray[Any]
    jit: bool = True
    augmentation: Augmentation | None = None
    nominal: NominalFeatures | None = None
    row_weights: RowWeights = None
    class_weights: NDArray[np.float64] | None = None
    draws_on_device: bool | None = None
    encoder: Encoder | None = None
    shared: InitVar[Program | None] = None
    padded_size: Callable[[int], int] | None = None
    program: Program = field(init=False)
    data: Data = field(init=False)
    pace: Pace = field(init=False, default_factory=Pace)
    _kept: dict[tuple[Any, ...], Any] = field(init=False, default_factory=dict)

    def __post_init__(self, X: NDArray[Any], shared: Program | None) -> None:
        """Put the rows on the device; the first trial compiles."""
        if self.draws_on_device is None:
            self.draws_on_device = has_accelerator()
        self.program = shared or Program(
            self.network,
            n_classes=self.n_classes,
            jit=self.jit,
            augmentation=self.augmentation,
            encoder=self.encoder,
        )
        if self.padded_size is None:
            # There compiling takes longer than training on the padding.
            self.padded_size = padded_rows if has_accelerator() else int
        room = self.padded_size(len(X)) if X.nbytes <= _MOST_PADDED_BYTES else len(X)
        self.data = put_rows(X, self.y, self.nominal, self.row_weights, room=room)

    def first_values(self, seeds: Sequence[int]) -> FirstValues:
        """Return the first values of a stack on the device, kept for later trials.

        Args:
            seeds: Seeds of its members, which are the same in each trial.
        """
        return self.reuse(
            ("first values", *seeds),
            lambda: self.program.start([self.network.initial_weights(seed) for seed in seeds]),
        )

    def reuse(self, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        """Return what ``make`` returned for this key in an earlier trial, else make it now."""
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = make()
        value: T = self._kept[key]
        return value
