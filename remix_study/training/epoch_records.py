"""What is kept of a stack's epochs: curves, counts, and the outcomes made of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.plan_summary import EpochCounts, StackSummary
from remix_study.training.members import Outcome
from remix_study.training.step import Weights
from remix_study.training.stopping import StoppingSchedule


class Epoch(NamedTuple):
    """One epoch of a stack that has ended; arrays are (M,).

    Attributes:
        loss: Training losses.
        monitor: Validation losses; None where training does not watch them.
        rates: Learning rates.
        ran: bool, members that ran it.
        improved: bool, members whose weights are their best so far.
        counts: What it trained on; on the device or not.
        weights: The stack's weights at its end.
    """

    loss: NDArray[np.float64]
    monitor: NDArray[np.float64] | None
    rates: NDArray[np.float64]
    ran: NDArray[np.bool_]
    improved: NDArray[np.bool_]
    counts: EpochCounts
    weights: Weights


class EpochRecords:
    """Curves and counts of a stack's epochs."""

    def __init__(self, summary: StackSummary) -> None:
        """Begin with no epoch; ``summary`` is added to."""
        self._summary = summary
        self._loss: list[NDArray[np.float64]] = []
        self._monitor: list[NDArray[np.float64]] = []
        self._rates: list[NDArray[np.float64]] = []

    def add(self, epoch: Epoch) -> None:
        """Add an epoch."""
        self._loss.append(epoch.loss)
        self._rates.append(epoch.rates)
        if epoch.monitor is not None:
            self._monitor.append(epoch.monitor)
        self._summary.add(epoch.counts, epoch.ran)

    def outcomes(
        self,
        present: int,
        schedule: StoppingSchedule,
        validation: list[NDArray[np.float32]],
        test: list[NDArray[np.float32]],
    ) -> list[Outcome]:
        """Return the outcome of each of the first ``present`` members.

        Args:
            present: Members that trained.
            schedule: When and why each of them ended.
            validation: Probabilities of each member's validation rows.
            test: Those of its test rows.
        """
        # (E, M), E epochs of the member that ran most.
        loss, monitor, rates = (
            np.array(curves, np.float32).reshape(len(curves), len(schedule.epochs))
            for curves in (self._loss, self._monitor, self._rates)
        )
        outcomes = []
        for member in range(present):
            ran = int(schedule.epochs[member])
            outcomes.append(
                Outcome(
                    validation=validation[member],
                    test=test[member],
                    epochs=ran,
                    stopped=schedule.stopped[member],
                    failed=schedule.failed[member],
                    loss=loss[:ran, member].copy(),
                    monitor=monitor[:ran, member].copy(),
                    rates=rates[:ran, member].copy(),
                    trained_on=self._summary.of_member(member),
                )
            )
        return outcomes
