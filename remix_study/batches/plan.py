"""Batch plans: which two rows make each training row of an epoch, and with what weights.

Every strategy is a plan, and a plan is plain NumPy drawn from the member's seed and the epoch
alone. So a member is trained on the same rows whatever it is stacked with, and a plan can be
tested to the last row without a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.cells import DRAWING, MIXING, Streams, TrainingRows
from remix_study.batches.mixing import MIXINGS
from remix_study.batches.samplers import SAMPLERS
from remix_study.batches.strategies import Strategy
from remix_study.errors import UsageError

__all__ = [
    "BatchPlan",
    "StackedPlans",
    "TrainedOn",
    "TrainingRows",
    "check_batch_size",
    "plan_epoch",
    "stack_plans",
    "trained_on",
]


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """One epoch of one member; each array is (steps, batch).

    Features are ``weight * X[first] + (1 - weight) * X[second]``, one-hot labels the same with
    ``label_weight``. ``first`` and ``second`` are int32 positions in the problem's rows, the
    weights float32 in [0, 1].
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weight: NDArray[np.float32]
    label_weight: NDArray[np.float32]

    @property
    def steps(self) -> int:
        """Number of batches."""
        return len(self.first)


class StackedPlans(NamedTuple):
    """The plans of a stack: arrays (steps, members, batch), and how many steps are each one's."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weight: NDArray[np.float32]
    label_weight: NDArray[np.float32]
    steps: NDArray[np.int32]


def plan_epoch(
    strategy: Strategy, training: TrainingRows, *, batch_size: int, seed: int, epoch: int
) -> BatchPlan:
    """Plan one epoch of one member: floor(n / B) batches of exactly B rows.

    Args:
        strategy: Says how rows are drawn and mixed.
        training: The member's own training rows.
        batch_size: B.
        seed: The member's seed, not negative; strategies given the same one share their draws.
        epoch: 0 for the first.

    Returns:
        The plan; it depends on nothing but the arguments.

    Raises:
        UsageError: The batch size is below 1 or above the number of training rows.
    """
    n_rows = len(training.rows)
    check_batch_size(batch_size, n_rows)
    streams = Streams(np.random.default_rng([seed, epoch, DRAWING]), seed)
    drawn = SAMPLERS[strategy.sampler](streams, training, batch_size)
    rng = np.random.default_rng([seed, epoch, MIXING])
    mixed = MIXINGS[strategy.mixing](rng, drawn, strategy.alpha, training)
    first = training.rows[mixed.first]
    # The same array tells that nothing is blended.
    second = first if mixed.second is mixed.first else training.rows[mixed.second]
    return BatchPlan(first, second, mixed.weight, mixed.label_weight)


def check_batch_size(batch_size: int, n_rows: int) -> None:
    """Refuse a batch that the training rows cannot fill.

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


