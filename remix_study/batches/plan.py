"""Batch plans: which two rows make each training row of an epoch, and with what weights.

A plan is arrays that depend on the strategy, the member's seed and the epoch alone. A member
therefore trains on the same rows whatever other members share its stack, and a plan can be tested
row by row without a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.class_groups import NEIGHBOURS
from remix_study.batches.mixing import MIXINGS, Mixing, epochs_drawn_together, mixing_weights
from remix_study.batches.random_bits import NUMPY, PLAN_KEYS, derive_keys, member_keys
from remix_study.batches.samplers import MEMBER_SAMPLERS, SMOTE_SAMPLERS, STACK_SAMPLERS
from remix_study.batches.stack_draws import RareShare, StackRows, gather, rare_share, stack_rows
from remix_study.batches.strategies import Strategy
from remix_study.batches.training_rows import (
    MemberStreams,
    TrainingRows,
    check_batch_size,
)
from remix_study.data.aligned import aligned_empty

# Rows that are drawn at a time, of all members together: drawing takes several arrays of them.
_MOST_ROWS = 1 << 18


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """Batches of one epoch of one member; each array is (steps, batch).

    Features of a training row are ``weight * X[first] + (1 - weight) * X[second]``, its one-hot
    label the same with ``label_weight``. A row with neighbours has in each nominal column the
    category that most of them have; on a tie that of ``first``.

    Attributes:
        first: int32 positions in the problem's rows.
        second: int32 positions; equal to ``first`` where nothing is blended.
        weight: float32 in [0, 1].
        label_weight: float32 in [0, 1].
        neighbours: int32 (steps, batch, k) positions, -1 where there is none; None in a stack
            without SMOTE or without nominal features.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weight: NDArray[np.float32]
    label_weight: NDArray[np.float32]
    neighbours: NDArray[np.int32] | None = None

    @property
    def steps(self) -> int:
        """Number of batches."""
        return len(self.first)


class StackPlan(NamedTuple):
    """The plans of a stack's members, arrays (members, steps, batch, ...) of :class:`BatchPlan`.

    Batches past a member's own hold rows that are safe to gather and must not be trained on.
    """

    first: Any
    second: Any
    weight: Any
    label_weight: Any
    neighbours: Any = None

    def map(self, function: Callable[[Any], Any]) -> StackPlan:
        """The plan with a function of each of its arrays."""
        return StackPlan(*(None if array is None else function(array) for array in self))


