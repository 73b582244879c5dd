"""Batch plans and random numbers in chunks of steps, made one chunk ahead of training.

Each member draws dropout masks and seeds of image transformations from streams of its own, seeded
by its seed and the epoch: they depend neither on its place in a stack nor on the other members.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.plan import (
    BatchPlan,
    PlanSummary,
    plan_epoch,
    stack_plans,
    summarise_plan,
)
from remix_study.batches.strategies import Strategy
from remix_study.training.members import Member

CHUNK = 64
"""Most steps of a chunk, which bounds the memory of masks; longer epochs run in several."""

# Mask values of a chunk, over all members.
_MOST_VALUES = 2**27

ChunkPlan = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
T = TypeVar("T")

# Last part of a seed sequence; batch plans draw from other generators.
_MASK_STREAM = 3
_AUGMENTATION_STREAM = 4
# Four 16-bit numbers come from one 64-bit draw.
_VALUES_PER_DRAW = 4


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some steps of an epoch for all members.

    Attributes:
        plan: first, second, weight, label_weight, each (chunk, M, batch), padded; and seeds,
            uint32 (chunk, M, 0 to 2, generators, 2).
        masks: uint16 (M, chunk, batch * units); overwritten when the next chunk but one is made.
        takes_step: float32 (chunk, M), 1 where a member has such a step.
        steps: Steps that are real.
        ends_epoch: Whether this is the last chunk of its epoch.
        trained_on: Counts of each member's whole epoch; empty before its last chunk.
        epoch_steps: (M,) steps of each member in the whole epoch.
    """

    plan: ChunkPlan
    masks: NDArray[np.uint16]
    takes_step: NDArray[np.float32]
    steps: int
    ends_epoch: bool
    trained_on: tuple[PlanSummary, ...]
    epoch_steps: NDArray[np.int32]


