"""Drawing parameters for the trials of a search, each unlike those of all other trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from optuna.trial import Trial

from remix_study.seeds import derive_seed
from remix_study.study import tables
from remix_study.study.algorithms import MOST_REDRAWS
from remix_study.study.configurations import Parameters
from remix_study.study.leases import leased_configurations
from remix_study.study.optuna_tables import NOTHING_LEFT
from remix_study.study.schedule import slot_of
from remix_study.study.scoring import MembersFailed
from remix_study.study.search_configurations import identity, list_configurations
from remix_study.study.search_parameters import effective, suggest
from remix_study.study.trials import SCORED, Trials, close_dead_trials

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

# Configurations of the largest space that is listed to find those that are left, and draws from a
# larger one before an equal trial is accepted.
_MOST_LISTED = 10_000
_MOST_DRAWS = 1000


class _Draft(Trial):
    """A trial that gets parameters from a sampler and stores none of them."""

    def __init__(self, trial: Trial, sampler: BaseSampler) -> None:
        self.__dict__.update(trial.__dict__)
        self.study = copy(trial.study)
        self.storage = cast("BaseStorage", _WithoutParameters(trial.storage))
        self.study.sampler = sampler
        self._relative_params = None
        self._cached_frozen_trial = frozen = copy(trial._cached_frozen_trial)
        frozen._params, frozen._distributions = {}, {}


class _WithoutParameters:
    """A storage of Optuna's that ignores the parameters of trials."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_param(self, *_: Any) -> None:
        """Store nothing."""


@dataclass(eq=False)
class DistinctDraws:
    """Draws the parameters of a search's trials.

    Attributes:
        trials: The trials of the task.
        fixed: Parameters of the slots that the algorithm does not choose.
        algorithm: Makes a sampler of the search's algorithm, of the slot and how often its
            parameters have been drawn before.
    """

    trials: Trials
    fixed: Mapping[int, Parameters]
    algorithm: Callable[[int, int], BaseSampler]
    _identities: dict[int, str] = field(default_factory=dict)
    _drawn: dict[int, Parameters] = field(default_factory=dict)
    _n_read: int = 0
    _scored: set[str] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)

    def draw(self, trial: Trial, slot: int) -> Parameters:
        """Draw all parameters that Optuna is to hold of an open trial.

        The first draw is the one that Optuna would make. Where another trial has it, the algorithm
        draws again with other seeds, and then chance. Not to be called while it :meth:`must_wait`.

        Raises:
            MembersFailed: Other trials have every configuration of the space.
        """
        if trial.number not in self._drawn:
            # Kept in case storing them has to be repeated.
            self._drawn[trial.number] = self._draw(trial, slot)
        return self._drawn[trial.number]

    def must_wait(self, trial: Trial, slot: int) -> bool:
        """Whether other workers have yet to choose the parameters of slots before this one.

        So what comes out depends on the slot, and on what the algorithm sees of other trials,
        alone. Workers that are gone are not waited for for ever: their trials are closed.
        """
        if trial.number in self._drawn or not self._has_undecided(slot):
            return False
        close_dead_trials(self.trials)
        return True

    def configurations(self, trials: Iterable[FrozenTrial]) -> set[str]:
        """Identities of the configurations of trials; without those that lack parameters yet."""
        return {known for trial in trials if (known := self._identity(trial))}

    def failed(self) -> list[FrozenTrial]:
        """Trials that failed by themselves."""
        failed = self.trials.in_state("FAIL")
        return [trial for trial in failed if tables.SLOT_ATTRIBUTE in trial.user_attrs]

    def _draw(self, trial: Trial, slot: int) -> Parameters:
        study, name = self.trials.task.study, self.trials.task.whole_name
        with self.trials.one_look():
            running = self.trials.in_state("RUNNING")
            # After that look, as some have ended in it.
            self._take_in_ended()
        used = self.configurations(t for t in running if t.number != trial.number)
        used |= {identity(effective(p, study.search)) for p in self.fixed.values()} | self._scored
        closed = used | self._failed
        for draw in range(_MOST_DRAWS):
            draft = _Draft(trial, self.algorithm(slot, draw))
            if identity(suggest(draft, study.search)) not in closed:
                break
            if draw == MOST_REDRAWS and (all_ := list_configurations(study.search, _MOST_LISTED)):
                by_identity = {identity(parameters): parameters for parameters in all_}
                # Those that failed are tried again when no others are left.
                untried = by_identity.keys() - closed or by_identity.keys() - used
                if not untried:
                    raise MembersFailed(NOTHING_LEFT)
                rng = np.random.default_rng(derive_seed(study.seed, name, "left", slot))
                return draft.params | by_identity[sorted(untried)[int(rng.integers(len(untried)))]]
        return draft.params

    def _take_in_ended(self) -> None:
        """Note the configurations of trials that have ended since the last draw."""
        log = self.trials.log()
        for ended in log[self._n_read :]:
            if ended.state.name in SCORED:
                self._scored |= self.configurations([ended])
            elif tables.SLOT_ATTRIBUTE in ended.user_attrs:
                self._failed |= self.configurations([ended])
        self._n_read = len(log)

    def _has_undecided(self, slot: int) -> bool:
        """Whether another worker has yet to choose the parameters of a slot before this one."""
        with self.trials.storage.engine.connect() as connection:
            leased = leased_configurations(connection, self.trials.registered.uuid)
        numbers = {
            number
            for key, number in leased.items()
            if (earlier := slot_of(key)) is not None
            and earlier < slot
            and earlier not in self.fixed
        }
        if not numbers:
            return False
        running = self.trials.in_state("RUNNING")
        # None: not begun yet.
        return bool(numbers & {None, *(t.number for t in running if not self._identity(t))})

    def _identity(self, trial: FrozenTrial) -> str:
        """Identity of a trial's configuration, "" while it has not all parameters."""
        if trial.number not in self._identities:
            try:
                parameters = effective(trial.params, self.trials.task.study.search)
            except KeyError:
                return ""
            self._identities[trial.number] = identity(parameters)
        return self._identities[trial.number]
