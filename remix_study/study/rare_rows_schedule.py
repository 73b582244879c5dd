"""The schedule of a problem's best methods, trained again with fewer rare rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optuna.trial import Trial, TrialState, create_trial

from remix_study.data.rare_rows import SHARES
from remix_study.study import tables
from remix_study.study.configurations import Parameters, label_of
from remix_study.study.fold_blocks import Blocks
from remix_study.study.optuna_tables import NOT_PLANNED
from remix_study.study.rare_rows import TrainedMethod, best_of_kinds, compared_kinds
from remix_study.study.schedule import Schedule, slot_key, slot_of
from remix_study.study.search_parameters import effective
from remix_study.study.trials import ASKED_FOR, Trials, fail_trial

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

CANDIDATE_ROLES = ("", "search")
"""Parts of a problem whose trials are candidates: its grid, and the search that follows it."""

CONFIGURATION = "configuration"
"""User attribute of these trials: their parameters, which Optuna does not hold."""


@dataclass(eq=False)
class RareRowsSchedule(Schedule):
    """The chosen methods at every share of the rare rows, once all candidates are trained.

    Its trials are in an Optuna study of their own and hold no parameters there: no search learns
    from them.

    Attributes:
        trials: The trials of the task.
        candidates: The schedules of the problem, whose trials are chosen from.
        fixed: Parameters of the slots; empty until the candidates are trained.
    """

    trials: Trials
    candidates: Sequence[Schedule]
    fixed: dict[int, Parameters] = field(init=False)

    def __post_init__(self) -> None:
        """Read which methods are chosen."""
        self.update()

    @property
    def total(self) -> int:
        """One trial a method and share."""
        return self.trials.task.study.search.trials or 0

    def slots(self) -> int:
        """All of them."""
        return self.total

    def n_complete(self) -> int:
        """Trials of what is chosen now."""
        return len(self.done(self.trials.ended()))

    def configurations(self) -> list[str]:
        """Keys of the slots."""
        return [slot_key(slot) for slot in range(self.total)]

    def key_of(self, trial: FrozenTrial) -> str:
        """The key of the slot that a trial was to fill."""
        slot = trial.user_attrs.get(ASKED_FOR)
        return f"trial {trial.number}" if slot is None else slot_key(slot)

    def done(self, ended: Sequence[FrozenTrial]) -> set[str]:
        """Keys of slots that have a trial of the method that is chosen now, with all repeats."""
        return {
            slot_key(slot)
            for trial in ended
            if trial.state == TrialState.COMPLETE
            and (slot := trial.user_attrs.get(tables.SLOT_ATTRIBUTE)) in self.fixed
            and trial.user_attrs[tables.REPEATS_ATTRIBUTE] == self.trials.task.study.cv.repeats
            and trial.user_attrs[CONFIGURATION] == tables.configuration_key(self.fixed[slot])
        }

    def open(self) -> set[str]:
        """Keys of slots to train, now or once the candidates are trained."""
        open_keys = super().open()
        return open_keys if self._is_waiting() else open_keys & set(map(slot_key, self.fixed))

    def can_begin(self, key: str) -> bool:
        """Whether the methods have been chosen."""
        return slot_of(key) in self.fixed

    def blocks(self, key: str) -> Blocks:
        """The folds with the slot's share of the rare rows."""
        return (self.trials.task.blocks[_share_place(key)],)

    def start(self, key: str) -> Trial:
        """Begin the trial of a slot."""
        study = self.trials.registered.optuna
        attributes = {
            ASKED_FOR: slot_of(key),
            CONFIGURATION: tables.configuration_key(self._parameters(key)),
            "rare training rows": f"{SHARES[_share_place(key)]:.0%}",
        }
        running = create_trial(state=TrialState.RUNNING, user_attrs=attributes)
        return Trial(study, self.trials.storage.create_new_trial(study._study_id, running))

    def parameters(self, _trial: Trial, key: str) -> Parameters:
        """The chosen parameters."""
        return self._parameters(key)

    def label(self, trial: FrozenTrial, key: str) -> str:
        """Name of the method, and the share."""
        stored = trial.user_attrs.get(CONFIGURATION)
        return label_of(json.loads(stored)) + self.label_end(key) if stored else key

    def label_end(self, key: str) -> str:
        """The share of the rare rows."""
        return f", {SHARES[_share_place(key)]:.0%} of the rare rows"

    def facts(self, key: str) -> dict[str, Any]:
        """The share of the rare rows."""
        return {"rare_share": SHARES[_share_place(key)]}

    def update(self) -> None:
        """Choose the methods once the candidates are trained; close what is not planned."""
        for trial in self.trials.in_state("WAITING"):
            fail_trial(self.trials.storage, trial._trial_id, NOT_PLANNED)
        task = self.trials.task
        methods = [] if self._is_waiting() else self._methods()
        chosen = best_of_kinds(methods, compared_kinds(task), task.study.objectives)
        places = enumerate(method.parameters for method in chosen for _ in SHARES)
        self.fixed = dict(places)

    def _is_waiting(self) -> bool:
        return any(schedule.open() for schedule in self.candidates)

    def _methods(self) -> list[TrainedMethod]:
        """The candidates with all repeats; a search under constraints chooses by its own rules."""
        methods = []
        for schedule in self.candidates:
            trials, search = schedule.trials, schedule.trials.task.study.search
            if search.constraints:
                continue
            first, n_repeats = trials.registered.first_repeats, trials.task.study.cv.repeats
            for trial in trials.in_state("COMPLETE"):
                repeats = trial.user_attrs.get(tables.REPEATS_ATTRIBUTE, first)
                if repeats == n_repeats:
                    is_grid = search.algorithm == "grid"
                    parameters = trial.params if is_grid else effective(trial.params, search)
                    methods.append(TrainedMethod(parameters, tuple(trial.values)))
        return methods

    def _parameters(self, key: str) -> Parameters:
        slot = slot_of(key)
        assert slot is not None
        return self.fixed[slot]


def _share_place(key: str) -> int:
    """Position in ``SHARES`` of a slot's share."""
    return (slot_of(key) or 0) % len(SHARES)
