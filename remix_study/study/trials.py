"""The trials of one task in the database: read by state, finished with all their rows, closed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy import Connection, delete, insert, select

from remix_study.errors import StorageError
from remix_study.study import leases, optuna_tables, tables, trial_log
from remix_study.study.constraints import Constraint, Margin
from remix_study.study.database_file import check_database_file
from remix_study.study.evaluation import Evaluation
from remix_study.study.optuna_tables import DIED, FAILED
from remix_study.study.record import delete_run, delete_runs, record_trial, trial_attributes
from remix_study.study.registration import RegisteredStudy
from remix_study.study.task import Task
from remix_study.version import ENGINE_VERSION

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial

# User attributes of trials: the slot that a trial fills, and that it would fail again.
ASKED_FOR = "slot asked for"
FINAL = "final"

SCORED = optuna_tables.SCORED_STATES


class TakenOver(Exception):
    """Raised when another worker has closed the trial, after this one was silent for too long."""


class StudyLost(StorageError):
    """Raised when somebody has deleted or renamed the Optuna study of a task."""


@dataclass(frozen=True)
class Start:
    """State of a task when the run began that a worker process belongs to.

    Attributes:
        trials: Number of trials at that time; failures among them may be tried again.
        slots: Slots of a search that the run may use; 0 for a grid.
    """

    trials: int
    slots: int


@dataclass(eq=False)
class Trials:
    """The trials of one task.

    Attributes:
        storage: The database.
        task: The task.
        registered: Its study in the database.
        start: Its state when the run began.
        keys: Keys of the configurations, or slots, of trials, by number, as far as they are known.
    """

    storage: RDBStorage
    task: Task
    registered: RegisteredStudy
    start: Start = Start(0, 0)
    keys: dict[int, str] = field(init=False, default_factory=dict)
    _log: trial_log.TrialLog = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        self._log = trial_log.TrialLog(self.storage, self.registered.optuna._study_id)

    def one_look(self) -> AbstractContextManager[None]:
        """Look at the trials once in a block, when they are first asked for, not each time.

        What the block says of them is then true of one moment.
        """
        return self._log.one_look()

    def log(self) -> list[FrozenTrial]:
        """Trials that have ended, in the order in which they were read: later ones come last."""
        self._log.look()
        return self._log.ended

    def in_state(self, *states: str) -> list[FrozenTrial]:
        """Trials in any of some of Optuna's states, in the order of their numbers."""
        self._log.look()
        return sorted(self._log.in_states(states), key=attrgetter("number"))

    def running(self) -> list[trial_log.TrialRow]:
        """RUNNING trials, without what Optuna holds of them."""
        self._log.look()
        return self._log.open_rows(("RUNNING",))

    def check_database(self) -> None:
        """Stop where the file of the database or the study is not there any more.

        Raises:
            StorageError: The file was deleted, moved or replaced.
            StudyLost: As :meth:`check_study`.
        """
        check_database_file(self.storage.engine)
        self.check_study()

    def check_study(self) -> None:
        """Stop where the study is not there any more: Optuna's ids are given out again.

        Raises:
            StudyLost: It was deleted or renamed.
        """
        attributes, study = optuna_tables.study_attributes.c, optuna_tables.studies.c
        is_binding = (attributes.key == tables.STUDY_ATTRIBUTE) & (
            attributes.value_json == json.dumps(self.registered.uuid)
        )
        query = select(study.study_id, study.study_name).where(
            is_binding, study.study_id == attributes.study_id
        )
        with self.storage.engine.connect() as connection:
            names = {row.study_id: row.study_name for row in connection.execute(query)}
        if self.registered.optuna._study_id not in names:
            what = f'renamed "{next(iter(names.values()))}"' if names else "deleted"
            raise StudyLost(f"the study was {what} while the run worked, which ends this problem")

    def ended(self) -> list[FrozenTrial]:
        """Trials that have ended, with scores or without."""
        return self.in_state(*SCORED, "FAIL")


