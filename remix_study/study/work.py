"""Working through a problem's points, one claimed point at a time."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import insert

from remix_study.errors import RemixStudyError
from remix_study.signals import Signals
from remix_study.study import baseline, claims, tables
from remix_study.study.asking import ask, suggested
from remix_study.study.baseline import NO_BASELINE
from remix_study.study.claims import Worker
from remix_study.study.ending import fail, free_dead, tell
from remix_study.study.evaluation import Evaluation, MembersFailed, evaluate
from remix_study.study.manifest import manifest
from remix_study.study.patience import patiently
from remix_study.study.points import label_of, setting_of
from remix_study.study.pruning import hopeless
from remix_study.study.related import take_choices
from remix_study.study.remaining import given_up, left, waits
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.standing import (
    INTERRUPTED,
    MOST_TRIES,
    TAKEN_OVER,
    complete,
    settled,
)
from remix_study.study.terms import Terms
from remix_study.study.trials import TakenOver, Trials

if TYPE_CHECKING:
    from optuna.trial import Trial

T = TypeVar("T")


class Crashed(Exception):
    """Training raised something, a lack of memory for one; it may go well another time."""


@dataclass(eq=False)
class Work:
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
    terms: Terms
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
        while point := self._patiently(self._next):
            self._one(point)
            self.summary.ran += 1
            freed = False
            if self.summary.ran == self.terms.most:
                self.summary.recycled = True
                return False
        if not freed:
            # A worker may have died meanwhile.
            return self.do(command)
        others = self._patiently(self._left)
        self.waits = others and self._patiently(lambda: baseline.is_lacking(self.trials))
        return others

    def _left(self) -> bool:
        if baseline.has_failed(self.trials) and not self._told_hopeless:
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
        self.told.problem(self.trials.bench, total, min(done, total))
        if done < total and self.terms.manifest:
            self._patiently(lambda: self._keep_manifest(command))

    def _next(self) -> str | None:
        """Claim the first point that is neither settled nor another worker's."""
        study_uuid = self.trials.entry.uuid
        with self.trials.storage.engine.connect() as connection:
            held = claims.claimed(connection, study_uuid)
        closed = held.keys() | settled(self.trials)
        for point in self.trials.points:
            if point in closed or self._lost[point] == MOST_TRIES or waits(self.trials, point):
                continue
            if not self.worker.claim(study_uuid, point):
                continue
            if point not in settled(self.trials):
                return point
            # Another worker has finished it between the look and the claim.
            self.worker.release(study_uuid, point)
        return None

    def _one(self, point: str) -> None:
        """Run one claimed point; whatever happens, its claim is given back."""
        trial: Trial | None = None
        label, slot = point, self.trials.slot(point)
        try:
            with self.signals.critical():
                trial = self._patiently(lambda: ask(self.trials, point))
                self._assign(point, trial.number)
            parameters = self._patiently(partial(suggested, self.trials, trial, point))
            label = label_of(parameters)
            found = self._evaluate(trial, parameters, label, slot)
            with self.signals.critical():
                self._tell(trial, found, point, slot)
                trial = None
                self.summary.completed += 1
            objectives = self.trials.bench.study.objectives
            values = dict(zip(objectives, found.values, strict=True))
            told = f"{label}, pruned" if found.pruned else label
            self.told.complete(told, values, found.seconds)
        except TakenOver:
            self._lost[point] += 1
            self._fail(trial, TAKEN_OVER)
            self.told.failed(label, TAKEN_OVER)
        except MembersFailed as error:
            self._fail(trial, str(error), slot, final=True)
            self.told.failed(label, str(error))
        except Crashed as error:
            self._fail(trial, str(error))
            again = point not in self._patiently(lambda: given_up(self.trials))
            (self.told.retried if again else self.told.failed)(label, str(error))
        except BaseException as error:
            # Interrupted, or a defect: the trial is closed, the next run takes the point again.
            interrupted = isinstance(error, KeyboardInterrupt) or self.signals.received
            self._fail(trial, INTERRUPTED if interrupted else _last(error))
            raise
        finally:
            with self.signals.critical():
                self._patiently(lambda: self.worker.release(self.trials.entry.uuid, point))

    def _patiently(self, do: Callable[[], T]) -> T:
        return patiently(do, self.signals)

    def _assign(self, point: str, number: int) -> None:
        study_uuid = self.trials.entry.uuid
        if not self._patiently(lambda: self.worker.assign(study_uuid, point, number)):
            raise TakenOver

    def _tell(self, trial: Trial, found: Evaluation, point: str, slot: int | None) -> None:
        study_uuid = self.trials.entry.uuid
        if not self._patiently(lambda: self.worker.holds(study_uuid, point)):
            raise TakenOver
        self._patiently(lambda: tell(self.trials, trial, found, slot))

    def _evaluate(
        self, trial: Trial, parameters: dict[str, Any], label: str, slot: int | None
    ) -> Evaluation:
        bench, storage = self.trials.bench, self.trials.storage
        setting = setting_of(parameters, bench.spec.training, bench.study.model)
        block, judge = self.trials.block(slot), hopeless(self.trials, trial, slot)
        members = len(bench.folds if block is None else bench.blocks[block])
        self.told.trial(label, members, setting.training.epochs)

        def on_epoch(members: int) -> None:
            self.signals.check()
            self.told.epoch(members)

        def behind(scores: dict[int, float]) -> bool:
            return judge is not None and self._patiently(lambda: judge(scores))

        with self.worker.beating(lambda: storage.record_heartbeat(trial._trial_id)):
            try:
                return evaluate(bench, parameters, setting, on_epoch, block=block, hopeless=behind)
            except (MembersFailed, RemixStudyError, TakenOver):
                raise
            except Exception as error:
                # Whatever a signal's exception became on its way, it was a signal.
                if self.signals.received is not None:
                    raise
                # A program that failed may have left anything in memory.
                bench.free()
                raise Crashed(_where(error)) from error

    def _fail(
        self,
        trial: Trial | None,
        reason: str,
        slot: int | None = None,
        *,
        final: bool = False,
    ) -> None:
        if trial is not None:
            number, storage = trial._trial_id, self.trials.storage
            with self.signals.critical():
                self._patiently(lambda: fail(storage, number, reason, slot, final=final))

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


def _where(error: Exception) -> str:
    """What training raised, and the line that raised it."""
    if isinstance(error, MemoryError):
        return "out of memory"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{_last(error)}{place}"
