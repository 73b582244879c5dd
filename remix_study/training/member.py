"""What is trained and what comes of it: a member, one network of a trial, and its outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.plan import PlanSummary
from remix_study.batches.training_rows import TrainingRows

OnEpoch = Callable[[int], None]
"""Called after an epoch of a stack with the number of members that ran it."""


@dataclass(frozen=True, eq=False)
class Member:
    """One network to train: one fold of one trial.

    Attributes:
        seed: Weights, batch plans and dropout masks derive from it.
        training: The rows it may learn from.
        validation: int32 (v,) positions of the rows that early stopping and Optuna see.
        test: int32 (t,) positions of the rows that reports see.
    """

    seed: int
    training: TrainingRows
    validation: NDArray[np.int32]
    test: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Probabilities, curves and epochs of one trained member.

    Attributes:
        validation: Probabilities of its validation rows, float32 (v, K).
        test: Probabilities of its test rows, float32 (t, K).
        epochs: Epochs trained.
        stopped: Why training ended: "epochs", "patience", "lowest rate" or "failed".
        failed: Why the member cannot be used, such as a loss that is not finite; "" if it can.
        loss: Mean training loss of each epoch.
        monitor: Validation loss of each epoch; empty where training does not watch it.
        rates: Learning rate of each epoch.
        trained_on: Counts of the rows and classes in the batches of its epochs.
    """

    validation: NDArray[np.float32]
    test: NDArray[np.float32]
    epochs: int
    stopped: str
    failed: str
    loss: NDArray[np.float32]
    monitor: NDArray[np.float32]
    rates: NDArray[np.float32]
    trained_on: PlanSummary