def finish_trial(
    trials: Trials,
    trial: Trial,
    evaluation: Evaluation,
    slot: int | None = None,
    margins: Mapping[Constraint, Margin] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write the trial's rows in one transaction, then mark it COMPLETE or PRUNED.

    Readers may rely on such trials having all their rows. Calling it twice has the same effect as
    calling it once.

    Args:
        trials: The trials of its task.
        trial: The open trial.
        evaluation: Its scores.
        slot: The slot of a search that it uses up.
        margins: How far it lies beyond each constraint of a search.
        facts: What else is known now and stored: the outer fold of a nested search, for example.

    Raises:
        TakenOver: The trial was closed meanwhile; none of its rows is kept.
        StudyLost: Its study was deleted or renamed.
    """
    storage, margins = trials.storage, margins or {}
    attributes = {
        tables.RUN_ATTRIBUTE: evaluation.uuid,
        **trial_attributes(trials.task, evaluation),
        **({} if slot is None else {tables.SLOT_ATTRIBUTE: slot}),
        # The dashboard shows user attributes, and no constraints of this kind.
        **{f"constraint {bound.text}": str(margin) for bound, margin in margins.items()},
    }
    facts = {
        "engine_version": ENGINE_VERSION,
        "trials_in_program": evaluation.trials_in_program,
        **(facts or {}),
    }
    if earlier := evaluation.earlier:
        folds = [trials.task.folds[position] for position in evaluation.positions]
        facts |= {"extends": earlier.run, "repeats": sorted({fold.repeat for fold in folds})}
    state = TrialState.PRUNED if evaluation.pruned else TrialState.COMPLETE
    trials.check_study()
    try:
        stored = storage.get_trial(trial._trial_id).constraints if margins else {}
        for bound, margin in margins.items():
            if bound.text not in stored:
                trial.set_constraint(bound.text, margin.beyond)
        with storage.engine.begin() as connection:
            _set_attributes(connection, trial._trial_id, attributes)
            record_trial(connection, trials.registered.uuid, trials.task, evaluation, facts)
        storage.set_trial_state_values(trial._trial_id, state, evaluation.values)
    except UpdateFinishedTrialError as error:
        closed = storage.get_trial(trial._trial_id)
        is_same_run = closed.user_attrs.get(tables.RUN_ATTRIBUTE) == evaluation.uuid
        if is_same_run and closed.state == state:
            # Finished by an earlier call, whose connection was lost before the answer came.
            return
        delete_run(storage.engine, evaluation.uuid)
        raise TakenOver from error


def _set_attributes(
    connection: Connection,
    trial_id: int,
    attributes: dict[str, Any],
    states: tuple[str, ...] = ("RUNNING",),
) -> None:
    """Set user attributes of an open trial; Optuna takes a transaction for each.

    Raises:
        UpdateFinishedTrialError: The trial is in none of the states any more.
    """
    table, trial = optuna_tables.trial_attributes.c, optuna_tables.trials.c
    state = select(trial.state).where(trial.trial_id == trial_id).with_for_update()
    if connection.execute(state).scalar_one_or_none() not in states:
        raise UpdateFinishedTrialError
    is_replaced = (table.trial_id == trial_id) & table.key.in_(attributes)
    connection.execute(delete(optuna_tables.trial_attributes).where(is_replaced))
    rows = [
        {"trial_id": trial_id, "key": name, "value_json": json.dumps(value)}
        for name, value in attributes.items()
    ]
    connection.execute(insert(optuna_tables.trial_attributes), rows)


def fail_trial(
    storage: RDBStorage,
    trial_id: int,
    reason: str,
    slot: int | None = None,
    *,
    final: bool = False,
) -> None:
    """Close a trial, by Optuna's id, as FAIL and delete its rows, unless it is closed already.

    Args:
        storage: The database.
        trial_id: Optuna's id.
        reason: Kept with the trial.
        slot: The slot that it used up; None if it is to be used again.
        final: Whether it would fail again if it were tried again.
    """
    attributes: dict[str, Any] = {FAILED: reason[: tables.MAX_ATTRIBUTE_LENGTH]}
    attributes |= {} if slot is None else {tables.SLOT_ATTRIBUTE: slot}
    attributes |= {FINAL: True} if final else {}
    # All in one transaction: who loses the answer to a part would leave rows behind.
    with suppress(UpdateFinishedTrialError), storage.engine.begin() as connection:
        _set_attributes(connection, trial_id, attributes, ("RUNNING", "WAITING"))
        optuna_tables.set_failed(connection, trial_id, "datetime_complete")
        table = optuna_tables.trial_attributes.c
        is_run = (table.trial_id == trial_id) & (table.key == tables.RUN_ATTRIBUTE)
        run = connection.execute(select(table.value_json).where(is_run)).scalar_one_or_none()
        if run is not None:
            delete_runs(connection, tables.runs.c.uuid == json.loads(run))
        if slot is None:
            # Noted with the rows, by a worker that died before the trial was complete.
            is_slot = (table.trial_id == trial_id) & (table.key == tables.SLOT_ATTRIBUTE)
            connection.execute(delete(optuna_tables.trial_attributes).where(is_slot))


def close_dead_trials(trials: Trials) -> None:
    """Close trials whose worker is gone."""
    engine = trials.storage.engine
    leases.remove_dead_workers(engine)
    # Trials are read before leases: a living worker takes its lease before it begins the trial,
    # and gives it back after it has closed the trial.
    running = trials.running()
    with engine.connect() as connection:
        leased = leases.leased_configurations(connection, trials.registered.uuid)
    leased_trials = set(leased.values())
    if None in leased_trials:
        # One of the running trials may belong to a worker that is just beginning it.
        return
    for trial in running:
        if trial.number not in leased_trials:
            fail_trial(trials.storage, trial.trial_id, DIED)
