"""Which configurations of a task a worker leases next."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from remix_study.study import leases
from remix_study.study.active_trial import ActiveTrial
from remix_study.study.configurations import Configuration, configuration_of
from remix_study.study.leases import Worker
from remix_study.study.shared_program import share_program, trials_per_program
from remix_study.study.trial_status import (
    MAX_TRIES,
    configurations_with_failures,
    finished_configurations,
    must_wait,
)
from remix_study.study.trials import Trials


@dataclass(eq=False)
class ConfigurationQueue:
    """Leases a task's configurations to one worker, in the order of the plan.

    Attributes:
        trials: The trials of the task.
        worker: This process.
        times_lost: How often another worker has taken over a trial of this one, by key.
    """

    trials: Trials
    worker: Worker
    times_lost: Counter[str] = field(default_factory=Counter)

    def lease(self, max_trials: int | None) -> list[ActiveTrial]:
        """Lease the next configuration, and those that train beside it.

        Args:
            max_trials: How many at most; None for as many as one program trains.

        Returns:
            Trials that have not begun; none where nothing can be leased.
        """
        first = self._lease_first()
        if first is None:
            return []
        keys = [first, *self._lease_companions(first, max_trials)]
        return [ActiveTrial(key, self.trials.slot(key), key) for key in keys]

    def _lease_first(self) -> str | None:
        """Lease the first configuration that is neither finished nor another worker's."""
        closed = self._closed()
        for key in self.trials.configurations:
            if key not in closed and not must_wait(self.trials, key) and self._acquire(key):
                return key
        return None

    def _lease_companions(self, first: str, max_trials: int | None) -> list[str]:
        """Lease more configurations that one program trains with the first.

        Workers share what is open. A configuration that has failed is tried alone: it may have
        been the reason why the others crashed.
        """
        limit = trials_per_program(self.trials.task)
        if max_trials is not None:
            limit = min(limit, max_trials)
        if limit == 1 or first in (with_failures := configurations_with_failures(self.trials)):
            return []
        with self.trials.storage.engine.connect() as connection:
            n_workers = max(1, len(leases.living_workers(connection)))
        closed = self._closed() | with_failures | {first}
        candidates = [key for key in self.trials.configurations if key not in closed]
        limit = min(limit, -(-(len(candidates) + 1) // n_workers))
        configuration = self._configuration(first)
        companions: list[str] = []
        for key in candidates:
            if len(companions) + 1 == limit:
                break
            if share_program(configuration, self._configuration(key)) and self._acquire(key):
                companions.append(key)
        return companions

    def _closed(self) -> set[str]:
        """Keys that are not to be leased."""
        with self.trials.storage.engine.connect() as connection:
            # Between trials this worker holds no lease, unless the answer to one was lost.
            leased = leases.leased_configurations(
                connection, self.trials.registered.uuid, but=self.worker
            )
        lost = {key for key, times in self.times_lost.items() if times == MAX_TRIES}
        return leased.keys() | finished_configurations(self.trials) | lost

    def _acquire(self, key: str) -> bool:
        """Lease a configuration; False where another worker has it, or has just finished it."""
        if not self.worker.acquire(self.trials.registered.uuid, key):
            return False
        if key not in finished_configurations(self.trials):
            return True
        self.worker.release(self.trials.registered.uuid, key)
        return False

    def _configuration(self, key: str) -> Configuration:
        task = self.trials.task
        return configuration_of(self.trials.planned[key], task.spec.training, task.study.model)
