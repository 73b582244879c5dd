"""Working through a problem's points, one claimed point at a time."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from remix_study.errors import RemixStudyError
from remix_study.signals import Signals
from remix_study.study import tables
from remix_study.study.claims import Worker
from remix_study.study.evaluation import Evaluation, MembersFailed, evaluate
from remix_study.study.manifest import manifest
from remix_study.study.parameters import suggest
from remix_study.study.points import label_of, setting_of
from remix_study.study.reporter import Failure, Reporter, Summary
from remix_study.study.trials import TakenOver, Trials

if TYPE_CHECKING:
    from optuna.trial import Trial


@dataclass(eq=False)
class Work:
    """One problem's points, and who works on them.

    Attributes:
        trials: The problem's trials.
        worker: This process.
        told: Told what happens.
        signals: Keeps signals away while something is written.
        summary: What was done is added to it.
    """

    trials: Trials
    worker: Worker
    told: Reporter
    signals: Signals
    summary: Summary
    _tried: set[str] = field(default_factory=set)

    def do(self, command: str) -> None:
        """Run every point that is not complete; ``command`` goes into the manifest."""
        total, done = self.trials.total, len(self.trials.complete())
        self.summary.points += total
        self.summary.done_before += min(done, total)
        self.told.problem(self.trials.bench, total, min(done, total))
        self.trials.free_dead()
        if done < total:
            self._keep_manifest(command)
            for point, slot in self._grid() if self.trials.planned else self._search(total):
                self._one(point, slot)
        self.summary.complete += min(len(self.trials.complete()), total)

    def _grid(self) -> Iterator[tuple[str, None]]:
        """Claim one point after the other that is neither complete nor another worker's.

        A worker may die meanwhile: the plan is gone through until nothing is left in it.
        """
        found = True
        while found:
            found = False
            for point in self.trials.planned:
                if self._take(point):
                    found = True
                    yield point, None
            if found:
                self.trials.free_dead()

    def _search(self, total: int) -> Iterator[tuple[str, int]]:
        """Claim one slot after the other.

        A slot is a place in the order of trials and seeds what Optuna draws there. A trial that
        failed by itself has used its slot up: the same seed would ask for the same point. The
        first runs use ``total`` slots; one more run of a search that then lacks trials replaces
        those that failed.
        """
        used = self.trials.used_slots()
        limit = total if len(used) < total else len(used) + total - len(self.trials.complete())
        for slot in range(limit):
            point = f"slot {slot}"
            if self._take(point, slot):
                yield point, slot

    def _take(self, point: str, slot: int | None = None) -> bool:
        """Claim a point that this run has not tried yet, unless it is done."""
        study_uuid = self.trials.entry.uuid
        if point in self._tried or self._done(point, slot):
            return False
        if not self.worker.claim(study_uuid, point):
            return False
        if self._done(point, slot):
            # Another worker has finished it between the look and the claim.
            self.worker.release(study_uuid, point)
            return False
        self._tried.add(point)
        return True

    def _done(self, point: str, slot: int | None) -> bool:
        if slot is None:
            return point in self.trials.complete()
        return slot in self.trials.used_slots()

    def _one(self, point: str, slot: int | None) -> None:
        """Run one claimed point; whatever happens, its claim is given back."""
        trial: Trial | None = None
        label = point
        try:
            with self.signals.critical():
                trial = self._ask(point, slot)
                self.worker.assign(self.trials.entry.uuid, point, trial.number)
            parameters = self._parameters(trial, point)
            label = label_of(parameters)
            found = self._evaluate(trial, parameters, label)
            with self.signals.critical():
                self.trials.tell(trial, found, slot)
                trial = None
                self.summary.completed += 1
            objectives = self.trials.bench.study.objectives
            values = dict(zip(objectives, found.values, strict=True))
            self.told.complete(label, values, found.seconds)
        except TakenOver:
            self.told.failed(label, "another process has taken it over")
        except (MembersFailed, MemoryError) as error:
            reason = str(error) or "out of memory"
            self._fail(trial, reason, slot)
            self.summary.failures.append(Failure(self.trials.bench.name, label, reason))
            self.told.failed(label, reason)
        except BaseException as error:
            # Interrupted, or a defect: the trial is closed, the next run takes the point again.
            interrupted = isinstance(error, KeyboardInterrupt)
            self._fail(trial, "interrupted" if interrupted else _last(error))
            raise
        finally:
            with self.signals.critical():
                self.worker.release(self.trials.entry.uuid, point)

    def _ask(self, point: str, slot: int | None) -> Trial:
        trials = self.trials
        return trials.ask_planned(point) if slot is None else trials.ask_slot(slot)

    def _parameters(self, trial: Trial, point: str) -> dict[str, Any]:
        if point in self.trials.planned:
            return self.trials.planned[point]
        return suggest(trial, self.trials.bench.study.search.space)

    def _evaluate(self, trial: Trial, parameters: dict[str, Any], label: str) -> Evaluation:
        bench, storage = self.trials.bench, self.trials.storage
        setting = setting_of(parameters, bench.spec.training, bench.study.model)
        self.told.trial(label, len(bench.folds), setting.training.epochs)

        def on_epoch(members: int) -> None:
            self.signals.check()
            self.told.epoch(members)

        with self.worker.beating(lambda: storage.record_heartbeat(trial._trial_id)):
            return evaluate(bench, parameters, setting, on_epoch)

    def _fail(self, trial: Trial | None, reason: str, slot: int | None = None) -> None:
        if trial is not None:
            with self.signals.critical():
                self.trials.fail(trial._trial_id, reason, slot)

    def _keep_manifest(self, command: str) -> None:
        row = {
            "study_uuid": self.trials.entry.uuid,
            "manifest": manifest(self.trials.bench, command),
        }
        with self.trials.storage.engine.begin() as connection:
            connection.execute(insert(tables.manifests).values(row))


def _last(error: BaseException) -> str:
    if isinstance(error, RemixStudyError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()
