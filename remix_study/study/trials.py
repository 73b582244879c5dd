"""The life of a problem's trials in the database: asked, told or failed, freed when forsaken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import delete, insert, select

from remix_study.study import claims, status, tables
from remix_study.study.algorithms import (
    UNCONDITIONAL,
    FirstSampler,
    PlannedSampler,
    make_pruner,
    make_sampler,
)
from remix_study.study.attributes import attributes
from remix_study.study.bench import Bench
from remix_study.study.catalog import LONGEST_ATTRIBUTE, Entry
from remix_study.study.constraints import Constraint, Margin, parse_constraint
from remix_study.study.evaluation import Evaluation, MembersFailed
from remix_study.study.parameters import distributions, suggest
from remix_study.study.points import Parameters, grid_points, label_of
from remix_study.study.record import erase, record, validation_means
from remix_study.study.references import REFERENCES, first_points, outer_choices
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
NO_BASELINE = "the baseline has failed, and constraints speak of it"
_NOT_PLANNED = "not part of the plan"
_NOT_FIRST = "not one of the first points"
# Ends that say nothing of the point.
_NO_TRY = (INTERRUPTED, TAKEN_OVER, _NOT_PLANNED, _NOT_FIRST)
# Ends of a trial that has scores.
_DONE = ("COMPLETE", "PRUNED")


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
        given: Slots of a search whose parameters stand fixed.
        constraints: What its trials are held against.
        references: Trials of the first points that the search's space lacks.
        inner: Searches whose choices these trials score, one an outer fold.
    """

    storage: RDBStorage
    bench: Bench
    entry: Entry
    began: InitVar[Start | None] = None
    start: Start = field(init=False)
    planned: dict[str, Parameters] = field(init=False)
    given: dict[int, Parameters] = field(init=False)
    constraints: tuple[Constraint, ...] = field(init=False)
    references: Trials | None = None
    inner: tuple[Trials, ...] = ()
    _baseline: dict[str, float] | None = None
    _keys: dict[int, str] = field(init=False, default_factory=dict)

    def __post_init__(self, began: Start | None) -> None:
        """Plan the grid, or the first points of a search, once."""
        study = self.bench.study
        search = study.search
        points = grid_points(search.space) if search.algorithm == "grid" else []
        self.planned = {point_key(point): point for point in points}
        self.constraints = tuple(parse_constraint(text) for text in search.constraints)
        searches = not self.planned and self.bench.role != "outer"
        first = first_points(study, self.bench.spec.training) if searches else {}
        self.given = dict(enumerate(first.values()))
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
        """How many COMPLETE, or pruned, trials make the problem done."""
        search = self.bench.study.search
        if self.bench.role == "outer":
            return (search.outer or 0) * len(self.choices)
        return len(self.planned) or search.trials or 0

    @property
    def choices(self) -> tuple[str, ...]:
        """What these trials score on each outer fold."""
        return outer_choices(self.bench.study, self.bench.spec.training)

    def complete(self) -> set[str]:
        """Planned points with a COMPLETE trial; for a search, its COMPLETE and pruned trials."""
        if self.planned:
            return {self._key(trial) for trial in self.in_state("COMPLETE")} & self.planned.keys()
        if self.bench.role == "outer":
            return {slot_key(slot) for slot in self.used_slots()}
        return {str(trial.number) for trial in self.in_state(*_DONE)}

    def settled(self) -> set[str]:
        """Points, or slots, that the run need not look at: done, used up or given up."""
        ended = self.in_state(*_DONE, "FAIL")
        return self._done(ended) | self._given_up(ended).keys()

    def left(self) -> set[str]:
        """Points, or slots, that this worker or another may still do in this run."""
        if self.baseline_failed():
            return set()
        left = set(self.points) - self.settled()
        if self.bench.role == "outer":
            # What an inner search has chosen is known when nothing is left to do for it.
            open_ = [fold for fold, search in enumerate(self.inner) if search.left()]
            of_these = range(len(self.choices))
            coming = {fold * len(self.choices) + place for fold in open_ for place in of_these}
            left &= {slot_key(slot) for slot in coming | self.given.keys()}
        return left

    def given_up(self) -> dict[str, Failure]:
        """Points without a COMPLETE trial that the run has tried in vain, and why.

        The same seeds would make a diverged network diverge again: one try is enough. A worker
        that died or code that raised gets :data:`MOST_TRIES`.
        """
        found = self._given_up(self.in_state(*_DONE, "FAIL"))
        if self.baseline_failed():
            found["all others"] = Failure(self.bench.name, "all others", NO_BASELINE)
        return found

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
        for point in self._done([t for t in ended if t.state.name in _DONE]) if found else ():
            found.pop(point, None)
        return found

    def _done(self, ended: list[FrozenTrial]) -> set[str]:
        """Planned points with a COMPLETE trial, or slots of a search that are used up."""
        if self.planned:
            return {self._key(trial) for trial in ended if trial.state.name == "COMPLETE"}
        return {slot_key(slot) for slot in self._used(ended)}

    def _key(self, trial: FrozenTrial) -> str:
        """A finished trial's point or slot; neither changes any more."""
        if trial.number not in self._keys:
            slot = trial.user_attrs.get(ASKED_FOR)
            key = point_key(trial.params) if self.planned else f"trial {trial.number}"
            self._keys[trial.number] = key if slot is None else slot_key(slot)
        return self._keys[trial.number]

    def used_slots(self) -> set[int]:
        """Slots of a search that need not be asked again.

        Their trial ended by itself, well or badly. One whose parameters stand fixed must have
        ended well, and what is no longer chosen does not count.
        """
        return self._used(self.in_state(*_DONE, "FAIL"))

    def _used(self, ended: list[FrozenTrial]) -> set[int]:
        found = set()
        for trial in ended:
            slot = trial.user_attrs.get(tables.SLOT_ATTRIBUTE)
            if slot is None or (slot in self.given and trial.state.name == "FAIL"):
                continue
            if self.bench.role == "outer" and (
                slot not in self.given
                or point_key(self.given[slot]) != point_key(dict(trial.params))
            ):
                continue
            found.add(slot)
        return found

    def baseline(self) -> dict[str, float] | None:
        """Validation means of the baseline, None while it has not been trained."""
        if self._baseline is None:
            asked = self.references if self.baseline_beside else self
            wanted = {"strategy": "baseline"}
            for trial in asked.in_state("COMPLETE") if asked else ():
                first = trial.user_attrs.get(tables.SLOT_ATTRIBUTE) == 0
                if first or (self.baseline_beside and trial.params == wanted):
                    run = trial.user_attrs[tables.RUN_ATTRIBUTE]
                    self._baseline = validation_means(self.storage.engine, run)
        return self._baseline

    @property
    def lacks_baseline(self) -> bool:
        """Whether a constraint speaks of the baseline, and there is none yet."""
        relative = any(constraint.relative for constraint in self.constraints)
        return relative and self.bench.role != "outer" and self.baseline() is None

    @property
    def baseline_beside(self) -> bool:
        """Whether the baseline lies outside the space."""
        return "baseline" not in first_points(self.bench.study, self.bench.spec.training)

    def baseline_failed(self) -> bool:
        """Whether constraints speak of a baseline that the run has tried in vain."""
        if not self.lacks_baseline:
            return False
        if self.baseline_beside:
            asked, point = self.references, point_key({"strategy": REFERENCES[0]})
        else:
            asked, point = self, slot_key(0)
        tried = asked is None or point in asked.settled()
        # It may have become complete just before that look.
        return tried and self.lacks_baseline

    def waits(self, point: str) -> bool:
        """Whether a point cannot be asked yet, for another trial that it needs."""
        if self.planned:
            return False
        slot = self.points.index(point)
        if self.bench.role == "outer":
            return slot not in self.given
        return self.lacks_baseline and (slot > 0 or self.baseline_beside)

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
        study, search = self.entry.optuna, self.bench.study.search
        algorithm = make_sampler(search.algorithm, self.bench.study.seed, self.bench.name, slot)
        fixed = self.given.get(slot)
        if fixed is None:
            study.sampler = algorithm
        elif self.bench.role == "outer":
            study.sampler = PlannedSampler(fixed)
        else:
            study.sampler = FirstSampler(fixed, algorithm)
        while _enqueued(trial := study.ask()) and fixed is not None:
            # By hand; Optuna gives out such trials first.
            self.fail(trial._trial_id, _NOT_FIRST)
        trial.set_user_attr(ASKED_FOR, slot)
        return trial

    def suggest(self, trial: Trial) -> Parameters:
        """What a search's trial is to train."""
        search = self.bench.study.search
        return suggest(trial, search.space, everything=search.algorithm in UNCONDITIONAL)

    def block(self, slot: int | None) -> int | None:
        """The block of folds that a slot trains; None for all of them, one after the other."""
        if slot is None or self.bench.role != "outer":
            return None
        return slot // len(self.choices)

    def hopeless(
        self, trial: Trial, slot: int | None
    ) -> Callable[[dict[int, float]], bool] | None:
        """Whether a trial is surely behind the best one; None where the study does not prune.

        What it gives raises TakenOver where the trial was closed meanwhile.
        """
        if slot is None or self.bench.role == "outer" or not self.bench.study.search.prune:
            return None
        from optuna.exceptions import UpdateFinishedTrialError

        self.entry.optuna.pruner = make_pruner()
        told: set[int] = set()

        def judge(scores: dict[int, float]) -> bool:
            try:
                for place, score in scores.items():
                    if np.isfinite(score) and place not in told:
                        trial.report(score, place)
                        told.add(place)
            except UpdateFinishedTrialError as error:
                raise TakenOver from error
            return slot not in self.given and trial.should_prune()

        return judge

    def tell(self, trial: Trial, found: Evaluation, slot: int | None) -> None:
        """Our rows first, in one transaction, then Optuna: COMPLETE means all is there.

        To do it twice comes to the same.

        Raises:
            MembersFailed: A constraint cannot be computed.
            TakenOver: The trial was closed meanwhile; nothing of it is kept.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        own = {tables.RUN_ATTRIBUTE: found.uuid, **attributes(self.bench, found)}
        own |= {} if slot is None else {tables.SLOT_ATTRIBUTE: slot}
        beyond = self._beyond(found, slot)
        # The dashboard shows user attributes, and no constraints of this kind.
        own |= {f"constraint {one.text}": str(margin) for one, margin in beyond.items()}
        state = TrialState.PRUNED if found.pruned else TrialState.COMPLETE
        try:
            self._constrain(trial, beyond)
            self._describe(trial, own)
            record(self.storage.engine, self.entry.uuid, self.bench, found)
            self.storage.set_trial_state_values(trial._trial_id, state, found.values)
        except UpdateFinishedTrialError as error:
            stored = self.storage.get_trial(trial._trial_id)
            mine = stored.user_attrs.get(tables.RUN_ATTRIBUTE) == found.uuid
            if mine and stored.state == state:
                # Told before, on a connection that was lost before it could say so.
                return
            erase(self.storage.engine, found.uuid)
            raise TakenOver from error

    def _beyond(self, found: Evaluation, slot: int | None) -> dict[Constraint, Margin]:
        """How far a search's trial lies beyond each constraint."""
        if slot is None or not self.constraints or self.bench.role == "outer":
            return {}
        means = found.means()
        baseline = means if slot == 0 and not self.baseline_beside else self.baseline() or {}
        margins = {one: one.margin(means, baseline) for one in self.constraints}
        for constraint, margin in margins.items():
            if not np.isfinite(margin.beyond):
                raise MembersFailed(f'constraint "{constraint.text}" cannot be computed')
        return margins

    def _constrain(self, trial: Trial, beyond: dict[Constraint, Margin]) -> None:
        """Tell Optuna of constraints, those that it does not know of yet."""
        known = self.storage.get_trial(trial._trial_id).constraints if beyond else {}
        for constraint, margin in beyond.items():
            if constraint.text not in known:
                trial.set_constraint(constraint.text, margin.beyond)

    def _describe(self, trial: Trial, told: dict[str, Any]) -> None:
        """Set a running trial's user attributes in one transaction; Optuna takes one for each."""
        from optuna.exceptions import UpdateFinishedTrialError

        rows, own = status.trial_attributes, status.trials.c.trial_id == trial._trial_id
        values = [
            {"trial_id": trial._trial_id, "key": name, "value_json": json.dumps(value)}
            for name, value in told.items()
        ]
        with self.storage.engine.begin() as connection:
            state = select(status.trials.c.state).where(own).with_for_update()
            if connection.execute(state).scalar_one_or_none() != "RUNNING":
                raise UpdateFinishedTrialError
            mine = (rows.c.trial_id == trial._trial_id) & rows.c.key.in_(told)
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
        running = self.in_state("RUNNING")
        with self.storage.engine.connect() as connection:
            worked_on = set(claims.claimed(connection, self.entry.uuid).values())
        if None in worked_on:
            # One of the trials may be that of a worker which is just asking for it.
            return
        for trial in running:
            if trial.number not in worked_on:
                self.fail(trial._trial_id, DIED)

    def in_state(self, *states: str) -> list[FrozenTrial]:
        """Trials in any of some states, in the order in which they were asked."""
        from optuna.trial import TrialState

        wanted = tuple(TrialState[state] for state in states)
        return self.entry.optuna.get_trials(deepcopy=False, states=wanted)


def slot_key(slot: int) -> str:
    """What stands for a slot of a search among claims."""
    return f"slot {slot}"


def _enqueued(trial: Trial) -> bool:
    return "fixed_params" in trial._cached_frozen_trial.system_attrs
