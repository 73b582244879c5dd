"""Handling the events of worker processes, and the summary of their run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from remix_study import errors
from remix_study.errors import RemixStudyError, WorkersDied
from remix_study.study.finish_trial import close_dead_trials
from remix_study.study.nested_search import update_outer_slots
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.retry import retry_transient
from remix_study.study.signals import Signals
from remix_study.study.trial_status import (
    complete_configurations,
    open_configurations,
    run_failures,
)
from remix_study.study.trials import Trials
from remix_study.workers.worker_spec import Event


@dataclass(eq=False)
class Coordinator:
    """Passes events of worker processes on to a reporter, and counts configurations.

    Attributes:
        problems: Trials of each task, by its name.
        reporter: Receives the events.
        signals: A signal ends the wait for a database that is away.
        summary: What the run did.
    """

    problems: dict[str, Trials]
    reporter: Reporter
    signals: Signals
    summary: Summary = field(default_factory=Summary)
    _complete: Counter[str] = field(default_factory=Counter)
    _announced: list[str] = field(default_factory=list)
    _failed_start: str = ""

    def begin(self) -> bool:
        """Close trials of dead workers and count; returns whether anything is left to do."""
        unfinished = []
        for name, trials in self.problems.items():
            close_dead_trials(trials)
            self._complete[name] = min(len(complete_configurations(trials)), trials.total)
            self.summary.complete_before += self._complete[name]
            if self._complete[name] < trials.total:
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
        elif kind == "complete":
            self._announce(event["problem"])
            self._complete[event["problem"]] += 1
            self.summary.completed += 1
            self.reporter.complete(event["label"], event["values"], event["seconds"])
        elif kind in ("failed", "retried"):
            self._announce(event["problem"])
            report = self.reporter.failed if kind == "failed" else self.reporter.retried
            report(event["label"], event["reason"])

    def finish(self) -> None:
        """Close trials of dead workers, and complete the summary.

        Raises:
            WorkersDied: Workers could not begin a trial, and configurations are left.
        """
        is_unfinished = False
        for trials in self.problems.values():
            retry_transient(partial(close_dead_trials, trials), self.signals)
            retry_transient(partial(update_outer_slots, trials), self.signals)
            complete_keys = retry_transient(partial(complete_configurations, trials), self.signals)
            open_keys = retry_transient(partial(open_configurations, trials), self.signals)
            is_unfinished |= bool(open_keys)
            self.summary.configurations += trials.total
            self.summary.complete += min(len(complete_keys), trials.total)
            self.summary.failures += run_failures(trials).values()
        if is_unfinished and self._failed_start:
            raise WorkersDied(
                f"worker processes died before they began a trial ({self._failed_start}), and "
                "configurations are left; if memory is short, run again with fewer workers"
            )

    def _announce(self, name: str) -> None:
        """Report which task the next event belongs to, where that is not the last one's."""
        trials = self.problems[name]
        if name not in self._announced:
            self.reporter.problem(trials.task, trials.total, self._complete[name])
        elif name != self._announced[-1]:
            self.reporter.switch_problem(name, trials.total, self._complete[name])
        self._announced.append(name)