def stack_plans(plans: Sequence[BatchPlan | None], steps: int | None = None) -> StackedPlans:
    """Stack the plans of several members, padded to the longest.

    Args:
        plans: One a member, all of one batch size; None for a member that does not train.
        steps: Pad to this many steps instead, which no plan may exceed.

    Returns:
        Arrays (steps, members, batch) and each member's own number of steps. Padding is row 0 at
        weight 1, which is safe to gather and must not be trained on.

    Raises:
        ValueError: Nothing to stack, batch sizes differ, or a plan is longer than ``steps``.
    """
    real = [plan for plan in plans if plan is not None]
    if not real or len({plan.first.shape[1] for plan in real}) != 1:
        raise ValueError("stack_plans needs at least one plan, and all of one batch size")
    longest = max(plan.steps for plan in real)
    steps = longest if steps is None else steps
    if longest > steps:
        raise ValueError(f"a plan of {longest} steps does not fit into {steps}")
    shape = (steps, len(plans), real[0].first.shape[1])
    stacked = StackedPlans(
        np.zeros(shape, np.int32),
        np.zeros(shape, np.int32),
        np.ones(shape, np.float32),
        np.ones(shape, np.float32),
        np.array([0 if plan is None else plan.steps for plan in plans], np.int32),
    )
    for member, plan in enumerate(plans):
        if plan is not None:
            stacked.first[: plan.steps, member] = plan.first
            stacked.second[: plan.steps, member] = plan.second
            stacked.weight[: plan.steps, member] = plan.weight
            stacked.label_weight[: plan.steps, member] = plan.label_weight
    return stacked


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """What a member was really trained on, as sums that add up over epochs.

    Add summaries with ``+``; read the shares.

    Attributes:
        epochs: Epochs summed up.
        batches: Batches summed up.
        class_mass: (K,) sum over batches of each class's share of the label mass.
        lacking: (K,) batches without any label mass of the class.
        smoted: Batches with at least one row that lies between two rows of its class.
        distinct: Sum over epochs of distinct rows drawn, over rows drawn.
    """

    epochs: int
    batches: int
    class_mass: NDArray[np.float64]
    lacking: NDArray[np.int64]
    smoted: int
    distinct: float

    def __add__(self, other: TrainedOn) -> TrainedOn:
        """The summary of both."""
        return TrainedOn(
            self.epochs + other.epochs,
            self.batches + other.batches,
            self.class_mass + other.class_mass,
            self.lacking + other.lacking,
            self.smoted + other.smoted,
            self.distinct + other.distinct,
        )

    @property
    def class_shares(self) -> NDArray[np.float64]:
        """(K,) the effective class prior: mean share of the label mass; sums to 1."""
        return self.class_mass / self.batches

    @property
    def lacking_shares(self) -> NDArray[np.float64]:
        """(K,) share of batches that held nothing of the class."""
        return self.lacking / self.batches

    @property
    def smote_share(self) -> float:
        """Share of batches in which SMOTE made at least one row, rather than repeat rows."""
        return self.smoted / self.batches

    @property
    def distinct_share(self) -> float:
        """Mean over epochs of distinct rows drawn, over rows drawn: 1 when none is repeated."""
        return self.distinct / self.epochs

    def as_dict(self) -> dict[str, int | float | list[float]]:
        """The shares as plain numbers and lists, ready for JSON."""
        return {
            "epochs": self.epochs,
            "batches": self.batches,
            "class_shares": self.class_shares.tolist(),
            "lacking_shares": self.lacking_shares.tolist(),
            "smote_share": self.smote_share,
            "distinct_share": self.distinct_share,
        }


def trained_on(plan: BatchPlan, y: NDArray[np.integer], n_classes: int) -> TrainedOn:
    """Summarise the plan of one epoch; cheap enough to be called every epoch.

    Args:
        plan: One epoch of one member.
        y: Class codes of all the problem's rows, which the plan's positions point into.
        n_classes: K.
    """
    steps, batch = plan.first.shape
    cell = np.arange(steps)[:, None] * n_classes
    size = steps * n_classes
    first = y[plan.first]
    smoted = 0
    if plan.second is plan.first:
        mass: NDArray[Any] = np.bincount((cell + first).ravel(), minlength=size).astype(float)
    else:
        second = y[plan.second]
        mass = np.bincount((cell + first).ravel(), plan.label_weight.ravel(), size)
        mass += np.bincount((cell + second).ravel(), 1.0 - plan.label_weight.ravel(), size)
        # Only SMOTE blends features of one class without blending labels.
        inside = plan.first != plan.second
        inside &= (plan.weight != plan.label_weight) & (first == second)
        smoted = int(inside.any(axis=1).sum())
    mass = mass.reshape(steps, n_classes)
    return TrainedOn(
        epochs=1,
        batches=steps,
        class_mass=mass.sum(axis=0) / batch,
        lacking=(mass == 0).sum(axis=0),
        smoted=smoted,
        distinct=np.count_nonzero(np.bincount(plan.first.ravel())) / plan.first.size,
    )
