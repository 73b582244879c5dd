"""Summaries of batch plans: which classes their rows are from, and how many rows are distinct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.plan import BatchPlan, StackPlan
from remix_study.batches.random_bits import NUMPY


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


class EpochCounts(NamedTuple):
    """What the members of a stack are trained on in one epoch.

    Attributes:
        class_mass: float (M, K), as in :class:`PlanSummary`.
        batches_lacking: int (M, K).
        batches_smoted: int (M,).
        distinct: int (M,) distinct rows drawn.
    """

    class_mass: Any
    batches_lacking: Any
    batches_smoted: Any
    distinct: Any


def count_epoch(
    xp: Any, plan: StackPlan, y: Any, steps: Any, n_classes: int, row_weights: Any = None
) -> EpochCounts:
    """Count the rows and classes of an epoch's batches.

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        plan: One epoch of a stack.
        y: int32 (n,) class codes of all the problem's rows, which the plan's positions refer to.
        steps: int32 (M,) batches of each member; those after them are padding.
        n_classes: K.
        row_weights: float32 (n,) weights that multiply the label mass of the rows; None for none.
    """
    _, n_steps, batch = plan.first.shape
    is_real = (xp.arange(n_steps, dtype="int32")[None, :] < steps[:, None])[:, :, None]
    first, second = xp.take(y, plan.first, axis=0), xp.take(y, plan.second, axis=0)
    zero = xp.zeros_like(plan.label_weight)
    first_mass, second_mass = plan.label_weight, 1 - plan.label_weight
    if row_weights is not None:
        first_mass, second_mass = weighted_shares(
            xp, plan, first == second, *(xp.take(row_weights, p, axis=0) for p in plan[:2])
        )
    first_share = xp.where(is_real, first_mass, zero)
    second_share = xp.where(is_real, second_mass, zero)
    mass = xp.stack(
        [
            xp.sum(
                xp.where(first == code, first_share, zero)
                + xp.where(second == code, second_share, zero),
                axis=2,
            )
            for code in range(n_classes)
        ],
        axis=2,
    )
    # Only SMOTE blends features of one class without blending labels.
    is_smoted = (plan.first != plan.second) & (plan.weight != plan.label_weight)
    is_smoted = is_smoted & (first == second) & is_real
    rows = xp.sort(xp.reshape(xp.where(is_real, plan.first, -1), (-1, n_steps * batch)))
    is_new = (rows[:, 1:] != rows[:, :-1]) & (rows[:, 1:] >= 0)
    return EpochCounts(
        xp.sum(mass, axis=1) / batch,
        xp.sum(xp.cast((mass == 0) & is_real, "int32"), axis=1),
        xp.sum(xp.cast(xp.any(is_smoted, axis=2), "int32"), axis=1),
        xp.sum(xp.cast(is_new, "int32"), axis=1) + xp.cast(rows[:, 0] >= 0, "int32"),
    )


def weighted_shares(
    xp: Any, plan: StackPlan, is_one_class: Any, first: Any, second: Any
) -> tuple[Any, Any]:
    """Shares of both rows' classes in the labels of blended rows that have weights.

    A row blended from rows of weights w1 and w2 has the label w1 l y1 + w2 (1 - l) y2. SMOTE's
    rows, of one class, are blended by the weight of their features.

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        plan: Arrays of any one shape, such as (M, S, B) or (M, B).
        is_one_class: Whether both rows are of one class.
        first: w1.
        second: w2.
    """
    share = xp.where(is_one_class, plan.weight, plan.label_weight)
    return first * share, second * (1 - share)


class StackSummary:
    """Sums over the epochs of a stack, from which each member's summary is taken.

    Args:
        steps: int (M,) batches of each member's epoch.
        batch_size: B.
        n_classes: K.
        has_weights: Whether rows have weights.
    """

    def __init__(
        self,
        steps: NDArray[np.integer],
        batch_size: int,
        n_classes: int,
        *,
        has_weights: bool = False,
    ) -> None:
        self._steps, self._batch_size, self._has_weights = steps, batch_size, has_weights
        self._epochs = np.zeros(len(steps), np.int64)
        self._class_mass = np.zeros((len(steps), n_classes))
        self._batches_lacking = np.zeros((len(steps), n_classes), np.int64)
        self._batches_smoted = np.zeros(len(steps), np.int64)
        self._distinct = np.zeros(len(steps), np.int64)

    def add(self, counts: EpochCounts, ran: NDArray[np.bool_]) -> None:
        """Add an epoch of the members that ran it, (M,)."""
        self._epochs += ran
        self._class_mass[ran] += np.asarray(counts.class_mass)[ran]
        self._batches_lacking[ran] += np.asarray(counts.batches_lacking)[ran]
        self._batches_smoted[ran] += np.asarray(counts.batches_smoted)[ran]
        self._distinct[ran] += np.asarray(counts.distinct)[ran]

    def of_member(self, member: int) -> PlanSummary:
        """The summary of one member."""
        steps = int(self._steps[member])
        batches, mass = int(self._epochs[member]) * steps, self._class_mass[member]
        return PlanSummary(
            epochs=int(self._epochs[member]),
            batches=batches,
            # Rows of a batch that have weights may weigh more or less than it has rows.
            class_mass=mass * batches / mass.sum() if self._has_weights else mass,
            batches_lacking=self._batches_lacking[member],
            batches_smoted=int(self._batches_smoted[member]),
            distinct_mass=float(self._distinct[member]) / (steps * self._batch_size),
        )


def summarise_plan(
    plan: BatchPlan,
    y: NDArray[np.integer],
    n_classes: int,
    row_weights: NDArray[np.float32] | None = None,
) -> PlanSummary:
    """Summarise the plan of one epoch of one member.

    Args:
        plan: One epoch of one member.
        y: Class codes of all the problem's rows, which the plan's positions refer to.
        n_classes: K.
        row_weights: (n,) weights of the rows; None for none.
    """
    steps = np.array([plan.steps], np.int32)
    arrays = (plan.first, plan.second, plan.weight, plan.label_weight)
    stack = StackPlan(*(a[None] for a in arrays))
    counts = count_epoch(NUMPY, stack, y, steps, n_classes, row_weights)
    has_weights = row_weights is not None
    summary = StackSummary(steps, plan.first.shape[1], n_classes, has_weights=has_weights)
    summary.add(counts, np.array([True]))
    return summary.of_member(0)
