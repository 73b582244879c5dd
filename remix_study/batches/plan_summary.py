"""Summary of the rows a member trained on: class shares, missing classes, SMOTE, repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.plan import BatchPlan


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
