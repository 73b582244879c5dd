"""The life of a problem's trials in the database: asked, told or failed, freed when forsaken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from remix_study.metrics import METRICS
from remix_study.study import claims, tables
from remix_study.study.algorithms import PlannedSampler, make_sampler
from remix_study.study.bench import Bench
from remix_study.study.catalog import LONGEST_ATTRIBUTE, Entry
from remix_study.study.evaluation import Evaluation, peak_memory_mb
from remix_study.study.parameters import distributions
from remix_study.study.points import Parameters, grid_points, label_of
from remix_study.study.record import erase, record
from remix_study.study.tables import point_key

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial


class TakenOver(Exception):
    """Another worker has closed the trial: it had heard nothing of this one for too long."""


@dataclass(eq=False)
class Trials:
    """One problem's trials.

    Attributes:
        storage: The database.
        bench: The problem.
        entry: Its study in the database.
        planned: Points of its grid by key; empty for a search.
    """

    storage: RDBStorage
    bench: Bench
    entry: Entry
    planned: dict[str, Parameters] = field(init=False)

    def __post_init__(self) -> None:
        """Plan the grid once."""
        search = self.bench.study.search
        points = grid_points(search.space) if search.algorithm == "grid" else []
        self.planned = {point_key(point): point for point in points}

    @property
    def total(self) -> int:
        """How many COMPLETE trials make the problem done."""
        return len(self.planned) or self.bench.study.search.trials or 0

    def complete(self) -> set[str]:
        """Planned points that have a COMPLETE trial; for a search, its COMPLETE trials."""
        trials = self._all("COMPLETE")
        if not self.planned:
            return {str(trial.number) for trial in trials}
        return {point_key(trial.params) for trial in trials} & self.planned.keys()

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
            self.fail(trial._trial_id, "not part of the plan")
        return trial

    def ask_slot(self, slot: int) -> Trial:
        """Begin the trial of a slot of a search; its parameters are yet to be suggested."""
        study = self.bench.study
        self.entry.optuna.sampler = make_sampler(
            study.search.algorithm, study.seed, self.bench.name, slot
        )
        return self.entry.optuna.ask()

    def tell(self, trial: Trial, found: Evaluation, slot: int | None) -> None:
        """Our rows first, in one transaction, then Optuna: COMPLETE means all is there.

        Raises:
            TakenOver: The trial was closed meanwhile; nothing of it is kept.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        attributes = {tables.RUN_ATTRIBUTE: found.uuid, **_attributes(self.bench, found)}
        if slot is not None:
            attributes[tables.SLOT_ATTRIBUTE] = slot
        try:
            for name, value in attributes.items():
                trial.set_user_attr(name, value)
            record(self.storage.engine, self.entry.uuid, self.bench, found)
            self.storage.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, found.values)
        except UpdateFinishedTrialError as error:
            erase(self.storage.engine, found.uuid)
            raise TakenOver from error

    def fail(self, trial_id: int, reason: str, slot: int | None = None) -> None:
        """Close a trial as FAIL and take out what it had written, unless it is closed already.

        Args:
            trial_id: Optuna's id.
            reason: Kept with the trial.
            slot: The slot that it used up; None if it is to be asked again.
        """
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            self.storage.set_trial_user_attr(trial_id, "failed", reason[:LONGEST_ATTRIBUTE])
            if slot is not None:
                self.storage.set_trial_user_attr(trial_id, tables.SLOT_ATTRIBUTE, slot)
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
                self.fail(trial._trial_id, "its worker died")

    def _all(self, *states: str) -> list[FrozenTrial]:
        from optuna.trial import TrialState

        wanted = tuple(TrialState[state] for state in states)
        return self.entry.optuna.get_trials(deepcopy=False, states=wanted)


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
