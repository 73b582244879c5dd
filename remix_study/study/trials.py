"""The life of a problem's trials in the database: asked, told or failed, freed when forsaken."""

from __future__ import annotations

import json
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import delete, insert, select

from remix_study.metrics import METRICS
from remix_study.study import claims, status, tables
from remix_study.study.algorithms import PlannedSampler, make_sampler
from remix_study.study.bench import Bench
from remix_study.study.catalog import LONGEST_ATTRIBUTE, Entry
from remix_study.study.evaluation import Evaluation, peak_memory_mb
from remix_study.study.parameters import distributions
from remix_study.study.points import Parameters, grid_points, label_of
from remix_study.study.record import erase, record
from remix_study.study.reporter import Failure
from remix_study.study.tables import point_key
from remix_study.study.terms import Start

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial


# User attributes of trials: the slot a trial was asked for, and that it would fail again.
ASKED_FOR = "slot asked for"
FINAL = "final"

MOST_TRIES = 3
"""Trials of a point that may die or crash in a run before the run gives the point up."""

DIED = "its worker died"
INTERRUPTED = "interrupted"
TAKEN_OVER = "another process has taken it over"
_NOT_PLANNED = "not part of the plan"
# Ends that say nothing of the point.
_NO_TRY = (INTERRUPTED, TAKEN_OVER, _NOT_PLANNED)


class TakenOver(Exception):
    """Another worker has closed the trial: it had heard nothing of this one for too long."""


