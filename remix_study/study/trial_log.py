"""The trials of an Optuna study as they change: only what is new is read."""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, select, union_all

from remix_study.study import optuna_tables

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

# So many whole trials, read twice, cost as much as the states of thousands.
_SHORT = 16
_OPEN_STATES = ("RUNNING", "WAITING")
_study, _trial = optuna_tables.studies.c, optuna_tables.trials.c
_of_study = _trial.study_id == bindparam("study_id")
_row = select(_trial.trial_id, _trial.number, _trial.state)
# Built once: that takes longer than to ask. One empty row where nothing has changed. Two parts, of
# which each finds its rows by an index: with one condition for both, SQLite reads all trials.
_CHANGES = union_all(
    _row.select_from(
        optuna_tables.studies.outerjoin(
            optuna_tables.trials, _of_study & (_trial.trial_id > bindparam("last_id"))
        )
    ).where(_study.study_id == bindparam("study_id")),
    _row.where(_of_study, _trial.trial_id.in_(bindparam("open_ids", expanding=True))),
)


class TrialRow(NamedTuple):
    """What a look tells of a trial: Optuna's id of it, its number, the name of its state."""

    trial_id: int
    number: int
    state: str


@dataclass(eq=False)
class TrialLog:
    """Trials that have ended, read once each, and which others are open now.

    What a trial costs must grow neither with the study nor with the number of workers: one query
    tells what has changed, and Optuna reads whole trials of those alone that have ended since.

    Attributes:
        storage: The database.
        study_id: Optuna's id of the study.
        ended: Trials that have ended, in the order in which they were read.
    """

    storage: RDBStorage
    study_id: int
    ended: list[FrozenTrial] = field(init=False, default_factory=list)
    _of_state: dict[str, list[FrozenTrial]] = field(init=False, default_factory=dict)
    _open: dict[int, TrialRow] = field(init=False, default_factory=dict)
    _last_id: int = field(init=False, default=-1)
    _looks_left: int | None = field(init=False, default=None)

    @contextmanager
    def one_look(self) -> Iterator[None]:
        """Look at the trials once in the block, when they are first asked for, not each time."""
        is_outermost = self._looks_left is None
        if is_outermost:
            self._looks_left = 1
        try:
            yield
        finally:
            if is_outermost:
                self._looks_left = None

    def look(self) -> None:
        """Take in what has changed, unless this block has looked."""
        if self._looks_left != 0:
            self._read_changes()
        if self._looks_left:
            self._looks_left -= 1

    def in_states(self, states: Collection[str]) -> list[FrozenTrial]:
        """Trials that have ended in some states, or were open in them a moment ago."""
        open_ids = {row.trial_id for row in self.open_rows(states)}
        open_trials = self._read_trials(open_ids)
        # Before the others are collected: some have ended by now.
        self._take_in(open_trials)
        trials = [trial for state in states for trial in self._of_state.get(state, ())]
        still_open = open_ids & self._open.keys()
        return trials + [
            trial
            for trial in open_trials
            if trial._trial_id in still_open and trial.state.name in states
        ]

    def open_rows(self, states: Collection[str]) -> list[TrialRow]:
        """Id, number and state of trials that were open in some states at the last look."""
        return [row for row in self._open.values() if row.state in states]

    def _read_changes(self) -> None:
        """Read what has changed since the last look.

        Raises:
            KeyError: The study was deleted, as Optuna says it.
        """
        known = {"study_id": self.study_id, "last_id": self._last_id, "open_ids": list(self._open)}
        with self.storage.engine.connect() as connection:
            of_study = connection.execute(_CHANGES, known).all()
        if not of_study:
            raise KeyError(f"no study {self.study_id}")
        rows = {row.trial_id: TrialRow(*row) for row in of_study if row.trial_id is not None}
        trials = self._read_trials({i for i, row in rows.items() if row.state not in _OPEN_STATES})
        # Not beyond what was seen: trials that have begun since come with the next look.
        self._open, self._last_id = rows, max([self._last_id, *rows])
        self._take_in(trials)

    def _read_trials(self, ids: set[int]) -> list[FrozenTrial]:
        """Read whole trials by their ids; others may come with them."""
        if not ids:
            return []
        since, last_id = min(ids) - 1, self._last_id
        if since >= last_id - _SHORT:
            # A range alone: for ids and a range beside them SQLite reads all trials.
            ids, last_id = set(), since
        return self.storage._get_trials(self.study_id, None, ids, last_id)

    def _take_in(self, trials: Iterable[FrozenTrial]) -> None:
        """Move trials that were open, or new, to those that have ended, where they have."""
        for trial in trials:
            if trial.state.is_finished() and trial._trial_id in self._open:
                del self._open[trial._trial_id]
                self.ended.append(trial)
                of_state = self._of_state.setdefault(trial.state.name, [])
                insort(of_state, trial, key=attrgetter("number"))
