"""What a run tells while it goes on, and what it answers in the end."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remix_study.study.task import Task


@dataclass(frozen=True)
class Failure:
    """A point that could not be finished."""

    study: str
    point: str
    reason: str


@dataclass(eq=False)
class Summary:
    """What a run did.

    Attributes:
        points: Points of all problems.
        done_before: Points that were complete when it began.
        completed: Points it completed.
        complete: Points that are complete now; another process may have added to them.
        failures: Points that failed.
        ran: Trials it began.
        recycled: Whether it ended before its time, to be followed by another process.
    """

    points: int = 0
    done_before: int = 0
    completed: int = 0
    complete: int = 0
    failures: list[Failure] = field(default_factory=list)
    ran: int = 0
    recycled: bool = False


class Reporter:
    """What is told while a study runs; this one says nothing."""

    def loading(self) -> AbstractContextManager[None]:
        """Surrounds the import of Keras and TensorFlow, which takes seconds."""
        return nullcontext()

    def problem(self, task: Task, points: int, done: int) -> None:
        """A problem begins with ``done`` of ``points`` complete."""

    def trial(self, label: str, members: int, most_epochs: int) -> None:
        """A point begins to train."""

    def epoch(self, members: int) -> None:
        """``members`` networks trained an epoch."""

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:
        """A point is done."""

    def failed(self, label: str, reason: str) -> None:
        """A point failed, or was taken over by another process."""

    def retried(self, label: str, reason: str) -> None:
        """A point failed and will be tried again."""

    def turn(self, name: str, points: int, done: int) -> None:
        """What follows is of the problem ``name``, of which ``done`` points are complete."""

    def note(self, text: str) -> None:
        """Something happened that a person should know: a worker died, say."""
