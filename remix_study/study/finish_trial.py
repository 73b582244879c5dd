"""How a trial ends: with scores and all its rows, or closed for a dead worker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy import Connection, delete, insert, select

from remix_study.study import leases, optuna_tables, tables
from remix_study.study.constraints import Constraint, Margin
from remix_study.study.evaluation import Evaluation
from remix_study.study.record import delete_run, record_trial, trial_attributes
from remix_study.study.schedule import Schedule, slot_of
from remix_study.study.trials import DIED, TakenOver, Trials, fail_trial
from remix_study.training.engine_version import ENGINE_VERSION

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import Trial


def finish_trial(
    schedule: Schedule, trial: Trial, evaluation: Evaluation, key: str, other_workers: int = 0
) -> None:
    """Write the trial's rows in one transaction, then mark it COMPLETE or PRUNED.

    Readers may rely on such trials having all their rows. Calling it twice has the same effect as
    calling it once.

    Args:
        schedule: Of its task.
        trial: The open trial.
        evaluation: What it has given.
        key: Of its configuration or slot.
        other_workers: Processes on this machine that trained at the same time.

    Raises:
        MembersFailed: A constraint cannot be computed.
        TakenOver: The trial was closed meanwhile; none of its rows is kept.
    """
    trials, slot = schedule.trials, slot_of(key)
    storage = trials.storage
    attributes = {
        tables.RUN_ATTRIBUTE: evaluation.uuid,
        **trial_attributes(trials.task, evaluation),
    }
    attributes |= {} if slot is None else {tables.SLOT_ATTRIBUTE: slot}
    margins = schedule.margins(evaluation, key)
    # The dashboard shows user attributes, and no constraints of this kind.
    attributes |= {f"constraint {c.text}": str(margin) for c, margin in margins.items()}
    facts = {
        "engine_version": ENGINE_VERSION,
        "trials_in_program": evaluation.trials_in_program,
        "other_workers": other_workers,
        **schedule.facts(key),
    }
    state = TrialState.PRUNED if evaluation.pruned else TrialState.COMPLETE
    try:
        _set_constraints(storage, trial, margins)
        with storage.engine.begin() as connection:
            _set_attributes(connection, trial, attributes)
            record_trial(connection, trials.registered.uuid, trials.task, evaluation, facts)
        storage.set_trial_state_values(trial._trial_id, state, evaluation.values)
    except UpdateFinishedTrialError as error:
        stored = storage.get_trial(trial._trial_id)
        is_same_run = stored.user_attrs.get(tables.RUN_ATTRIBUTE) == evaluation.uuid
        if is_same_run and stored.state == state:
            # Finished by an earlier call, whose connection was lost before the answer came.
            return
        delete_run(storage.engine, evaluation.uuid)
        raise TakenOver from error


def _set_constraints(storage: RDBStorage, trial: Trial, margins: dict[Constraint, Margin]) -> None:
    """Store those constraints of a trial that Optuna does not have yet."""
    stored = storage.get_trial(trial._trial_id).constraints if margins else {}
    for constraint, margin in margins.items():
        if constraint.text not in stored:
            trial.set_constraint(constraint.text, margin.beyond)


def _set_attributes(connection: Connection, trial: Trial, attributes: dict[str, Any]) -> None:
    """Set user attributes of a running trial; Optuna takes a transaction for each.

    Raises:
        UpdateFinishedTrialError: The trial is not running any more.
    """
    table, all_trials = optuna_tables.trial_attributes, optuna_tables.trials
    state = (
        select(all_trials.c.state)
        .where(all_trials.c.trial_id == trial._trial_id)
        .with_for_update()
    )
    if connection.execute(state).scalar_one_or_none() != "RUNNING":
        raise UpdateFinishedTrialError
    replaced = (table.c.trial_id == trial._trial_id) & table.c.key.in_(attributes)
    connection.execute(delete(table).where(replaced))
    rows = [
        {"trial_id": trial._trial_id, "key": name, "value_json": json.dumps(value)}
        for name, value in attributes.items()
    ]
    connection.execute(insert(table), rows)


def close_dead_trials(trials: Trials) -> None:
    """Close trials whose worker is gone."""
    engine = trials.storage.engine
    leases.remove_dead_workers(engine)
    # Trials are read before leases: a living worker takes its lease before it begins the trial,
    # and gives it back after it has closed the trial.
    running = trials.in_state("RUNNING")
    with engine.connect() as connection:
        leased = leases.leased_configurations(connection, trials.registered.uuid)
    leased_trials = set(leased.values())
    if None in leased_trials:
        # One of the running trials may belong to a worker that is just beginning it.
        return
    for trial in running:
        if trial.number not in leased_trials:
            fail_trial(trials.storage, trial._trial_id, DIED)
