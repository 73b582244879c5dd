"""Learning rates and early stopping of each member, decided by its own losses alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.studyfile.schema import Training

# A smaller gain than this is none to Keras' ReduceLROnPlateau.
_PLATEAU_DELTA = 1e-4
# The gain, relative to the best loss, that lets training at the lowest rate go on.
_RELATIVE_GAIN = 1e-4


def first_epoch_to_choose(
    training: Training, steps: NDArray[np.integer[Any]] | int
) -> NDArray[np.int64]:
    """The first epoch, counted from 1, whose weights early stopping may choose.

    Args:
        training: Rates and rules.
        steps: Steps of an epoch, one number or one a member.
    """
    begun = np.maximum(training.start_from_epoch, -(-training.start_from_step // steps))
    # Few steps an epoch: the last epoch may always be chosen.
    return np.asarray(np.minimum(begun + 1, training.epochs), np.int64)


class StoppingSchedule:
    """Learning rates, stopping and best epochs of M members.

    Attributes:
        running: (M,) bool, members that still train.
        rates: (M,) learning rates for the next epoch.
        epochs: (M,) epochs trained.
        stopped: Why each member ended: "epochs", "patience", "lowest rate" or "failed"; "" while
            it runs.
        failed: What went wrong with each member; "" if nothing.
    """

    def __init__(self, training: Training, steps: NDArray[np.integer[Any]], present: int) -> None:
        """Start the first ``present`` members; the others are padding and never run.

        Args:
            training: Rates and rules.
            steps: (M,) steps of an epoch of each member.
            present: Members that train.
        """
        self._training = training
        members = len(steps)
        self._first_epoch = first_epoch_to_choose(training, steps)
        self.running: NDArray[np.bool_] = np.arange(members) < present
        self.rates = np.full(members, training.learning_rate)
        self.epochs = np.zeros(members, np.int64)
        self.stopped = [""] * members
        self.failed = [""] * members
        self._best_loss = np.full(members, np.inf)
        self._plateau_waits = np.zeros(members, np.int64)
        self._best_loss_at_lowest_rate = np.full(members, np.inf)
        self._lowest_rate_waits = np.zeros(members, np.int64)
        self._best_monitor = np.full(members, np.inf)
        self._monitor_waits = np.zeros(members, np.int64)

    @property
    def watches_validation(self) -> bool:
        """Whether training stops by the validation loss."""
        return self._training.stop == "early"

    def update(
        self, loss: NDArray[np.float64], monitor: NDArray[np.float64] | None
    ) -> NDArray[np.bool_]:
        """Decide after an epoch who goes on, and at what rate.

        Args:
            loss: (M,) training losses of the epoch.
            monitor: (M,) validation losses; None where nothing watches them.

        Returns:
            (M,) bool, members whose weights are their best so far.
        """
        ran = self.running.copy()
        self.epochs[ran] += 1
        self._fail(ran & ~np.isfinite(loss), "training loss is not finite")
        if monitor is not None:
            self._fail(ran & ~np.isfinite(monitor), "validation loss is not finite")
        improved = np.zeros_like(ran)
        if self._training.schedule == "plateau":
            self._plateau(loss)
        if self._training.stop == "lowest-rate":
            self._stop_at_lowest_rate(loss)
        if self._training.stop == "early" and monitor is not None:
            improved = self._stop_early(monitor)
        self._end(self.running & (self.epochs >= self._training.epochs), "epochs")
        return improved

    def _fail(self, members: NDArray[np.bool_], reason: str) -> None:
        for member in np.flatnonzero(members & self.running):
            self.failed[member] = f"{reason} in epoch {self.epochs[member]}"
        self._end(members & self.running, "failed")

    def _end(self, members: NDArray[np.bool_], reason: str) -> None:
        for member in np.flatnonzero(members):
            self.stopped[member] = reason
        self.running &= ~members

    def _plateau(self, loss: NDArray[np.float64]) -> None:
        """Cut the rate after ``plateau_patience`` epochs without gain (Keras' rule, mode min)."""
        gained = self.running & (loss < self._best_loss - _PLATEAU_DELTA)
        self._best_loss[gained] = loss[gained]
        self._plateau_waits[gained] = 0
        waiting = self.running & ~gained & (self.rates > self._training.lowest_rate)
        self._plateau_waits[waiting] += 1
        cut = waiting & (self._plateau_waits >= self._training.plateau_patience)
        lowered = self.rates[cut] * self._training.plateau_factor
        self.rates[cut] = np.maximum(lowered, self._training.lowest_rate)
        self._plateau_waits[cut] = 0

    def _stop_at_lowest_rate(self, loss: NDArray[np.float64]) -> None:
        lowest = self.running & (self.rates <= self._training.lowest_rate)
        gained = lowest & (loss < self._best_loss_at_lowest_rate * (1 - _RELATIVE_GAIN))
        self._best_loss_at_lowest_rate[gained] = loss[gained]
        self._lowest_rate_waits[gained] = 0
        self._lowest_rate_waits[lowest & ~gained] += 1
        self._end(lowest & (self._lowest_rate_waits >= self._training.patience), "lowest rate")

    def _stop_early(self, monitor: NDArray[np.float64]) -> NDArray[np.bool_]:
        watched = self.running & (self.epochs >= self._first_epoch)
        improved = watched & (monitor < self._best_monitor)
        self._best_monitor[improved] = monitor[improved]
        self._monitor_waits[improved] = 0
        self._monitor_waits[watched & ~improved] += 1
        self._end(self.running & (self._monitor_waits >= self._training.patience), "patience")
        return improved
