"""Counts of a task's configurations by status, read by SQL alone, so that they come at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select

from remix_study.study import leases, optuna_tables, tables
from remix_study.study.database_errors import damaged_rows
from remix_study.study.study_selection import registered_studies
from remix_study.study.tables import configuration_key


@dataclass(frozen=True)
class Progress:
    """A task's configurations by status.

    Attributes:
        name: ``<study>/<problem>``.
        planned: Configurations of a grid, or trials of a search.
        complete: Configurations with a COMPLETE trial, or one that the search has pruned.
        failed: Configurations, or slots of a search, whose trials all failed, none running.
        running: Configurations that a living worker works on.
        dead: Trials left RUNNING by a worker that is gone; the next run frees them.
        missing: Configurations that are neither complete nor running.
    """

    name: str
    planned: int
    complete: int
    failed: int
    running: int
    dead: int
    missing: int


def read_progress(engine: Engine) -> list[Progress]:
    """Count the configurations of every study of this project in the database, by name."""
    with damaged_rows(), engine.connect() as connection:
        return [
            _progress(connection, study_id, row)
            for study_id, row in registered_studies(connection)
        ]


def _progress(connection: Connection, study_id: int, row: Any) -> Progress:
    alive = leases.living_workers(connection)
    leased = {
        lease.point: lease.trial
        for lease in connection.execute(
            select(tables.leases).where(tables.leases.c.study_uuid == row.uuid)
        )
        if lease.worker_uuid in alive
    }
    trials = connection.execute(
        select(optuna_tables.trials).where(optuna_tables.trials.c.study_id == study_id)
    ).all()
    leased_trials = {number for number in leased.values() if number is not None}
    dead = sum(trial.state == "RUNNING" and trial.number not in leased_trials for trial in trials)
    keys = trial_keys(connection, study_id, row)
    scored = {
        keys.get(trial.trial_id) for trial in trials if trial.state in optuna_tables.SCORED_STATES
    }
    with_failures = {keys.get(trial.trial_id) for trial in trials if trial.state == "FAIL"}
    # A trial without a configuration or slot is not part of the plan.
    planned = set(row.planned) or set(keys.values())
    complete = min(len(scored & planned), row.trials)
    failed = len((with_failures & planned) - scored - leased.keys())
    missing = max(0, row.trials - complete - len(leased))
    return Progress(row.name, row.trials, complete, failed, len(leased), dead, missing)


def trial_keys(connection: Connection, study_id: int, row: Any) -> dict[int, str]:
    """Keys of configurations, or of used slots of a search, by Optuna's trial id.

    Args:
        connection: To the database.
        study_id: Optuna's id of the study.
        row: Its row in the project's table of studies.
    """
    if row.planned:
        return _configuration_keys(connection, study_id)
    return _slot_keys(connection, study_id)


def _slot_keys(connection: Connection, study_id: int) -> dict[int, str]:
    attributes = optuna_tables.trial_attributes
    rows = connection.execute(
        optuna_tables.rows_of_trials(attributes, study_id).where(
            attributes.c.key == tables.SLOT_ATTRIBUTE
        )
    )
    return {row.trial_id: f"slot {row.value_json}" for row in rows}


def _configuration_keys(connection: Connection, study_id: int) -> dict[int, str]:
    """Keys of the trials' configurations, as the plan has them."""
    rows = connection.execute(optuna_tables.rows_of_trials(optuna_tables.parameters, study_id))
    configurations: dict[int, dict[str, Any]] = {}
    for row in rows:
        distribution = json.loads(row.distribution_json)
        value: Any = row.param_value
        if distribution["name"] == "CategoricalDistribution":
            value = distribution["attributes"]["choices"][int(value)]
        elif distribution["name"] == "IntDistribution":
            value = int(value)
        configurations.setdefault(row.trial_id, {})[row.param_name] = value
    return {trial: configuration_key(values) for trial, values in configurations.items()}
