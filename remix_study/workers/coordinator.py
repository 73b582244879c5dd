"""What the parent of some workers knows while they run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from remix_study import errors
from remix_study.errors import RemixStudyError, WorkersDied
from remix_study.study.finish_trial import free_dead
from remix_study.study.nested_search import take_choices
from remix_study.study.remaining import given_up, left
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.retry import patiently
from remix_study.study.signals import Signals
from remix_study.study.trial_status import complete
from remix_study.study.trials import Trials
from remix_study.workers.worker_spec import Event


@dataclass(eq=False)
class Coordinator:
    """Passes on what workers tell, and sums up.

    Attributes:
        problems: The problems' trials, by name.
        told: Told what happens.
        signals: Looked at while a database is waited for.
        summary: What was done.
    """

    problems: dict[str, Trials]
    told: Reporter
    signals: Signals
    summary: Summary = field(default_factory=Summary)
    _done: Counter[str] = field(default_factory=Counter)
    _shown: list[str] = field(default_factory=list)
    _lost: str = ""

    def begin(self) -> bool:
        """Free what dead workers left; whether there is anything to do."""
        open_ = []
        for name, trials in self.problems.items():
            free_dead(trials)
            self._done[name] = min(len(complete(trials)), trials.total)
            self.summary.done_before += self._done[name]
            if self._done[name] < trials.total:
                open_.append(name)
        for name in open_[:1]:
            self._turn(name)
        return bool(open_)

    def hear(self, event: Event) -> None:
        """Pass on what a worker tells.

        Raises:
            RemixStudyError: It has met a mistake of the user's, or its database is gone.
        """
        kind = event["kind"]
        if kind == "error":
            raise getattr(errors, event["error"], RemixStudyError)(event["message"])
        if kind == "died":
            place = f" at {event['label']}" if event["label"] else ""
            self._lost = event["how"] if event["last"] else self._lost
            follows = "" if event["last"] else ", another takes its place"
            self.told.note(f"a worker died{place} ({event['how']}){follows}")
        elif kind == "complete":
            self._turn(event["problem"])
            self._done[event["problem"]] += 1
            self.summary.completed += 1
            self.told.complete(event["label"], event["values"], event["seconds"])
        elif kind in ("failed", "retried"):
            self._turn(event["problem"])
            tell = self.told.failed if kind == "failed" else self.told.retried
            tell(event["label"], event["reason"])

    def finish(self) -> None:
        """Close what dead workers left, and count.

        Raises:
            WorkersDied: They have left points that nobody tried.
        """
        unfinished = False
        for trials in self.problems.values():
            patiently(partial(free_dead, trials), self.signals)
            patiently(partial(take_choices, trials), self.signals)
            done = patiently(partial(complete, trials), self.signals)
            unfinished |= bool(patiently(partial(left, trials), self.signals))
            self.summary.points += trials.total
            self.summary.complete += min(len(done), trials.total)
            self.summary.failures += given_up(trials).values()
        if unfinished and self._lost:
            raise WorkersDied(
                f"workers died before they began a trial ({self._lost}), and points are left; "
                "are there too many for the memory? run again with fewer"
            )

    def _turn(self, name: str) -> None:
        """Say of which problem is spoken."""
        trials = self.problems[name]
        if name not in self._shown:
            self.told.problem(trials.task, trials.total, self._done[name])
        elif name != self._shown[-1]:
            self.told.turn(name, trials.total, self._done[name])
        self._shown.append(name)