def chunk_length(longest: int, values: int) -> int:
    """Return the steps of a chunk, by the longest epoch's and the mask values of a step."""
    return max(1, min(CHUNK, longest, _MOST_VALUES // max(values, 1)))


def chunks(
    members: Sequence[Member],
    strategies: Sequence[Strategy],
    *,
    batch_size: int,
    y: NDArray[np.int32],
    n_classes: int,
    mask_units: int,
    running: NDArray[np.bool_],
    longest: int,
    buffers: tuple[NDArray[np.uint16], NDArray[np.uint16]],
    generators: int | None = None,
) -> Generator[Chunk]:
    """Yield chunks without end, epoch after epoch.

    Args:
        members: Whose plans to draw.
        strategies: How, one a member.
        batch_size: Rows of a batch.
        y: (n,) classes of the problem's rows.
        n_classes: Number of classes.
        mask_units: Units with dropout, summed over layers.
        running: (M,) live view of the members that still train. Nothing uses a plan of another,
            so the plan it has is kept and no new one drawn.
        longest: Steps of the longest epoch among all stacks: one shape serves them all.
        buffers: Two uint16 (M, chunk, batch * units) to draw masks into: the program reads one
            while the other is filled.
        generators: Random generators of the augmentation; None where nothing is augmented.
    """
    seeds = [member.seed for member in members]
    most_steps = max(len(member.training.rows) // batch_size for member in members)
    width = batch_size * mask_units
    length = chunk_length(longest, len(members) * width)
    uses = 2 if any(strategy.has_blended_rows for strategy in strategies) else 1
    plans: list[BatchPlan] = [
        plan_epoch(strategy, m.training, batch_size=batch_size, seed=m.seed, epoch=0)
        for m, strategy in zip(members, strategies, strict=True)
    ]
    turn = 0
    epoch = 0
    while True:
        if epoch:
            for position in np.flatnonzero(running).tolist():
                plans[position] = plan_epoch(
                    strategies[position],
                    members[position].training,
                    batch_size=batch_size,
                    seed=seeds[position],
                    epoch=epoch,
                )
        *arrays, steps = stack_plans(plans)
        arrays.append(augmentation_seeds(seeds, epoch, most_steps, generators, uses))
        counts = tuple(summarise_plan(plan, y, n_classes) for plan in plans)
        masks = EpochMasks(seeds, epoch, width)
        for start in range(0, most_steps, length):
            real = min(length, most_steps - start)
            masks.draw(real, buffers[turn])
            part = [_padded(array[start : start + real], length) for array in arrays]
            takes_step = np.arange(start, start + length)[:, None] < steps[None, :]
            ends_epoch = start + length >= most_steps
            yield Chunk(
                plan=(part[0], part[1], part[2], part[3], part[4]),
                masks=buffers[turn],
                takes_step=takes_step.astype(np.float32),
                steps=real,
                ends_epoch=ends_epoch,
                trained_on=counts if ends_epoch else (),
                epoch_steps=steps,
            )
            turn = 1 - turn
        epoch += 1


def prefetch(source: Iterator[T]) -> Generator[T]:
    """Yield the items of ``source``, the next of which a thread makes meanwhile.

    NumPy and the compiled program both release the interpreter's lock, so planning costs no time
    where a core is free.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="plans") as pool:
        upcoming = pool.submit(next, source)
        while True:
            item = upcoming.result()
            upcoming = pool.submit(next, source)
            yield item


def _padded(array: NDArray[T], length: int) -> NDArray[T]:  # type: ignore[type-var]
    """Append zeros up to a length of the first axis."""
    if len(array) == length:
        return array
    padding = [(0, length - len(array))] + [(0, 0)] * (array.ndim - 1)
    return np.pad(array, padding)


class EpochMasks:
    """The dropout masks of one epoch, drawn chunk by chunk.

    They do not depend on how long a chunk is. SFC64 draws twice as fast as Philox, and masks are
    most of the random numbers that a dense network needs.
    """

    def __init__(self, seeds: Sequence[int], epoch: int, values_per_step: int) -> None:
        """Open one stream a member; a step needs ``values_per_step`` = batch * units values."""
        self._values = values_per_step
        self._draws = -(-values_per_step // _VALUES_PER_DRAW)
        self._streams = [
            np.random.Generator(
                np.random.SFC64(np.random.SeedSequence([seed, epoch, _MASK_STREAM]))
            )
            for seed in seeds
        ]

    def draw(self, steps: int, out: NDArray[np.uint16]) -> None:
        """Fill the first ``steps`` of ``out``, uint16 (M, chunk, values_per_step)."""
        if self._values == 0:
            return
        for member, stream in enumerate(self._streams):
            draws = stream.integers(0, 2**64, (steps, self._draws), np.uint64)
            out[member, :steps] = draws.view(np.uint16)[:, : self._values]


def augmentation_seeds(
    seeds: Sequence[int], epoch: int, steps: int, generators: int | None, uses: int = 2
) -> NDArray[np.uint32]:
    """Draw the seeds of an epoch's random image transformations.

    Two uses of a row in one step are transformed differently.

    Args:
        seeds: Seeds of the M members.
        epoch: Number of the epoch, from 0.
        steps: Steps of the epoch.
        generators: Random generators to seed; None where nothing is transformed.
        uses: Rows that each training row is blended from, one or two; the seeds of the first are
            the same in both cases.

    Returns:
        uint32 (steps, M, uses, generators, 2); (steps, M, 0, 0, 2) where ``generators`` is None.
    """
    if generators is None:
        return np.zeros((steps, len(seeds), 0, 0, 2), np.uint32)
    shape = (steps, 2, generators, 2)
    streams = (np.random.default_rng([seed, epoch, _AUGMENTATION_STREAM]) for seed in seeds)
    draws = [stream.integers(0, 2**32, shape, np.uint32) for stream in streams]
    return np.stack(draws, axis=1)[:, :, :uses]
