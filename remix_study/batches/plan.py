"""Batch plans: which two rows make each training row of an epoch, and with what weights.

A plan is four NumPy arrays that depend on the strategy, the member's seed and the epoch alone. A
member therefore trains on the same rows whatever other members share its stack, and a plan can be
tested row by row without a network. A summary says which classes the rows of a plan are from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.mixing import MIXINGS
from remix_study.batches.samplers import SAMPLERS
from remix_study.batches.strategies import Strategy
from remix_study.batches.training_rows import (
    DRAW_STREAM,
    MIX_STREAM,
    MemberStreams,
    TrainingRows,
)
from remix_study.errors import UsageError


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """Batches of one epoch of one member; each array is (steps, batch).

    Features of a training row are ``weight * X[first] + (1 - weight) * X[second]``, its one-hot
    label the same with ``label_weight``.

    Attributes:
        first: int32 positions in the problem's rows.
        second: int32 positions; the same array object as ``first`` where nothing is blended.
        weight: float32 in [0, 1].
        label_weight: float32 in [0, 1].
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
    """Plans of several members, arrays (steps, members, batch); ``steps`` (members,) is int32."""

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
        strategy: How rows are drawn and mixed.
        training: The member's own training rows.
        batch_size: B.
        seed: The member's seed, not negative; strategies with the same seed share their draws.
        epoch: 0 for the first.

    Raises:
        UsageError: The batch size is below 1 or above the number of training rows.
    """
    n_rows = len(training.rows)
    check_batch_size(batch_size, n_rows)
    streams = MemberStreams(np.random.default_rng([seed, epoch, DRAW_STREAM]), seed)
    drawn = SAMPLERS[strategy.sampler](streams, training, batch_size)
    rng = np.random.default_rng([seed, epoch, MIX_STREAM])
    mixed = MIXINGS[strategy.mixing](rng, drawn, strategy.alpha, training)
    first = training.rows[mixed.first]
    # One array object for both says that nothing is blended; the engine then gathers once.
    second = first if mixed.second is mixed.first else training.rows[mixed.second]
    return BatchPlan(first, second, mixed.weight, mixed.label_weight)


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


def stack_plans(plans: Sequence[BatchPlan]) -> StackedPlans:
    """Stack the plans of several members, all of one batch size, padded to the longest.

    Returns:
        Arrays (steps, members, batch) and each member's number of steps. Padding is row 0 at
        weight 1, which is safe to gather and must not be trained on.

    Raises:
        ValueError: Batch sizes differ.
    """
    shape = (max(plan.steps for plan in plans), len(plans), plans[0].first.shape[1])
    stacked = StackedPlans(
        np.zeros(shape, np.int32),
        np.zeros(shape, np.int32),
        np.ones(shape, np.float32),
        np.ones(shape, np.float32),
        np.array([plan.steps for plan in plans], np.int32),
    )
    for member, plan in enumerate(plans):
        stacked.first[: plan.steps, member] = plan.first
        stacked.second[: plan.steps, member] = plan.second
        stacked.weight[: plan.steps, member] = plan.weight
        stacked.label_weight[: plan.steps, member] = plan.label_weight
    return stacked


@dataclass(frozen=True, eq=False)
class PlanSummary:
    """Sums over the batch plans of a member; ``+`` adds epochs, properties give shares.

    Attributes:
        epochs: Number of epochs.
        batches: Number of batches.
        class_mass: (K,) sum over batches of each class's share of the label mass.
        batches_lacking: (K,) batches without any label mass of the class.
        batches_smoted: Batches with at least one row blended from two rows of its class.
        distinct_mass: Sum over epochs of distinct rows drawn, divided by rows drawn.
    """

    epochs: int
    batches: int
    class_mass: NDArray[np.float64]
    batches_lacking: NDArray[np.int64]
    batches_smoted: int
    distinct_mass: float

    def __add__(self, summary: PlanSummary) -> PlanSummary:
        """The summary of both."""
        return PlanSummary(
            self.epochs + summary.epochs,
            self.batches + summary.batches,
            self.class_mass + summary.class_mass,
            self.batches_lacking + summary.batches_lacking,
            self.batches_smoted + summary.batches_smoted,
            self.distinct_mass + summary.distinct_mass,
        )

    @property
    def class_shares(self) -> NDArray[np.float64]:
        """(K,) the effective class prior: mean share of the label mass; sums to 1."""
        return self.class_mass / self.batches

    @property
    def lacking_shares(self) -> NDArray[np.float64]:
        """(K,) share of batches without any label mass of the class."""
        return self.batches_lacking / self.batches

    @property
    def smote_share(self) -> float:
        """Share of batches in which SMOTE blended at least one row, rather than repeat rows."""
        return self.batches_smoted / self.batches

    @property
    def distinct_share(self) -> float:
        """Mean over epochs of distinct rows drawn, divided by rows drawn; 1 without repeats."""
        return self.distinct_mass / self.epochs

    def as_dict(self) -> dict[str, int | float | list[float]]:
        """The shares as plain numbers and lists, as the database stores them in JSON."""
        return {
            "epochs": self.epochs,
            "batches": self.batches,
            "class_shares": self.class_shares.tolist(),
            "lacking_shares": self.lacking_shares.tolist(),
            "smote_share": self.smote_share,
            "distinct_share": self.distinct_share,
        }


def summarise_plan(plan: BatchPlan, y: NDArray[np.integer], n_classes: int) -> PlanSummary:
    """Summarise the plan of one epoch; cheap enough to be called every epoch.

    Args:
        plan: One epoch of one member.
        y: Class codes of all the problem's rows, which the plan's positions refer to.
        n_classes: K.
    """
    steps, batch = plan.first.shape
    cell = np.arange(steps)[:, None] * n_classes
    size = steps * n_classes
    first = y[plan.first]
    batches_smoted = 0
    if plan.second is plan.first:
        mass: NDArray[Any] = np.bincount((cell + first).ravel(), minlength=size).astype(float)
    else:
        second = y[plan.second]
        mass = np.bincount((cell + first).ravel(), plan.label_weight.ravel(), size)
        mass += np.bincount((cell + second).ravel(), 1.0 - plan.label_weight.ravel(), size)
        # Only SMOTE blends features of one class without blending labels.
        is_smoted = plan.first != plan.second
        is_smoted &= (plan.weight != plan.label_weight) & (first == second)
        batches_smoted = int(is_smoted.any(axis=1).sum())
    mass = mass.reshape(steps, n_classes)
    return PlanSummary(
        epochs=1,
        batches=steps,
        class_mass=mass.sum(axis=0) / batch,
        batches_lacking=(mass == 0).sum(axis=0),
        batches_smoted=batches_smoted,
        distinct_mass=np.count_nonzero(np.bincount(plan.first.ravel())) / plan.first.size,
    )