class StackPlanner:
    """Plans the epochs of a stack's members with NumPy, by as few calls as there are samplers.

    Attributes:
        strategies: How each member's rows are drawn and mixed.
        training: The members' training rows.
        rows: The same as arrays.
        batch_size: B.
        steps: int32 (M,) batches of each member's epoch, floor(n / B).
        keys: uint32 (M, 2), from which those of each epoch are derived.
    """

    def __init__(
        self,
        strategies: Sequence[Strategy],
        training: Sequence[TrainingRows],
        seeds: Sequence[int],
        *,
        batch_size: int,
        rows: StackRows | None = None,
    ) -> None:
        """Plan nothing yet.

        Args:
            strategies: One a member.
            training: One a member.
            seeds: One a member, not negative; strategies with the same seed share their draws.
            batch_size: B.
            rows: The training rows as arrays, which may be padded further; made when None.

        Raises:
            UsageError: The batch size is below 1 or above the number of training rows.
        """
        for member in training:
            check_batch_size(batch_size, len(member.rows))
        self.strategies, self.training, self._seeds = strategies, training, seeds
        self.batch_size = batch_size
        self.rows = stack_rows(training) if rows is None else rows
        self.steps = (self.rows.count[:, 0] // batch_size).astype(np.int32)
        self.keys = member_keys(seeds, PLAN_KEYS)
        # Of some members in a block of epochs, the last that was drawn.
        self._weights: dict[tuple[Mixing, tuple[int, ...]], tuple[int, NDArray[np.float32]]] = {}
        is_smote = any(strategy.sampler in SMOTE_SAMPLERS for strategy in strategies)
        self._has_neighbours = is_smote and training[0].nominal is not None

    def plan(self, epoch: int, members: NDArray[np.intp] | None = None) -> StackPlan:
        """Plan one epoch; see :meth:`plan_epochs`."""
        return self.plan_epochs(range(epoch, epoch + 1), members)

    def plan_epochs(self, epochs: range, members: NDArray[np.intp] | None = None) -> StackPlan:
        """Plan some epochs that follow each other, by as few calls as one of them takes.

        Args:
            epochs: Their numbers; 0 is the first.
            members: Positions of the members to plan for, all when None; the plans of others are
                padding.

        Returns:
            Arrays (epochs * M, steps, batch, ...), epoch after epoch.
        """
        size, longest = self.rows.rows.shape
        shape = (len(epochs) * size, longest // self.batch_size, self.batch_size)
        first, second = (aligned_empty(shape, np.int32) for _ in range(2))
        weight, label_weight = (aligned_empty(shape, np.float32) for _ in range(2))
        for array in (first, second, weight, label_weight):
            array.fill(array.dtype == np.float32)
        neighbours = np.full((*shape, NEIGHBOURS), -1, np.int32) if self._has_neighbours else None
        everybody = range(size) if members is None else members.tolist()
        for sampler, mixing, group in self._groups(everybody):
            # Each epoch of a member is drawn as if it were a member of its own.
            drawn_members = group * len(epochs)
            of_epoch = np.repeat(epochs, len(group))
            places = (of_epoch - epochs.start) * size + drawn_members
            keys = derive_keys(NUMPY, self.keys[drawn_members], of_epoch.astype(np.uint32))
            rows = self.rows.of(drawn_members)._replace(target=self.target(drawn_members))
            drawn = self._draw(sampler, drawn_members, of_epoch, rows, keys)
            mixed = MIXINGS[mixing]
            if mixed is not None:
                weights = [self.mixing_weights(epoch, group, mixed) for epoch in epochs]
                drawn = mix(NUMPY, mixed, keys, drawn.first, np.concatenate(weights), rows)
            first[places] = gather(NUMPY, rows.rows, drawn.first)
            second[places] = (
                first[places]
                if drawn.second is drawn.first
                else gather(NUMPY, rows.rows, drawn.second)
            )
            weight[places], label_weight[places] = drawn.weight, drawn.label_weight
            if neighbours is not None and drawn.neighbours is not None:
                for place, near in zip(places, drawn.neighbours, strict=True):
                    member_rows = self.rows.rows[place % size]
                    neighbours[place] = np.where(near < 0, -1, member_rows[near])
        return StackPlan(first, second, weight, label_weight, neighbours)

    @property
    def members_at_a_time(self) -> int:
        """How many members' rows are drawn or counted at a time, to bound the memory it takes."""
        return max(1, _MOST_ROWS // int(self.rows.rows.shape[1]))

    def target(self, members: Sequence[int]) -> RareShare | None:
        """What the rare classes get in batches of members, of which all or none have a ratio."""
        ratios = [ratio for m in members if (ratio := self.strategies[m].ratio) is not None]
        if not ratios:
            return None
        return rare_share(ratios, [self.training[m] for m in members], self.batch_size)

    def _groups(self, members: Sequence[int]) -> Iterator[tuple[str, str, list[int]]]:
        """Yield the members that are drawn alike together, as many as the memory is meant for."""
        alike: dict[tuple[str, str, bool], list[int]] = {}
        for member in members:
            strategy = self.strategies[member]
            key = strategy.sampler, strategy.mixing, strategy.ratio is not None
            alike.setdefault(key, []).append(member)
        most = self.members_at_a_time
        for (sampler, mixing, _), group in alike.items():
            for start in range(0, len(group), most):
                yield sampler, mixing, group[start : start + most]

    def mixing_weights(
        self, epoch: int, members: Sequence[int], mixing: Mixing
    ) -> NDArray[np.float32]:
        """Draw the weights of some members that share a mixing: (M, S, 1) or (M, S, B)."""
        block, place = divmod(epoch, epochs_drawn_together(mixing))
        key = mixing, tuple(members)
        if key not in self._weights or self._weights[key][0] != block:
            self._weights[key] = block, self.draw_weights(block, members, mixing)
        weights: NDArray[np.float32] = self._weights[key][1][place]
        return weights

    def draw_weights(
        self, block: int, members: Sequence[int], mixing: Mixing
    ) -> NDArray[np.float32]:
        """Draw the weights of a block of epochs, (epochs, M, S, 1) or (epochs, M, S, B)."""
        shape = len(members), self.rows.rows.shape[1] // self.batch_size
        width = self.batch_size if mixing.per_row else 1
        weights = np.ones((epochs_drawn_together(mixing), *shape, width), np.float32)
        for place, member in enumerate(members):
            weights[:, place, : self.steps[member]] = mixing_weights(
                mixing,
                self.strategies[member].alpha,
                seed=self._seeds[member],
                block=block,
                steps=int(self.steps[member]),
                batch_size=self.batch_size,
            )
        return weights

    def _draw(
        self,
        sampler: str,
        group: Sequence[int],
        epochs: NDArray[np.integer],
        rows: StackRows,
        keys: NDArray[np.uint32],
    ) -> StackPlan:
        """Draw the rows of members that share a sampler, each in an epoch.

        Returns:
            Positions among their training rows.
        """
        shape = (len(group), rows.rows.shape[1] // self.batch_size, self.batch_size)
        ones = np.ones(shape, np.float32)
        if sampler in STACK_SAMPLERS:
            first = STACK_SAMPLERS[sampler](NUMPY, keys, rows, self.batch_size)
            return StackPlan(first, first, ones, ones)
        drawn = StackPlan(np.zeros(shape, int), np.zeros(shape, int), ones.copy(), ones)
        if self._has_neighbours:
            drawn = drawn._replace(neighbours=np.full((*shape, NEIGHBOURS), -1, np.int32))
        batches = STACK_SAMPLERS["natural"](NUMPY, keys, rows, self.batch_size)
        for place, member in enumerate(group):
            natural = batches[place, : self.steps[member]]
            member_slice = slice(place, place + 1)
            target = rows.target and RareShare(*(array[member_slice] for array in rows.target))
            streams = MemberStreams(
                self._seeds[member], int(epochs[place]), keys[member_slice], natural, target
            )
            alone = MEMBER_SAMPLERS[sampler](streams, self.training[member], self.batch_size)
            steps = len(alone.first)
            for name, part in alone._asdict().items():
                if part is not None:
                    getattr(drawn, name)[place, :steps] = part
        return drawn


def mix(xp: Any, mixing: Mixing, keys: Any, first: Any, weight: Any, rows: StackRows) -> StackPlan:
    """Mix drawn rows with their partners.

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        mixing: How.
        keys: uint32 (M, 2), of the members in this epoch.
        first: (M, S, B) positions among the training rows.
        weight: float32 (M, S, 1) or (M, S, B), the weights of ``first``.
        rows: The members' rows.

    Returns:
        Positions among the training rows, and weights.
    """
    second = mixing.partners(xp, keys, first, rows)
    weight = xp.broadcast_to(weight, first.shape)
    if mixing.label_weights is None:
        return StackPlan(first, second, weight, weight)
    return StackPlan(first, second, weight, mixing.label_weights(xp, first, second, weight, rows))


def plan_epoch(
    strategy: Strategy, training: TrainingRows, *, batch_size: int, seed: int, epoch: int
) -> BatchPlan:
    """Plan one epoch of one member: floor(n / B) batches of exactly B rows.

    Args:
        strategy: How rows are drawn and mixed.
        training: The member's own training rows.
        batch_size: B.
        seed: The member's seed, not negative; strategies with the same seed share their draws.
        epoch: 0 for the first.

    Raises:
        UsageError: The batch size is below 1 or above the number of training rows.
    """
    planner = StackPlanner([strategy], [training], [seed], batch_size=batch_size)
    return BatchPlan(*planner.plan(epoch).map(lambda array: array[0]))
