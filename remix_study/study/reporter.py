"""What a run reports while it goes on, and what it returns in the end."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remix_study.study.task import Task


ALL_OTHERS = "all others"
"""The configuration of a failure that ends all that are left of a task."""


@dataclass(frozen=True)
class Failure:
    """A configuration that the run has given up, and why its last trial failed."""

    study: str
    configuration: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """The failure as commands print it for programs."""
        return {"study": self.study, "point": self.configuration, "reason": self.reason}


@dataclass(eq=False)
class Summary:
    """What a run did, in configurations of all tasks.

    Attributes:
        configurations: How many there are.
        complete_before: How many were complete when the run began.
        completed: How many the run completed.
        complete: How many are complete now; other processes may have added to them.
        failures: Those that failed.
        started: Trials that the run began.
        recycled: Whether the process ended early, to be followed by another one.
        timed_out: Whether the time was up before all were trained.
        remarks: What a person should know at the end, one line each.
    """

    configurations: int = 0
    complete_before: int = 0
    completed: int = 0
    complete: int = 0
    failures: list[Failure] = field(default_factory=list)
    started: int = 0
    recycled: bool = False
    timed_out: bool = False
    remarks: list[str] = field(default_factory=list)

    @property
    def has_lost_all(self) -> bool:
        """Whether all that was left of a task has failed, such as where its study was deleted."""
        return any(failure.configuration == ALL_OTHERS for failure in self.failures)

    @property
    def open(self) -> int:
        """How many configurations are left to others or to a later run."""
        if self.has_lost_all:
            return 0
        return max(0, self.configurations - self.complete - len(self.failures))

    def as_json(self) -> dict[str, Any]:
        """The summary as commands print it for programs."""
        return {
            "points": self.configurations,
            "complete_before": self.complete_before,
            "completed": self.completed,
            "complete": self.complete,
            "failures": [failure.as_json() for failure in self.failures],
            "timed_out": self.timed_out,
            "remarks": self.remarks,
        }


class Reporter:
    """Receives the events of a run; this one ignores them all."""

    def loading(self) -> AbstractContextManager[None]:
        """Surround the import of Keras and its backend, which takes seconds."""
        return nullcontext()

    def problem(self, task: Task, configurations: int, done: int) -> None:
        """A task begins with ``done`` of its configurations complete."""

    def trial(self, label: str, members: int, max_epochs: int) -> None:
        """A configuration begins to train ``members`` networks."""

    def epoch(self, members: int) -> None:
        """``members`` networks trained an epoch."""

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:
        """A configuration is complete; ``values`` are its objectives."""

    def failed(self, label: str, reason: str) -> None:
        """A configuration failed, or was taken over by another process."""

    def retried(self, label: str, reason: str) -> None:
        """A configuration failed and will be tried again."""

    def switch_problem(self, name: str, configurations: int, done: int) -> None:
        """The next events are of another task, with ``done`` of its configurations complete."""

    def note(self, text: str) -> None:
        """Something happened that a person should know: a worker died, for example."""
