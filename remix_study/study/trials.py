"""The trials of one task in the database: read by state, and closed where they fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from remix_study.study import tables
from remix_study.study.record import delete_run
from remix_study.study.registration import RegisteredStudy
from remix_study.study.task import Task

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

# User attributes of trials: the slot that a trial fills, why it failed, and that it would
# fail again.
ASKED_FOR = "slot asked for"
FAILED = "failed"
FINAL = "final"

DIED = "its worker died"
INTERRUPTED = "interrupted"
TAKEN_OVER = "another process has taken it over"
NOT_PLANNED = "not part of the plan"
NOT_FIRST = "not one of the first points"
NO_TRY = (INTERRUPTED, TAKEN_OVER, NOT_PLANNED, NOT_FIRST)
"""Reasons of failures that do not count as a try of the configuration."""

SCORED = ("COMPLETE", "PRUNED")
"""States of trials that have scores."""


class TakenOver(Exception):
    """Raised when another worker has closed the trial, after this one was silent for too long."""


@dataclass(frozen=True)
class Start:
    """State of a task when the run began that a worker process belongs to.

    Attributes:
        trials: Number of trials at that time; failures among them may be tried again.
        slots: Slots of a search that the run may use; 0 for a grid.
    """

    trials: int
    slots: int


@dataclass(eq=False)
class Trials:
    """The trials of one task.

    Attributes:
        storage: The database.
        task: The task.
        registered: Its study in the database.
        start: Its state when the run began.
        keys: Keys of the configurations, or slots, of trials that have ended, by trial number.
    """

    storage: RDBStorage
    task: Task
    registered: RegisteredStudy
    start: Start = Start(0, 0)
    keys: dict[int, str] = field(init=False, default_factory=dict)

    def in_state(self, *states: str) -> list[FrozenTrial]:
        """Trials in any of some of Optuna's states, in the order of their numbers."""
        wanted = tuple(TrialState[state] for state in states)
        return self.registered.optuna.get_trials(deepcopy=False, states=wanted)

    def ended(self) -> list[FrozenTrial]:
        """Trials that have ended, with scores or without."""
        return self.in_state(*SCORED, "FAIL")


def fail_trial(
    storage: RDBStorage,
    trial_id: int,
    reason: str,
    slot: int | None = None,
    *,
    final: bool = False,
) -> None:
    """Close a trial as FAIL and delete its rows, unless it is closed already.

    Args:
        storage: The database.
        trial_id: Optuna's id.
        reason: Kept with the trial.
        slot: The slot that it used up; None if it is to be used again.
        final: Whether it would fail again if it were tried again.
    """
    try:
        storage.set_trial_user_attr(trial_id, FAILED, reason[: tables.MAX_ATTRIBUTE_LENGTH])
        if slot is not None:
            storage.set_trial_user_attr(trial_id, tables.SLOT_ATTRIBUTE, slot)
        if final:
            storage.set_trial_user_attr(trial_id, FINAL, True)
        storage.set_trial_state_values(trial_id, TrialState.FAIL)
    except UpdateFinishedTrialError:
        return
    run = storage.get_trial(trial_id).user_attrs.get(tables.RUN_ATTRIBUTE)
    if run is not None:
        # Only now, when nobody can complete the trial any more.
        delete_run(storage.engine, run)
