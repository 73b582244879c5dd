"""Running what is planned and not done, one claimed point at a time."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import insert

from remix_study.config import Study
from remix_study.data.dataset import Dataset
from remix_study.errors import RemixStudyError
from remix_study.metrics import METRICS
from remix_study.study import claims, tables
from remix_study.study.bench import Bench, prepare
from remix_study.study.catalog import Entry, enter
from remix_study.study.evaluation import Evaluation, MembersFailed, evaluate, peak_memory_mb
from remix_study.study.manifest import manifest
from remix_study.study.points import (
    check_study,
    distributions,
    grid_points,
    key,
    setting_of,
    suggest,
)
from remix_study.study.record import erase, label_of, record
from remix_study.study.storage import DEFAULT_STORAGE, database_errors, open_storage

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial


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
        failures: Points that failed.
    """

    points: int = 0
    done_before: int = 0
    completed: int = 0
    failures: list[Failure] = field(default_factory=list)


class Reporter:
    """What is told while a study runs; this one says nothing."""

    def problem(self, bench: Bench, points: int, done: int) -> None:
        """A problem begins with ``done`` of ``points`` complete."""

    def trial(self, label: str, members: int, most_epochs: int) -> None:
        """A point begins to train."""

    def epoch(self, members: int) -> None:
        """``members`` networks trained an epoch."""

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:
        """A point is done."""

    def failed(self, label: str, reason: str) -> None:
        """A point failed."""


Critical = Callable[[], AbstractContextManager[None]]


def run(
    study: Study,
    *,
    storage: str = DEFAULT_STORAGE,
    data: Dataset | None = None,
    reporter: Reporter | None = None,
    critical: Critical = nullcontext,
    command: str = "",
) -> Summary:
    """Run every point of a study that is not complete.

    Args:
        study: What to run.
        storage: URL of the database.
        data: Data for problems that name none.
        reporter: Told what happens.
        critical: A context in which signals wait; it guards writing a trial's result.
        command: Command line for the manifest.

    Returns:
        What was done; nothing where the study is finished.

    Raises:
        StudyFileError: The study file or a change in it.
        DataError: The data.
        StorageError: The database.
    """
    check_study(study)
    benches = prepare(study, data)
    told = reporter or Reporter()
    opened = open_storage(storage)
    summary = Summary()
    with database_errors(storage):
        claims.bury(opened.engine)
        worker = claims.Worker(opened.engine)
        try:
            # All problems are entered first, so that a change is refused before any training.
            entries = [enter(opened, bench) for bench in benches]
            for bench, entry in zip(benches, entries, strict=True):
                _Runner(opened, bench, entry, worker, told, critical).run(summary, command)
        finally:
            worker.leave()
    return summary


