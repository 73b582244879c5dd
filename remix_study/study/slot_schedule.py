"""Schedules of slots: places in the order of trials, whose parameters become known later."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

from remix_study.study.configurations import Parameters, label_of
from remix_study.study.optuna_tables import NOT_FIRST
from remix_study.study.schedule import Schedule, slot_key, slot_of
from remix_study.study.search_parameters import effective, suggest
from remix_study.study.trials import ASKED_FOR, fail_trial

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial


class SlotSchedule(Schedule, Protocol):
    """A schedule of slots, whose parameters become known one after the other.

    Attributes:
        fixed: Parameters of the slots that no algorithm chooses.
    """

    fixed: dict[int, Parameters]

    @abstractmethod
    def sampler(self, slot: int) -> BaseSampler:
        """What gives the trial of a slot its parameters."""

    @property
    def total(self) -> int:
        """Trials that the study asks for."""
        return self.trials.task.study.search.trials or 0

    def configurations(self) -> list[str]:
        """Keys of the slots."""
        return [slot_key(slot) for slot in range(self.trials.start.slots)]

    def key_of(self, trial: FrozenTrial) -> str:
        """The key of the slot that a trial was to fill."""
        slot = trial.user_attrs.get(ASKED_FOR)
        return f"trial {trial.number}" if slot is None else slot_key(slot)

    def label(self, trial: FrozenTrial, key: str) -> str:
        """Name of a trial's configuration, its key where its parameters were never complete."""
        try:
            return label_of(effective(trial.params, self.trials.task.study.search))
        except KeyError:
            return key

    def start(self, key: str) -> Trial:
        """Begin the trial of a slot."""
        slot, study = slot_of(key), self.trials.registered.optuna
        assert slot is not None
        study.sampler = self.sampler(slot)
        while is_enqueued(trial := study.ask()) and slot in self.fixed:
            # A person enqueued it; Optuna hands out such trials first.
            fail_trial(self.trials.storage, trial._trial_id, NOT_FIRST)
        trial.set_user_attr(ASKED_FOR, slot)
        return trial

    def parameters(self, trial: Trial, _key: str) -> Parameters:
        """What the sampler chooses for an open trial."""
        return suggest(trial, self.trials.task.study.search)


def is_enqueued(trial: Trial) -> bool:
    """Whether a person enqueued a trial, with the parameters that it is to have."""
    return "fixed_params" in trial._cached_frozen_trial.system_attrs
