"""Running a task's configurations, leased one at a time or as many as train side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from optuna.exceptions import UpdateFinishedTrialError

from remix_study.study.active_trials import (
    ActiveTrial,
    TrainingCrashed,
    describe_error,
    for_each,
    train_trials,
)
from remix_study.study.configuration_queue import ConfigurationQueue
from remix_study.study.configurations import label_of
from remix_study.study.database_errors import retry_transient
from remix_study.study.evaluation import Evaluation
from remix_study.study.extensions import mark_extended
from remix_study.study.leases import Worker
from remix_study.study.optuna_tables import INTERRUPTED, TAKEN_OVER
from remix_study.study.record import manifest, record_manifest
from remix_study.study.reporter import ALL_OTHERS, Reporter, Summary
from remix_study.study.schedule import (
    NO_BASELINE,
    Schedule,
    run_failures,
    slot_of,
)
from remix_study.study.scoring import MembersFailed
from remix_study.study.signals import Signals
from remix_study.study.trials import (
    Start,
    TakenOver,
    Trials,
    close_dead_trials,
    fail_trial,
    finish_trial,
)

T = TypeVar("T")

_POLL_SECONDS = 0.1  # Between two looks at what other workers choose


@dataclass(frozen=True)
class WorkerLimits:
    """How many trials a worker process runs, and whether it waits for others.

    Attributes:
        max_trials: Trials after which it ends, so that another may take its place; 0 for no end.
        waits: Whether it stays while others still work, to take over what they leave.
        starts: State of the tasks when the run began, by name; the present state for others.
        writes_manifest: Whether it adds a manifest.
        retries_opening: Whether it waits for a database that cannot be opened yet.
        deadline: Time, in seconds since 1970, after which it begins no trial; None for no end.
            The clocks of several machines are taken to agree.
    """

    max_trials: int = 0
    waits: bool = False
    starts: Mapping[str, Start] = field(default_factory=dict)
    writes_manifest: bool = True
    retries_opening: bool = False
    deadline: float | None = None

    @property
    def is_out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.time() >= self.deadline


@dataclass(eq=False)
class TrialLoop:
    """A worker's loop over the configurations of one task.

    Attributes:
        schedule: What the task trains.
        worker: This process.
        reporter: Receives the events.
        signals: Keeps signals away while something is written.
        summary: What was done is added to it.
        limits: When the worker ends.
        waits_for_baseline: Whether nothing can begin before another worker has trained the
            baseline.
    """

    schedule: Schedule
    worker: Worker
    reporter: Reporter
    signals: Signals
    summary: Summary
    limits: WorkerLimits
    waits_for_baseline: bool = False
    _has_begun: bool = False
    _has_reported_baseline: bool = False
    _queue: ConfigurationQueue = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the first configuration of the plan."""
        self._queue = ConfigurationQueue(self.schedule, self.worker)

    @property
    def trials(self) -> Trials:
        """The trials of the task."""
        return self.schedule.trials

    def run(self, command: str) -> bool:
        """Train configurations until none is left to lease.

        May be called again, to look for what other workers have left.

        Args:
            command: For the manifest.

        Returns:
            Whether others still work on some.
        """
        self._retry(lambda: close_dead_trials(self.trials))
        self._retry(self.schedule.update)
        if not self._has_begun:
            self._begin(command)
        is_idle = True
        while not self._has_timed_out() and (active := self._retry(self._lease)):
            self._train(active)
            self.summary.started += len(active)
            is_idle = False
            if self.limits.max_trials and self.summary.started >= self.limits.max_trials:
                self.summary.recycled = True
                return False
        if self.summary.timed_out:
            return False
        if not is_idle:
            # A worker may have died meanwhile.
            return self.run(command)
        return self._retry(self._others_work)

    def _has_timed_out(self) -> bool:
        """Whether the time is up; noted where configurations are left open."""
        is_out_of_time = self.limits.is_out_of_time
        self.summary.timed_out |= is_out_of_time and bool(self._retry(self.schedule.open))
        return is_out_of_time

    def _others_work(self) -> bool:
        baseline = self.schedule.baseline_state()
        if baseline == "failed" and not self._has_reported_baseline:
            self._has_reported_baseline = True
            self.reporter.failed(ALL_OTHERS, NO_BASELINE)
        if not self.schedule.open():
            # The last trial of an inner search may just have decided what it chooses.
            self.schedule.update()
        others_work = bool(self.schedule.open())
        self.waits_for_baseline = others_work and baseline == "missing"
        return others_work

    def finish(self) -> None:
        """Add the task's configurations to the summary."""
        self.summary.configurations += self.schedule.total
        self._retry(self.trials.check_database)
        self.summary.complete += self._retry(self.schedule.n_complete)
        self.summary.failures += self._retry(lambda: run_failures(self.schedule)).values()
        self.summary.remarks += filter(None, [self._retry(self.schedule.remark)])

    def _begin(self, command: str) -> None:
        self._has_begun = True
        total, n_complete = self.schedule.total, self._retry(self.schedule.n_complete)
        self.summary.complete_before += n_complete
        self.reporter.problem(self.trials.task, total, n_complete)
        if n_complete < total and self.limits.writes_manifest:
            content, study = manifest(self.trials.task, command), self.trials.registered.uuid
            self._retry(lambda: record_manifest(self.trials.storage.engine, study, content))

    def _lease(self) -> list[ActiveTrial]:
        self.trials.check_database()
        limit = self.limits.max_trials
        return self._queue.lease(limit - self.summary.started if limit else None)

    def _train(self, active: list[ActiveTrial]) -> None:
        """Train leased configurations; whatever happens, their leases are given back."""
        try:
            with self.worker.heartbeat(lambda: self._record_heartbeats(active)):
                others = self._retry(self.worker.others_at_work)
                begun = [trial for trial in active if self._goes_on(trial, self._start)]
                train_trials(self.schedule, begun, self.reporter, self.signals)
                # Results are kept, also where a signal has come.
                with self.signals.critical():
                    others = max(others, self._retry(self.worker.others_at_work))
                    self._finish_all(begun, others)
        except TrainingCrashed as error:
            with self.signals.critical():
                for trial in [trial for trial in active if trial.trial is not None]:
                    self._fail(trial, str(error))
                    given_up = self._retry(lambda: run_failures(self.schedule))
                    is_final = trial.key in given_up
                    report = self.reporter.failed if is_final else self.reporter.retried
                    report(trial.label, str(error))
        except BaseException as error:
            # Interrupted, or a defect: the trials are closed, and the next run repeats them.
            is_interrupted = isinstance(error, KeyboardInterrupt) or self.signals.received
            reason = INTERRUPTED if is_interrupted else describe_error(error)
            with self.signals.critical():
                for_each(active, lambda trial: self._fail(trial, reason))
            raise
        finally:
            with self.signals.critical():
                for_each(active, self._release)

    def _record_heartbeats(self, active: Sequence[ActiveTrial]) -> None:
        for trial in [active_trial.trial for active_trial in active]:
            if trial is not None:
                self.trials.storage.record_heartbeat(trial._trial_id)

    def _goes_on(self, trial: ActiveTrial, action: Callable[[ActiveTrial], None]) -> bool:
        """Whether a trial goes on after an action; what ends this trial ends no other."""
        try:
            action(trial)
        except (TakenOver, UpdateFinishedTrialError):
            # The second is Optuna's, where the trial was closed while a parameter was chosen.
            self._queue.times_lost[trial.key] += 1
            self._fail(trial, TAKEN_OVER)
            self.reporter.failed(trial.label, TAKEN_OVER)
            return False
        except MembersFailed as error:
            self._fail(trial, str(error), final=True)
            self.reporter.failed(trial.label, str(error))
            return False
        return True

    def _start(self, active: ActiveTrial) -> None:
        with self.signals.critical():
            active.trial = trial = self._retry(lambda: self.schedule.start(active.key))
            uuid, number = self.trials.registered.uuid, trial.number
            if not self._retry(lambda: self.worker.assign_trial(uuid, active.key, number)):
                raise TakenOver
        while self._retry(lambda: self.schedule.must_wait(trial, active.key)):
            time.sleep(_POLL_SECONDS)
        active.parameters = self._retry(lambda: self.schedule.parameters(trial, active.key))
        active.label = label_of(active.parameters) + self.schedule.label_end(active.key)
        active.earlier = earlier = self._retry(lambda: self.schedule.earlier(active.key))
        if earlier is not None:
            first, last = earlier.repeats + 1, self.trials.task.study.cv.repeats
            added = f"repeat {last}" if first == last else f"repeats {first} to {last}"
            active.label += f", {added}"

    def _retry(self, operation: Callable[[], T]) -> T:
        # A signal within a transaction would leave it open, and the database locked.
        with self.signals.critical():
            return retry_transient(operation, self.signals, self.reporter.note)

    def _release(self, active: ActiveTrial) -> None:
        self._retry(lambda: self.worker.release(self.trials.registered.uuid, active.key))

    def _finish_all(self, begun: Sequence[ActiveTrial], others: int) -> None:
        """Write all results into the database before any is reported, which may raise."""
        finished = [
            trial for trial in begun if self._goes_on(trial, lambda t: self._finish(t, others))
        ]
        for trial in finished:
            evaluation = trial.result
            assert isinstance(evaluation, Evaluation)
            values = dict(zip(self.trials.task.study.objectives, evaluation.values, strict=True))
            label = f"{trial.label}, pruned" if evaluation.pruned else trial.label
            self.reporter.complete(label, values, evaluation.seconds)

    def _finish(self, active: ActiveTrial, other_workers: int) -> None:
        trial, result, uuid = active.trial, active.result, self.trials.registered.uuid
        assert trial is not None
        assert result is not None
        if not isinstance(result, Evaluation):
            raise result
        if not self._retry(lambda: self.worker.holds(uuid, active.key)):
            raise TakenOver

        def write() -> None:
            margins = self.schedule.margins(result, active.key)
            facts = {"other_workers": other_workers, **self.schedule.facts(active.key)}
            finish_trial(self.trials, trial, result, slot_of(active.key), margins, facts)
            if result.earlier:
                engine = self.trials.storage.engine
                mark_extended(engine, result.earlier.trial_id, trial.number)

        self._retry(write)
        active.trial = None
        self.summary.completed += 1

    def _fail(self, active: ActiveTrial, reason: str, *, final: bool = False) -> None:
        """Close a trial as failed, if it has begun and is open."""
        if active.trial is not None:
            number, storage = active.trial._trial_id, self.trials.storage
            slot = slot_of(active.key) if final else None
            with self.signals.critical():
                self._retry(self.trials.check_study)
                self._retry(lambda: fail_trial(storage, number, reason, slot, final=final))
                active.trial = None
