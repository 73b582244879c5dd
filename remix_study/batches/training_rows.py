"""What a sampler receives and returns: one member's rows, its random generators, drawn rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.nominal import NominalFeatures
from remix_study.errors import UsageError

IntArray = NDArray[np.intp]

DRAW_STREAM, MIX_STREAM, MEMBER_STREAM = 1, 2, 3
"""Last part of a generator's seed sequence: rows of an epoch, mixing weights, draws made once for
a member. Mixing has a stream of its own, so that all samplers share their lambdas at one alpha.
None is 0: NumPy ignores zeros at the end of a seed sequence."""


class FeatureRows(Protocol):
    """Features by row: an array, or images that are decoded when they are indexed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""

    def __getitem__(self, rows: NDArray[np.intp], /) -> NDArray[Any]:
        """Features at positions of shape (...): an array (..., *shape of a row)."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows a sampler may use: the inner training part of one member.

    Attributes:
        rows: (n,) positions in the problem's rows.
        y: (n,) int32 class codes.
        n_classes: Number of classes K of the problem, whether or not all are present.
        features: Returns the preprocessed float32 features of these rows, (n, d) or (n, ...);
            called by SMOTE samplers only.
        cache: Results that a sampler computes once for a member, by sampler and seed.
        nominal: Their nominal features, with which SMOTE is SMOTE-NC; None where all are numeric.
        rare: Codes of the problem's rare classes, which a strategy's ratio is for.
    """

    rows: NDArray[np.integer]
    y: NDArray[np.int32]
    n_classes: int
    features: Callable[[], FeatureRows]
    cache: dict[Any, Any] = field(default_factory=dict)
    nominal: NominalFeatures | None = None
    rare: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class MemberStreams:
    """Random numbers of one member in one epoch.

    Attributes:
        seed: The member's seed.
        epoch: Number of the epoch, from 0.
        keys: uint32 (1, 2), for draws that other samplers share.
        batches: (steps, batch) positions among the training rows, the natural batches.
        target: What the rare classes get of a batch, a `RareShare` of one member; None for equal
            shares.
    """

    seed: int
    epoch: int
    keys: NDArray[np.uint32]
    batches: IntArray
    target: Any = None

    def generator(self) -> np.random.Generator:
        """A generator for further draws of this epoch."""
        return np.random.default_rng([self.seed, self.epoch, DRAW_STREAM])

    def member(self) -> np.random.Generator:
        """A generator that starts in the same state in every epoch."""
        return np.random.default_rng([self.seed, 0, MEMBER_STREAM])


class DrawnRows(NamedTuple):
    """Rows drawn for one epoch, before mixing; each array is (steps, batch).

    ``first`` and ``second`` are positions among the training rows, ``weight`` is float32: the
    features of a row are ``weight * X[first] + (1 - weight) * X[second]``. Both rows have the
    same class.

    ``neighbours``, (steps, batch, k), are the k nearest rows of a synthetic row's ``first``, -1
    where there are fewer and for other rows; None where no feature is nominal.
    """

    first: IntArray
    second: IntArray
    weight: NDArray[np.float32]
    neighbours: IntArray | None = None

    def at(self, places: IntArray) -> DrawnRows:
        """Those at some places along the first axis, in the shape of ``places``."""
        near = None if self.neighbours is None else self.neighbours[places]
        return DrawnRows(self.first[places], self.second[places], self.weight[places], near)


Sampler = Callable[[MemberStreams, TrainingRows, int], DrawnRows]
"""Draws the rows of one epoch; the last argument is the batch size."""


def unblended(first: IntArray) -> DrawnRows:
    """Wrap rows that are no blends of two."""
    return DrawnRows(first, first, np.ones(first.shape, np.float32))


def check_batch_size(batch_size: int, n_rows: int) -> None:
    """Check that the training rows fill at least one batch.

    Raises:
        UsageError: The batch size is below 1 or above the number of training rows.
    """
    if batch_size < 1:
        raise UsageError(f"batch_size must be at least 1, got {batch_size}")
    if n_rows < batch_size:
        raise UsageError(
            f"{n_rows} training rows do not fill one batch of {batch_size}: "
            f"set batch_size to {n_rows} or less, or give more rows"
        )
