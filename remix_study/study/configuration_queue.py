"""Which configurations a worker trains next."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Set
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

from remix_study.study import leases
from remix_study.study.active_trials import ActiveTrial
from remix_study.study.configurations import program_key
from remix_study.study.leases import Worker
from remix_study.study.optuna_tables import DIED
from remix_study.study.schedule import MAX_TRIES, Schedule, finished, with_failures
from remix_study.study.trials import fail_trial

if TYPE_CHECKING:
    from remix_study.study.task import Task


@dataclass(eq=False)
class ConfigurationQueue:
    """Leases a task's configurations to one worker: of those that are free, the first.

    Attributes:
        schedule: What the task trains.
        worker: This process.
        times_lost: How often another worker has taken over a trial of this one, by key.
    """

    schedule: Schedule
    worker: Worker
    times_lost: Counter[str] = field(default_factory=Counter)

    def lease(self, max_trials: int | None) -> list[ActiveTrial]:
        """Lease the first configuration that is neither finished nor another worker's.

        Of a grid, workers that ask at the same moment begin at different ones: where all want the
        first, all but one have to ask again.

        Args:
            max_trials: How many at most, with those that train beside it; None for as many as one
                program trains.

        Returns:
            Trials that have not begun; none where nothing can be leased.
        """
        with self.schedule.trials.one_look():
            leased = self._leased()
            closed, unfinished = self._closed(leased), self.schedule.unfinished()
        free = (key for key in unfinished if not closed(key) and self.schedule.can_begin(key))
        for key in free if self.schedule.has_fixed_order else self._spread(free, len(leased)):
            if self._acquire(key):
                keys = [key, *self._lease_companions(key, max_trials)]
                return [ActiveTrial(key, key) for key in keys]
        return []

    def _spread(self, keys: Iterator[str], n_others: int) -> Iterator[str]:
        """The same keys, which each of some workers begins at another place."""
        # Processes of one run have ids that follow each other.
        if (place := os.getpid() % (1 + n_others)) == 0:
            return keys
        before = list(islice(keys, place * self._task.trials_per_program))
        return chain(keys, before)

    def _lease_companions(self, first: str, max_trials: int | None) -> list[str]:
        """Lease more configurations that one program trains with the first.

        Workers share what is open. A configuration that has failed is tried alone: it may have
        been the reason why the others crashed.
        """
        task = self._task
        limit = task.trials_per_program
        if max_trials is not None:
            limit = min(limit, max_trials)
        if limit == 1:
            return []
        with self.schedule.trials.one_look():
            failed = with_failures(self.schedule)
            leased, repeats = self._leased(), self.schedule.repeats()
            closed = self._closed(leased, failed | {first})
            unfinished = self.schedule.unfinished()
        if first in failed:
            return []
        # Other workers begin with those before it.
        place = unfinished.index(first) if first in unfinished else 0
        unfinished = unfinished[place:] + unfinished[:place]
        with self.schedule.trials.storage.engine.connect() as connection:
            n_workers = max(1, len(leases.living_workers(connection)))
        # Those train the same folds that lack as many repeats.
        candidates = [
            key for key in unfinished if not closed(key) and repeats.get(key) == repeats.get(first)
        ]
        limit = min(limit, -(-(len(candidates) + 1) // n_workers))

        def program_of(key: str) -> Hashable:
            return program_key(task.configuration(json.loads(key)), task.samplers_on_device)

        program = program_of(first)
        companions: list[str] = []
        for key in candidates:
            if len(companions) + 1 == limit:
                break
            if program_of(key) == program and self._acquire(key):
                companions.append(key)
        return companions

    @property
    def _task(self) -> Task:
        return self.schedule.trials.task

    def _leased(self) -> Set[str]:
        """Keys that other workers have leased."""
        with self.schedule.trials.storage.engine.connect() as connection:
            # Between trials this worker holds no lease, unless the answer to one was lost.
            leased = leases.leased_configurations(
                connection, self.schedule.trials.registered.uuid, but=self.worker
            )
        self.schedule.trials.keys |= {n: key for key, n in leased.items() if n is not None}
        return leased.keys()

    def _closed(self, leased: Set[str], chosen: Set[str] = frozenset()) -> Callable[[str], bool]:
        """Whether a key is not to be leased: one of ``chosen``, or finished, leased or lost."""
        lost = {key for key, times in self.times_lost.items() if times == MAX_TRIES}
        sets = leased, finished(self.schedule), lost, chosen
        return lambda key: any(key in keys for keys in sets)

    def _acquire(self, key: str) -> bool:
        """Lease a configuration; False where another worker has it, or has just finished it."""
        trials = self.schedule.trials
        if not self.worker.acquire(trials.registered.uuid, key):
            return False
        with trials.one_look():
            left_open = self._open_trials(key)
            is_finished = key in finished(self.schedule)
        # Who began such a trial was silent for too long, and may just have ended it.
        for trial_id in left_open:
            fail_trial(trials.storage, trial_id, DIED)
        if left_open:
            is_finished = key in finished(self.schedule)
        if not is_finished:
            return True
        self.worker.release(trials.registered.uuid, key)
        return False

    def _open_trials(self, key: str) -> list[int]:
        """Ids of RUNNING trials of a configuration."""
        trials = self.schedule.trials
        running, keys = trials.running(), trials.keys
        if all(row.number in keys for row in running):
            return [row.trial_id for row in running if keys[row.number] == key]
        of_key = [t for t in trials.in_state("RUNNING") if self.schedule.key_of(t) == key]
        return [trial._trial_id for trial in of_key]
