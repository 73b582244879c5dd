"""Working through a problem's points: claimed one at a time, or as many as train side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import insert

from remix_study.study import baseline_trial, leases, tables
from remix_study.study.active_trial import ActiveTrial, Crashed, Result, each, last_line, train
from remix_study.study.baseline_trial import NO_BASELINE
from remix_study.study.configurations import Configuration, configuration_of, label_of
from remix_study.study.evaluation import Evaluation, MembersFailed
from remix_study.study.finish_trial import fail, free_dead, tell
from remix_study.study.leases import Worker
from remix_study.study.manifest import manifest
from remix_study.study.nested_search import take_choices
from remix_study.study.remaining import given_up, left, waits
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.retry import patiently
from remix_study.study.shared_program import share_program, trials_per_program
from remix_study.study.signals import Signals
from remix_study.study.start_trial import ask, suggested
from remix_study.study.trial_status import (
    INTERRUPTED,
    MOST_TRIES,
    TAKEN_OVER,
    complete,
    settled,
    tried,
)
from remix_study.study.trials import TakenOver, Trials
from remix_study.study.worker_limits import WorkerLimits

T = TypeVar("T")


@dataclass(eq=False)
class TrialLoop:
    """One problem's points, and who works on them.

    Attributes:
        trials: The problem's trials.
        worker: This process.
        told: Told what happens.
        signals: Keeps signals away while something is written.
        summary: What was done is added to it.
        terms: When it has done its part.
        waits: Whether nothing can be done before another worker has trained the baseline.
    """

    trials: Trials
    worker: Worker
    told: Reporter
    signals: Signals
    summary: Summary
    terms: WorkerLimits
    waits: bool = False
    _begun: bool = False
    _told_hopeless: bool = False
    _lost: Counter[str] = field(default_factory=Counter)

    def do(self, command: str) -> bool:
        """Run points until none is left to claim; ``command`` goes into the manifest.

        May be called again, to look for what others have left.

        Returns:
            Whether others still work on some.
        """
        self._patiently(lambda: free_dead(self.trials))
        self._patiently(lambda: take_choices(self.trials))
        if not self._begun:
            self._begin(command)
        freed = True
        while going := self._patiently(self._claim):
            self._work_on(going)
            self.summary.ran += len(going)
            freed = False
            if self.terms.most and self.summary.ran >= self.terms.most:
                self.summary.recycled = True
                return False
        if not freed:
            # A worker may have died meanwhile.
            return self.do(command)
        others = self._patiently(self._left)
        self.waits = others and self._patiently(lambda: baseline_trial.is_lacking(self.trials))
        return others

    def _left(self) -> bool:
        if baseline_trial.has_failed(self.trials) and not self._told_hopeless:
            self._told_hopeless = True
            self.told.failed("all others", NO_BASELINE)
        if not left(self.trials):
            # The last trial of a search may just have settled what it chooses.
            take_choices(self.trials)
        return bool(left(self.trials))

    def finish(self) -> None:
        """Add what has become of the points to the summary."""
        done = self._patiently(lambda: complete(self.trials))
        self.summary.points += self.trials.total
        self.summary.complete += min(len(done), self.trials.total)
        self.summary.failures += self._patiently(lambda: given_up(self.trials)).values()

    def _begin(self, command: str) -> None:
        self._begun = True
        total, done = self.trials.total, len(complete(self.trials))
        self.summary.done_before += min(done, total)
        self.told.problem(self.trials.task, total, min(done, total))
        if done < total and self.terms.manifest:
            self._patiently(lambda: self._keep_manifest(command))

    def _claim(self) -> list[ActiveTrial]:
        """Claim the next point, and those that train beside it."""
        first = self._next()
        if first is None:
            return []
        return [
            ActiveTrial(point, self.trials.slot(point), point) for point in self._beside(first)
        ]

    def _next(self) -> str | None:
        """Claim the first point that is neither settled nor another worker's."""
        closed = self._closed()
        for point in self.trials.points:
            if point not in closed and not waits(self.trials, point) and self._take(point):
                return point
        return None

    def _beside(self, first: str) -> list[str]:
        """Claim more points that one program trains, with the first in the order of the plan.

        Workers share what is open. A point that has failed is tried alone: it may have been what
        brought the others down.
        """
        found, most = [first], trials_per_program(self.trials.task)
        if self.terms.most:
            most = min(most, self.terms.most - self.summary.ran)
        if most == 1 or first in (tried_before := tried(self.trials)):
            return found
        with self.trials.storage.engine.connect() as connection:
            workers = max(1, len(leases.living(connection)))
        closed = self._closed() | tried_before | {first}
        open_ = [point for point in self.trials.points if point not in closed]
        most = min(most, -(-(len(open_) + 1) // workers))
        setting = self._setting(first)
        for point in open_:
            if len(found) == most:
                break
            if share_program(setting, self._setting(point)) and self._take(point):
                found.append(point)
        return found

    def _closed(self) -> set[str]:
        """Points that are not to be claimed."""
        with self.trials.storage.engine.connect() as connection:
            # Between points this worker holds none, but for one whose claim was lost on its way.
            held = leases.claimed(connection, self.trials.entry.uuid, but=self.worker)
        lost = {point for point, times in self._lost.items() if times == MOST_TRIES}
        return held.keys() | settled(self.trials) | lost

    def _take(self, point: str) -> bool:
        """Claim a point; False where another worker has it, or has just finished it."""
        if not self.worker.claim(self.trials.entry.uuid, point):
            return False
        if point not in settled(self.trials):
            return True
        self.worker.release(self.trials.entry.uuid, point)
        return False

    def _setting(self, point: str) -> Configuration:
        task = self.trials.task
        return configuration_of(self.trials.planned[point], task.spec.training, task.study.model)

    def _work_on(self, going: list[ActiveTrial]) -> None:
        """Run claimed points; whatever happens, their claims are given back."""
        try:
            with self.worker.beating(lambda: self._beat(going)):
                begun = [one for one in going if self._ends_well(one, self._begin_trial)]
                found = train(self.trials, begun, self.told, self.signals)
                # What has been trained is kept, though a signal may have come.
                with self.signals.critical():
                    self._tell(begun, found)
        except Crashed as error:
            with self.signals.critical():
                for one in (one for one in going if one.trial is not None):
                    self._fail(one, str(error))
                    again = one.point not in self._patiently(lambda: given_up(self.trials))
                    (self.told.retried if again else self.told.failed)(one.label, str(error))
        except BaseException as error:
            # Interrupted, or a defect: the trials are closed, the next run takes them again.
            interrupted = isinstance(error, KeyboardInterrupt) or self.signals.received
            reason = INTERRUPTED if interrupted else last_line(error)
            with self.signals.critical():
                each(going, lambda one: self._fail(one, reason))
            raise
        finally:
            with self.signals.critical():
                each(going, self._release)

    def _beat(self, going: Sequence[ActiveTrial]) -> None:
        for trial in [one.trial for one in going]:
            if trial is not None:
                self.trials.storage.record_heartbeat(trial._trial_id)

    def _ends_well(self, one: ActiveTrial, do: Callable[[ActiveTrial], None]) -> bool:
        """Do something for one trial; what ends that trial alone ends no other."""
        try:
            do(one)
        except TakenOver:
            self._lost[one.point] += 1
            self._fail(one, TAKEN_OVER)
            self.told.failed(one.label, TAKEN_OVER)
            return False
        except MembersFailed as error:
            self._fail(one, str(error), final=True)
            self.told.failed(one.label, str(error))
            return False
        return True

    def _begin_trial(self, one: ActiveTrial) -> None:
        with self.signals.critical():
            one.trial = trial = self._patiently(lambda: ask(self.trials, one.point))
            study_uuid, number = self.trials.entry.uuid, trial.number
            if not self._patiently(lambda: self.worker.assign(study_uuid, one.point, number)):
                raise TakenOver
        one.parameters = self._patiently(lambda: suggested(self.trials, trial, one.point))
        one.label = label_of(one.parameters)

    def _patiently(self, do: Callable[[], T]) -> T:
        return patiently(do, self.signals)

    def _release(self, one: ActiveTrial) -> None:
        self._patiently(lambda: self.worker.release(self.trials.entry.uuid, one.point))

    def _tell(self, begun: Sequence[ActiveTrial], found: Sequence[Result]) -> None:
        """Put all results into the database, then say so: nobody may be left to hear it."""
        results = dict(zip((one.point for one in begun), found, strict=True))
        kept = [
            one
            for one in begun
            if self._ends_well(one, lambda one: self._keep(one, results[one.point]))
        ]
        for one in kept:
            result = results[one.point]
            assert isinstance(result, Evaluation)
            values = dict(zip(self.trials.task.study.objectives, result.values, strict=True))
            told = f"{one.label}, pruned" if result.pruned else one.label
            self.told.complete(told, values, result.seconds)

    def _keep(self, one: ActiveTrial, found: Result) -> None:
        if not isinstance(found, Evaluation):
            raise found
        trial, study_uuid = one.trial, self.trials.entry.uuid
        assert trial is not None
        if not self._patiently(lambda: self.worker.holds(study_uuid, one.point)):
            raise TakenOver
        self._patiently(lambda: tell(self.trials, trial, found, one.slot))
        one.trial = None
        self.summary.completed += 1

    def _fail(self, one: ActiveTrial, reason: str, *, final: bool = False) -> None:
        """Close the trial of a point, if it has begun and is open."""
        if one.trial is not None:
            number, storage = one.trial._trial_id, self.trials.storage
            slot = one.slot if final else None
            with self.signals.critical():
                self._patiently(lambda: fail(storage, number, reason, slot, final=final))
                one.trial = None

    def _keep_manifest(self, command: str) -> None:
        row = {
            "study_uuid": self.trials.entry.uuid,
            "manifest": manifest(self.trials.task, command),
        }
        with self.trials.storage.engine.begin() as connection:
            connection.execute(insert(tables.manifests).values(row))
