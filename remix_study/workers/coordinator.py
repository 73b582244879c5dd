"""Handling the events of worker processes, and the summary of their run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from remix_study import errors
from remix_study.errors import RemixStudyError, WorkersDied
from remix_study.study.database_errors import retry_transient
from remix_study.study.lost_studies import LostStudies
from remix_study.study.reporter import ALL_OTHERS, Reporter, Summary
from remix_study.study.schedule import Schedule, run_failures
from remix_study.study.signals import Signals
from remix_study.study.trial_loop import WorkerLimits
from remix_study.study.trials import close_dead_trials
from remix_study.workers.worker_spec import Event

T = TypeVar("T")


@dataclass(eq=False)
class Coordinator:
    """Passes events of worker processes on to a reporter, and counts configurations.

    Attributes:
        schedules: What each task trains.
        reporter: Receives the events.
        signals: A signal ends the wait for a database that is away.
        limits: When the workers end.
        summary: What the run did.
    """

    schedules: Sequence[Schedule]
    reporter: Reporter
    signals: Signals
    limits: WorkerLimits = field(default_factory=WorkerLimits)
    summary: Summary = field(default_factory=Summary)
    _complete: Counter[str] = field(default_factory=Counter)
    _announced: list[str] = field(default_factory=list)
    _ended: set[tuple[str, str]] = field(default_factory=set)
    _noted: set[str] = field(default_factory=set)
    _failed_start: str = ""

    def begin(self) -> bool:
        """Close trials of dead workers and count; returns whether anything is left to do."""
        unfinished = []
        for schedule in self.schedules:
            self._retry(partial(close_dead_trials, schedule.trials))
            name = schedule.trials.task.name
            self._complete[name] = self._retry(schedule.n_complete)
            self.summary.complete_before += self._complete[name]
            if self._complete[name] < schedule.total:
                unfinished.append(name)
        for name in unfinished[:1]:
            self._announce(name)
        return bool(unfinished)

    def handle_event(self, event: Event) -> None:
        """Report and count one event of a worker process.

        Raises:
            RemixStudyError: The worker has met a mistake of the user's, or lost its database.
        """
        kind = event["kind"]
        if kind == "error":
            raise getattr(errors, event["error"], RemixStudyError)(event["message"])
        if kind == "died":
            where = f" at {event['label']}" if event["label"] else ""
            self._failed_start = event["how"] if event["last"] else self._failed_start
            consequence = "" if event["last"] else ", another takes its place"
            self.reporter.note(f"a worker died{where} ({event['how']}){consequence}")
        elif kind == "note":
            # Every worker says so.
            if event["text"] not in self._noted:
                self._noted.add(event["text"])
                self.reporter.note(event["text"])
        elif kind == "complete":
            self._noted.clear()
            self._announce(event["problem"])
            self._complete[event["problem"]] += 1
            self.summary.completed += 1
            self.reporter.complete(event["label"], event["values"], event["seconds"])
        elif kind in ("failed", "retried"):
            reason = event["problem"], event["reason"]
            if event["label"] == ALL_OTHERS:
                if reason in self._ended:
                    # Every worker says so.
                    return
                self._ended.add(reason)
            self._announce(event["problem"])
            report = self.reporter.failed if kind == "failed" else self.reporter.retried
            report(event["label"], event["reason"])

    def finish(self) -> None:
        """Close trials of dead workers, and complete the summary.

        Raises:
            WorkersDied: Workers could not begin a trial, and configurations are left.
        """
        # What workers have said needs no second line.
        reporter = Reporter() if self._ended else self.reporter
        lost, is_unfinished = LostStudies(self.schedules, reporter, self.summary), False
        for schedule in self.schedules:
            finish = partial(self._finish_schedule, schedule)
            is_unfinished |= lost.attempt(schedule, finish, False)
        self.summary.timed_out = is_unfinished and self.limits.is_out_of_time
        if is_unfinished and self._failed_start:
            raise WorkersDied(
                f"worker processes died before they began a trial ({self._failed_start}), and "
                "configurations are left; if memory is short, run again with fewer workers"
            )

    def _finish_schedule(self, schedule: Schedule) -> bool:
        """Add a task to the summary; returns whether any of it is left."""
        self.summary.configurations += schedule.total
        self._retry(partial(close_dead_trials, schedule.trials))
        self._retry(schedule.update)
        is_unfinished = bool(self._retry(schedule.open))
        self.summary.complete += self._retry(schedule.n_complete)
        self.summary.failures += self._retry(lambda: run_failures(schedule)).values()
        self.summary.remarks += filter(None, [self._retry(schedule.remark)])
        return is_unfinished

    def _retry(self, operation: Callable[[], T]) -> T:
        return retry_transient(operation, self.signals, self.reporter.note)

    def _announce(self, name: str) -> None:
        """Report which task the next event belongs to, where that is not the last one's."""
        if not name:
            # Said by a worker that has begun none, as where its study was just deleted.
            return
        (schedule,) = (s for s in self.schedules if s.trials.task.name == name)
        if name not in self._announced:
            self.reporter.problem(schedule.trials.task, schedule.total, self._complete[name])
        elif name != self._announced[-1]:
            self.reporter.switch_problem(name, schedule.total, self._complete[name])
        self._announced.append(name)