@dataclass(eq=False)
class Trials:
    """One problem's trials.

    Attributes:
        storage: The database.
        bench: The problem.
        entry: Its study in the database.
        start: Where it stood when the run began; now, unless told otherwise.
        planned: Points of its grid by key; empty for a search.
    """

    storage: RDBStorage
    bench: Bench
    entry: Entry
    began: InitVar[Start | None] = None
    start: Start = field(init=False)
    planned: dict[str, Parameters] = field(init=False)
    _keys: dict[int, str] = field(init=False, default_factory=dict)

    def __post_init__(self, began: Start | None) -> None:
        """Plan the grid once."""
        search = self.bench.study.search
        points = grid_points(search.space) if search.algorithm == "grid" else []
        self.planned = {point_key(point): point for point in points}
        self.start = began or self._now()

    def _now(self) -> Start:
        """Where the problem stands.

        A slot is a place in the order of trials and seeds what Optuna draws there. A trial that
        failed by itself has used its slot up: the same seed would ask for the same point. The
        first runs use ``total`` slots; one more run of a search that then lacks trials replaces
        those that failed.
        """
        trials = len(self.entry.optuna.get_trials(deepcopy=False))
        if self.planned:
            return Start(trials, 0)
        used, lacking = len(self.used_slots()), self.total - len(self.complete())
        return Start(trials, self.total if used < self.total else used + max(lacking, 0))

    @property
    def points(self) -> list[str]:
        """Keys of all that the run may do, in order: points of the grid, or slots."""
        return list(self.planned) or [slot_key(slot) for slot in range(self.start.slots)]

    @property
    def total(self) -> int:
        """How many COMPLETE trials make the problem done."""
        return len(self.planned) or self.bench.study.search.trials or 0

    def complete(self) -> set[str]:
        """Planned points that have a COMPLETE trial; for a search, its COMPLETE trials."""
        trials = self._all("COMPLETE")
        if not self.planned:
            return {str(trial.number) for trial in trials}
        return {self._key(trial) for trial in trials} & self.planned.keys()

    def settled(self) -> set[str]:
        """Points, or slots, that the run need not look at: done, used up or given up."""
        ended = self._all("COMPLETE", "FAIL")
        done = {self._key(trial) for trial in ended if trial.state.name == "COMPLETE"}
        slots = (trial.user_attrs.get(tables.SLOT_ATTRIBUTE) for trial in ended)
        used = {slot_key(slot) for slot in slots if slot is not None}
        return done | used | self._given_up(ended).keys()

    def given_up(self) -> dict[str, Failure]:
        """Points without a COMPLETE trial that the run has tried in vain, and why.

        The same seeds would make a diverged network diverge again: one try is enough. A worker
        that died or code that raised gets :data:`MOST_TRIES`.
        """
        return self._given_up(self._all("COMPLETE", "FAIL"))

    def _given_up(self, ended: list[FrozenTrial]) -> dict[str, Failure]:
        tries: dict[str, list[FrozenTrial]] = {}
        for trial in ended:
            counts = trial.user_attrs.get("failed") not in _NO_TRY
            if trial.state.name == "FAIL" and counts and trial.number >= self.start.trials:
                tries.setdefault(self._key(trial), []).append(trial)
        found = {}
        for point, failed in tries.items():
            final = [trial for trial in failed if FINAL in trial.user_attrs]
            if final or len(failed) >= MOST_TRIES:
                last = (final or failed)[-1]
                reason = str(last.user_attrs.get("failed", DIED))
                reason += "" if final else f", {len(failed)} times"
                label = label_of(last.params) if last.params else point
                found[point] = Failure(self.bench.name, label, reason)
        for trial in ended if found else ():
            if trial.state.name == "COMPLETE":
                found.pop(self._key(trial), None)
        return found

    def _key(self, trial: FrozenTrial) -> str:
        """A finished trial's point or slot; neither changes any more."""
        if trial.number not in self._keys:
            slot = trial.user_attrs.get(ASKED_FOR)
            key = point_key(trial.params) if self.planned else f"trial {trial.number}"
            self._keys[trial.number] = key if slot is None else slot_key(slot)
        return self._keys[trial.number]

    def used_slots(self) -> set[int]:
        """Slots of a search whose trial ended by itself, well or badly."""
        trials = self._all("COMPLETE", "FAIL")
        slots = (trial.user_attrs.get(tables.SLOT_ATTRIBUTE) for trial in trials)
        return {slot for slot in slots if slot is not None}

    def ask_planned(self, point: str) -> Trial:
        """Begin the trial of a planned point."""
        parameters, space = self.planned[point], self.bench.study.search.space
        self.entry.optuna.sampler = PlannedSampler(parameters)
        fixed = distributions(parameters, space, self.entry.choices)
        while point_key((trial := self.entry.optuna.ask(fixed)).params) != point:
            # Somebody enqueued it by hand, and Optuna gives out such trials first.
            self.fail(trial._trial_id, _NOT_PLANNED)
        return trial

    def ask_slot(self, slot: int) -> Trial:
        """Begin the trial of a slot of a search; its parameters are yet to be suggested."""
        study = self.bench.study
        self.entry.optuna.sampler = make_sampler(
            study.search.algorithm, study.seed, self.bench.name, slot
        )
        trial = self.entry.optuna.ask()
        trial.set_user_attr(ASKED_FOR, slot)
        return trial

    def tell(self, trial: Trial, found: Evaluation, slot: int | None) -> None:
        """Our rows first, in one transaction, then Optuna: COMPLETE means all is there.

        To do it twice comes to the same.

        Raises:
            TakenOver: The trial was closed meanwhile; nothing of it is kept.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        attributes = {tables.RUN_ATTRIBUTE: found.uuid, **_attributes(self.bench, found)}
        if slot is not None:
            attributes[tables.SLOT_ATTRIBUTE] = slot
        try:
            self._describe(trial, attributes)
            record(self.storage.engine, self.entry.uuid, self.bench, found)
            self.storage.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, found.values)
        except UpdateFinishedTrialError as error:
            stored = self.storage.get_trial(trial._trial_id)
            own = stored.user_attrs.get(tables.RUN_ATTRIBUTE) == found.uuid
            if own and stored.state == TrialState.COMPLETE:
                # Told before, on a connection that was lost before it could say so.
                return
            erase(self.storage.engine, found.uuid)
            raise TakenOver from error

    def _describe(self, trial: Trial, attributes: dict[str, Any]) -> None:
        """Set a running trial's user attributes in one transaction; Optuna takes one for each."""
        from optuna.exceptions import UpdateFinishedTrialError

        rows, own = status.trial_attributes, status.trials.c.trial_id == trial._trial_id
        values = [
            {"trial_id": trial._trial_id, "key": name, "value_json": json.dumps(value)}
            for name, value in attributes.items()
        ]
        with self.storage.engine.begin() as connection:
            state = select(status.trials.c.state).where(own).with_for_update()
            if connection.execute(state).scalar_one_or_none() != "RUNNING":
                raise UpdateFinishedTrialError
            mine = (rows.c.trial_id == trial._trial_id) & rows.c.key.in_(attributes)
            connection.execute(delete(rows).where(mine))
            connection.execute(insert(rows), values)

    def fail(
        self, trial_id: int, reason: str, slot: int | None = None, *, final: bool = False
    ) -> None:
        """Close a trial as FAIL and take out what it had written, unless it is closed already.

        Args:
            trial_id: Optuna's id.
            reason: Kept with the trial.
            slot: The slot that it used up; None if it is to be asked again.
            final: Whether it would fail again if it were tried again.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            self.storage.set_trial_user_attr(trial_id, "failed", reason[:LONGEST_ATTRIBUTE])
            if slot is not None:
                self.storage.set_trial_user_attr(trial_id, tables.SLOT_ATTRIBUTE, slot)
            if final:
                self.storage.set_trial_user_attr(trial_id, FINAL, True)
            self.storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return
        run = self.storage.get_trial(trial_id).user_attrs.get(tables.RUN_ATTRIBUTE)
        if run is not None:
            # Only now, when nobody can complete the trial any more.
            erase(self.storage.engine, run)

    def free_dead(self) -> None:
        """Close trials whose worker is gone."""
        claims.bury(self.storage.engine)
        # Trials first: a living worker claims its point before it asks for the trial, and gives
        # it back after it has closed the trial.
        running = self._all("RUNNING")
        with self.storage.engine.connect() as connection:
            worked_on = set(claims.claimed(connection, self.entry.uuid).values())
        if None in worked_on:
            # One of the trials may be that of a worker which is just asking for it.
            return
        for trial in running:
            if trial.number not in worked_on:
                self.fail(trial._trial_id, DIED)

    def _all(self, *states: str) -> list[FrozenTrial]:
        from optuna.trial import TrialState

        wanted = tuple(TrialState[state] for state in states)
        return self.entry.optuna.get_trials(deepcopy=False, states=wanted)


def slot_key(slot: int) -> str:
    """What stands for a slot of a search among claims."""
    return f"slot {slot}"


def _attributes(bench: Bench, found: Evaluation) -> dict[str, Any]:
    """The few numbers a person wants beside a trial; none has seen a test row."""
    epochs = [outcome.epochs for outcome in found.outcomes]
    failed = sum(bool(outcome.failed) for outcome in found.outcomes)
    attributes: dict[str, Any] = {"row": label_of(found.parameters)[:LONGEST_ATTRIBUTE]}
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
