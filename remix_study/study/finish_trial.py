"""How a trial ends: told with all that belongs to it, failed, or closed for a dead worker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select

from remix_study.study import leases, study_progress, tables
from remix_study.study.baseline_trial import margins
from remix_study.study.constraints import Constraint, Margin
from remix_study.study.evaluation import Evaluation
from remix_study.study.record import erase, record
from remix_study.study.registration import LONGEST_ATTRIBUTE
from remix_study.study.trial_attributes import attributes
from remix_study.study.trial_status import DIED, FAILED, FINAL, NOT_PLANNED
from remix_study.study.trials import TakenOver, Trials

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import Trial


def tell(trials: Trials, trial: Trial, found: Evaluation, slot: int | None) -> None:
    """Our rows first, in one transaction, then Optuna: COMPLETE means all is there.

    To do it twice comes to the same.

    Raises:
        MembersFailed: A constraint cannot be computed.
        TakenOver: The trial was closed meanwhile; nothing of it is kept.
    """
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    storage = trials.storage
    own = {tables.RUN_ATTRIBUTE: found.uuid, **attributes(trials.task, found)}
    own |= {} if slot is None else {tables.SLOT_ATTRIBUTE: slot}
    beyond = margins(trials, found, slot)
    # The dashboard shows user attributes, and no constraints of this kind.
    own |= {f"constraint {one.text}": str(margin) for one, margin in beyond.items()}
    state = TrialState.PRUNED if found.pruned else TrialState.COMPLETE
    try:
        _constrain(storage, trial, beyond)
        with storage.engine.begin() as connection:
            _describe(connection, trial, own)
            record(connection, trials.entry.uuid, trials.task, found)
        storage.set_trial_state_values(trial._trial_id, state, found.values)
    except UpdateFinishedTrialError as error:
        stored = storage.get_trial(trial._trial_id)
        mine = stored.user_attrs.get(tables.RUN_ATTRIBUTE) == found.uuid
        if mine and stored.state == state:
            # Told before, on a connection that was lost before it could say so.
            return
        erase(storage.engine, found.uuid)
        raise TakenOver from error


def _constrain(storage: RDBStorage, trial: Trial, beyond: dict[Constraint, Margin]) -> None:
    """Tell Optuna of constraints, those that it does not know of yet."""
    known = storage.get_trial(trial._trial_id).constraints if beyond else {}
    for constraint, margin in beyond.items():
        if constraint.text not in known:
            trial.set_constraint(constraint.text, margin.beyond)


def _describe(connection: Connection, trial: Trial, told: dict[str, Any]) -> None:
    """Set a running trial's user attributes; Optuna takes a transaction for each."""
    from optuna.exceptions import UpdateFinishedTrialError

    rows, own = (
        study_progress.trial_attributes,
        study_progress.trials.c.trial_id == trial._trial_id,
    )
    values = [
        {"trial_id": trial._trial_id, "key": name, "value_json": json.dumps(value)}
        for name, value in told.items()
    ]
    state = select(study_progress.trials.c.state).where(own).with_for_update()
    if connection.execute(state).scalar_one_or_none() != "RUNNING":
        raise UpdateFinishedTrialError
    mine = (rows.c.trial_id == trial._trial_id) & rows.c.key.in_(told)
    connection.execute(delete(rows).where(mine))
    connection.execute(insert(rows), values)


def fail(
    storage: RDBStorage,
    trial_id: int,
    reason: str,
    slot: int | None = None,
    *,
    final: bool = False,
) -> None:
    """Close a trial as FAIL and take out what it had written, unless it is closed already.

    Args:
        storage: The database.
        trial_id: Optuna's id.
        reason: Kept with the trial.
        slot: The slot that it used up; None if it is to be asked again.
        final: Whether it would fail again if it were tried again.
    """
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    try:
        storage.set_trial_user_attr(trial_id, FAILED, reason[:LONGEST_ATTRIBUTE])
        if slot is not None:
            storage.set_trial_user_attr(trial_id, tables.SLOT_ATTRIBUTE, slot)
        if final:
            storage.set_trial_user_attr(trial_id, FINAL, True)
        storage.set_trial_state_values(trial_id, TrialState.FAIL)
    except UpdateFinishedTrialError:
        return
    run = storage.get_trial(trial_id).user_attrs.get(tables.RUN_ATTRIBUTE)
    if run is not None:
        # Only now, when nobody can complete the trial any more.
        erase(storage.engine, run)


def free_dead(trials: Trials) -> None:
    """Close trials whose worker is gone, and those that somebody enqueued beside a grid."""
    engine = trials.storage.engine
    leases.bury(engine)
    for trial in trials.in_state("WAITING") if trials.planned else ():
        fail(trials.storage, trial._trial_id, NOT_PLANNED)
    # Trials first: a living worker claims its point before it asks for the trial, and gives
    # it back after it has closed the trial.
    running = trials.in_state("RUNNING")
    with engine.connect() as connection:
        worked_on = set(leases.claimed(connection, trials.entry.uuid).values())
    if None in worked_on:
        # One of the trials may be that of a worker which is just asking for it.
        return
    for trial in running:
        if trial.number not in worked_on:
            fail(trials.storage, trial._trial_id, DIED)