@dataclass(eq=False)
class _Runner:
    """One problem's trials."""

    storage: RDBStorage
    bench: Bench
    entry: Entry
    worker: claims.Worker
    told: Reporter
    critical: Critical
    _tried: set[str] = field(default_factory=set)

    def run(self, summary: Summary, command: str) -> None:
        grid = self.bench.study.search.algorithm == "grid"
        total = len(self._grid()) if grid else self.bench.study.search.trials or 0
        done = len(self._complete()) if grid else self._slots()
        done = min(done, total)
        summary.points += total
        summary.done_before += done
        self.told.problem(self.bench, total, done)
        self._free_dead()
        if done < total:
            self._keep_manifest(command)
        for point, parameters in self._grid_left() if grid else self._search_left(total):
            self._one(point, parameters, summary)

    def _grid(self) -> dict[str, dict[str, Any]]:
        return {key(point): point for point in grid_points(self.bench.study.search.space)}

    def _complete(self) -> set[str]:
        """Planned points that have a COMPLETE trial."""
        planned = self._grid()
        return {key(trial.params) for trial in self._trials("COMPLETE")} & planned.keys()

    def _slots(self) -> int:
        """How far a search is."""
        return len(self._trials("COMPLETE", "PRUNED"))

    def _trials(self, *states: str) -> list[FrozenTrial]:
        from optuna.trial import TrialState

        wanted = tuple(TrialState[state] for state in states)
        return self.entry.optuna.get_trials(deepcopy=False, states=wanted)

    def _grid_left(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        for point, parameters in self._grid().items():
            if point in self._complete() or not self.worker.claim(self.entry.uuid, point):
                continue
            # Another worker may have finished it between the look and the claim.
            if point in self._complete():
                self.worker.release(self.entry.uuid, point)
                continue
            yield point, parameters

    def _search_left(self, total: int) -> Iterator[tuple[str, dict[str, Any] | None]]:
        while (slot := self._slots()) < total:
            point = f"slot {slot}"
            # A failed slot would fail again: the same seed asks for the same point.
            if point in self._tried or not self.worker.claim(self.entry.uuid, point):
                return
            self._tried.add(point)
            yield point, None

    def _one(self, point: str, parameters: dict[str, Any] | None, summary: Summary) -> None:
        """Run one claimed point; whatever happens, its claim is given back."""
        from optuna.trial import TrialState

        trial: Trial | None = None
        label = point
        try:
            trial = self._ask(parameters)
            self.worker.assign(self.entry.uuid, point, trial.number)
            if parameters is None:
                parameters = suggest(trial, self.bench.study.search.space)
            spec = self.bench.spec
            setting = setting_of(parameters, spec.training, self.bench.study.model)
            label = setting.strategy.label
            self.told.trial(label, len(self.bench.folds), setting.training.epochs)
            trial_id = trial._trial_id
            with self.worker.beating(lambda: self.storage.record_heartbeat(trial_id)):
                found = evaluate(self.bench, parameters, setting, self.told.epoch)
            with self.critical():
                self._tell(trial, found)
            summary.completed += 1
            values = dict(zip(self.bench.study.objectives, found.values, strict=True))
            self.told.complete(label_of(found), values, found.seconds)
        except (MembersFailed, MemoryError) as error:
            reason = str(error) or type(error).__name__
            self._fail(trial, reason)
            summary.failures.append(Failure(self.bench.name, label, reason))
            self.told.failed(label, reason)
        except RemixStudyError as error:
            self._fail(trial, str(error))
            raise
        except BaseException as error:
            # Interrupted, or a defect: the trial is closed, the next run takes the point again.
            self._fail(
                trial, "interrupted" if isinstance(error, KeyboardInterrupt) else _last(error)
            )
            raise
        finally:
            self.worker.release(self.entry.uuid, point)
        assert trial is None or self._state(trial) != TrialState.RUNNING

    def _state(self, trial: Trial) -> Any:
        return self.storage.get_trial(trial._trial_id).state

    def _ask(self, parameters: dict[str, Any] | None) -> Trial:
        from remix_study.study.algorithms import PlannedSampler, make_sampler

        study, search = self.entry.optuna, self.bench.study.search
        if parameters is None:
            study.sampler = make_sampler(
                search.algorithm, self.bench.study.seed, self.bench.name, self._slots()
            )
            return study.ask()
        study.sampler = PlannedSampler(parameters)
        return study.ask(distributions(parameters, search.space, self.entry.strategies))

    def _tell(self, trial: Trial, found: Evaluation) -> None:
        """Our rows first, in one transaction, then Optuna: COMPLETE means all is there."""
        trial.set_user_attr(tables.RUN_ATTRIBUTE, found.uuid)
        for name, value in _attributes(self.bench, found).items():
            trial.set_user_attr(name, value)
        record(self.storage.engine, self.entry.uuid, self.bench, found)
        self.entry.optuna.tell(trial, list(found.values))

    def _fail(self, trial: Trial | None, reason: str) -> None:
        from optuna.trial import TrialState

        if trial is None:
            return
        with self.critical():
            trial.set_user_attr("failed", reason[:500])
            run_uuid = trial.user_attrs.get(tables.RUN_ATTRIBUTE)
            if run_uuid:
                erase(self.storage.engine, run_uuid)
            self.entry.optuna.tell(trial, state=TrialState.FAIL)

    def _free_dead(self) -> None:
        """Close trials whose worker is gone, and take out what they had written."""
        from optuna.trial import TrialState

        claims.bury(self.storage.engine)
        with self.storage.engine.begin() as connection:
            worked_on = set(claims.claimed(connection, self.entry.uuid).values())
        if None in worked_on:
            # A living worker has claimed a point and is about to ask for its trial.
            return
        for trial in self._trials("RUNNING", "WAITING"):
            if trial.number in worked_on:
                continue
            run_uuid = trial.user_attrs.get(tables.RUN_ATTRIBUTE)
            if run_uuid:
                erase(self.storage.engine, run_uuid)
            self.storage.set_trial_user_attr(trial._trial_id, "failed", "its worker died")
            self.entry.optuna.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _keep_manifest(self, command: str) -> None:
        with self.storage.engine.begin() as connection:
            connection.execute(
                insert(tables.manifests).values(
                    study_uuid=self.entry.uuid, manifest=manifest(self.bench, command)
                )
            )


def _attributes(bench: Bench, found: Evaluation) -> dict[str, Any]:
    """The few numbers a person wants beside a trial; none has seen a test row."""
    epochs = [outcome.epochs for outcome in found.outcomes]
    failed = sum(bool(outcome.failed) for outcome in found.outcomes)
    attributes: dict[str, Any] = {"row": label_of(found)}
    for name in bench.study.objectives:
        scores = found.validation(name)
        text = f"{np.mean(scores):.4f} (sd {np.std(scores, ddof=1):.4f})"
        attributes[f"validation {METRICS[name].short}"] = text
    fewest = min(
        int(np.bincount(bench.problem.y[fold.train], minlength=bench.problem.K).min())
        for fold in bench.folds
    )
    return attributes | {
        "fewest training rows of a class": fewest,
        "epochs": f"median {int(np.median(epochs))}, {min(epochs)} to {max(epochs)}",
        "folds failed": failed,
        "seconds": round(found.seconds, 2),
        "peak memory (MiB)": round(peak_memory_mb()),
    }


def _last(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()
