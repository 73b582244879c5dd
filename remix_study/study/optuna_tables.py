"""Studies as a database has them: Optuna's own tables, the project's studies, how far each is.

Read by SQL alone: loading Optuna takes seconds, and its interface takes a transaction for each
attribute.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    Connection,
    DateTime,
    Engine,
    Select,
    TableClause,
    bindparam,
    column,
    func,
    select,
    table,
    text,
)

from remix_study.errors import StorageError, UsageError, did_you_mean
from remix_study.study import leases, tables
from remix_study.study.database_errors import damaged_rows
from remix_study.study.tables import configuration_key
from remix_study.study.times import utc_without_zone


def _table(name: str, *columns: str) -> TableClause:
    return table(name, *map(column, columns))


studies = _table("studies", "study_id", "study_name")
study_attributes = _table("study_user_attributes", "study_id", "key", "value_json")
study_system_attributes = _table("study_system_attributes", "study_id", "key", "value_json")
trials = _table("trials", "trial_id", "number", "study_id", "state")
# A categorical parameter's value is the position of its choice.
parameters = _table("trial_params", "trial_id", "param_name", "param_value", "distribution_json")
values = _table("trial_values", "trial_id", "objective", "value")
trial_attributes = _table("trial_user_attributes", "trial_id", "key", "value_json")
# Constraints are kept here, under keys that begin with CONSTRAINT.
system_attributes = _table("trial_system_attributes", "trial_id", "key", "value_json")
OF_TRIALS = (parameters, values, trial_attributes, system_attributes)
"""Tables whose rows belong to a trial."""

versions = _table("alembic_version", "version_num")

CONSTRAINT = "constraints:"
"""Beginning of the key of a constraint in a trial's system attributes."""

SCORED_STATES = ("COMPLETE", "PRUNED")
"""States of trials that have scores."""

FAILED = "failed"
"""User attribute of a trial that has failed: why."""

DIED = "its worker died"
INTERRUPTED = "interrupted"
TAKEN_OVER = "another process has taken it over"
NOT_PLANNED = "not part of the plan"
NOT_FIRST = "not one of the first points"
NOTHING_LEFT = "other trials have all configurations of the search space"
NO_TRY = (INTERRUPTED, TAKEN_OVER, NOT_PLANNED, NOT_FIRST, NOTHING_LEFT)
"""Reasons of failures that do not count as a try of the configuration."""


def rows_of_trials(source: TableClause, study_id: int) -> Select[Any]:
    """A query for the rows of a table that belong to the trials of a study."""
    return (
        select(source)
        .join(trials, trials.c.trial_id == source.c.trial_id)
        .where(trials.c.study_id == study_id)
    )


def count_trials(engine: Engine, study_id: int) -> int:
    """Number of a study's trials; Optuna would read them all."""
    query = select(func.count()).select_from(trials).where(trials.c.study_id == study_id)
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def set_failed(connection: Connection, trial_id: int, *times: str) -> None:
    """Set the state of a trial to FAIL, and some of its times, by column, to now."""
    changes = ", ".join(["state = 'FAIL'", *(f"{column} = :now" for column in times)])
    query = text(f"UPDATE trials SET {changes} WHERE trial_id = :trial_id")
    # The server's own CURRENT_TIMESTAMP is of the zone that it is set to.
    values = {"trial_id": trial_id, "now": utc_without_zone(datetime.now(UTC))}
    connection.execute(query.bindparams(bindparam("now", type_=DateTime)), values)


def trial_attributes_of(
    connection: Connection, study_id: int, *keys: str
) -> dict[int, dict[str, Any]]:
    """Values of some user attributes of a study's trials: Optuna's trial id -> key -> value."""
    values_of: dict[int, dict[str, Any]] = {}
    rows = rows_of_trials(trial_attributes, study_id).where(trial_attributes.c.key.in_(keys))
    read = cache(json.loads)  # Most of thousands of trials have the same
    for row in connection.execute(rows):
        values_of.setdefault(row.trial_id, {})[row.key] = read(row.value_json)
    return values_of


def first_repeats(facts: Mapping[str, Any]) -> int:
    """Repeats that a study began with: those of trials that do not say how many they have."""
    return int(facts.get("grown_from", [facts["repeats"]])[0])


def chains(trials: Iterable[tuple[str, int, int | None]]) -> dict[str, list[int]]:
    """The COMPLETE trials of each configuration that hold its folds together, first to newest.

    Args:
        trials: Key, number, and the number of the trial that it extends, in order of numbers.

    Returns:
        Key -> numbers: a trial that extends none, the one that extends it, and so on. Others of
        the same configuration are left out.
    """
    numbers_of: dict[str, list[int]] = {}
    for key, number, extends in trials:
        chain = numbers_of.setdefault(key, [])
        if extends == (chain[-1] if chain else None):
            chain.append(number)
    return {key: chain for key, chain in numbers_of.items() if chain}


Registered = tuple[int, Any]
"""Optuna's study id, and the row of :data:`remix_study.study.tables.studies`."""


def registered_studies(connection: Connection) -> list[Registered]:
    """Every study that exists both in Optuna's tables and in the project's, by name."""
    rows = {
        row.uuid: row for row in connection.execute(tables.select_rows(connection, tables.studies))
    }
    attributes = study_attributes.c
    bindings = connection.execute(
        select(studies.c.study_id, studies.c.study_name, attributes.value_json)
        .join(study_attributes, studies.c.study_id == attributes.study_id)
        .where(attributes.key == tables.STUDY_ATTRIBUTE)
    )
    # Sorted here: databases do not agree on the order of letters.
    registered = [
        (study_id, name, rows[uuid])
        for study_id, name, text in sorted(bindings, key=lambda binding: binding.study_name)
        if (uuid := json.loads(text)) in rows
    ]
    times = Counter(row.name for *_, row in registered)
    return [
        (study_id, row if times[row.name] == 1 or name == row.name else _renamed(row, name))
        for study_id, name, row in registered
    ]


def _renamed(row: Any, name: str) -> Any:
    """A study whose name another one has taken since it was renamed in the dashboard."""
    return SimpleNamespace(**row._asdict() | {"name": name, "study": name})


def check_names(registered: Collection[Registered], names: Collection[str]) -> None:
    """Refuse names of studies that a database does not hold.

    Raises:
        UsageError: Names the first, and similar ones that it holds.
    """
    known_names = sorted({row.study for _, row in registered})
    for name in names:
        if name not in known_names:
            raise UsageError(
                f'the database holds no study "{name}"{did_you_mean(name, known_names)}'
            )


def select_studies(connection: Connection, names: Collection[str] = ()) -> list[Registered]:
    """Registered studies of those that a user names, one a problem, by name.

    Args:
        connection: To the database.
        names: Names of study files' studies; all studies when empty.

    Raises:
        StorageError: The database holds no study.
        UsageError: It holds none of this name.
    """
    registered = registered_studies(connection)
    if not registered:
        raise StorageError("the database holds no study yet; run one first")
    check_names(registered, names)
    return [entry for entry in registered if not names or entry[1].study in names]


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
        split: "test" or "time" where the test parts are given; their intervals are bootstrapped.
    """

    name: str
    planned: int
    complete: int
    failed: int
    running: int
    dead: int
    missing: int
    split: str = ""


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
    stored = connection.execute(select(trials).where(trials.c.study_id == study_id)).all()
    leased_trials = {number for number in leased.values() if number is not None}
    dead = sum(trial.state == "RUNNING" and trial.number not in leased_trials for trial in stored)
    keys = trial_keys(connection, study_id, row)
    attributes = trial_attributes_of(connection, study_id, tables.REPEATS_ATTRIBUTE, FAILED)
    # Of a grid that has grown, trials that lack repeats are no longer complete.
    is_grid = row.facts["algorithm"] == "grid"
    least, first = row.facts["repeats"] if is_grid else 0, first_repeats(row.facts)
    scored = {
        keys.get(trial.trial_id)
        for trial in stored
        if trial.state in SCORED_STATES
        and attributes.get(trial.trial_id, {}).get(tables.REPEATS_ATTRIBUTE, first) >= least
    }
    with_failures = {
        keys.get(trial.trial_id)
        for trial in stored
        if trial.state == "FAIL" and attributes.get(trial.trial_id, {}).get(FAILED) not in NO_TRY
    }
    # A trial without a configuration or slot is not part of the plan.
    planned = set(row.planned) or set(keys.values())
    complete = min(len(scored & planned), row.trials)
    failed = len((with_failures & planned) - scored - leased.keys())
    missing = max(0, row.trials - complete - len(leased))
    split = row.facts.get("split", "")
    return Progress(row.name, row.trials, complete, failed, len(leased), dead, missing, split)


def trial_keys(connection: Connection, study_id: int, row: Any) -> dict[int, str]:
    """Keys of configurations, or of used slots of a search, by Optuna's trial id.

    Args:
        connection: To the database.
        study_id: Optuna's id of the study.
        row: Its row in the project's table of studies.
    """
    if row.planned:
        return _configuration_keys(connection, study_id)
    slots = trial_attributes_of(connection, study_id, tables.SLOT_ATTRIBUTE)
    return {trial: f"slot {facts[tables.SLOT_ATTRIBUTE]}" for trial, facts in slots.items()}


def _configuration_keys(connection: Connection, study_id: int) -> dict[int, str]:
    """Keys of the trials' configurations, as the plan has them."""
    configurations: dict[int, dict[str, Any]] = {}
    read = cache(json.loads)  # All trials have the same, of as many choices as the plan has
    for row in connection.execute(rows_of_trials(parameters, study_id)):
        distribution = read(row.distribution_json)
        value: Any = row.param_value
        if distribution["name"] == "CategoricalDistribution":
            value = distribution["attributes"]["choices"][int(value)]
        elif distribution["name"] == "IntDistribution":
            value = int(value)
        configurations.setdefault(row.trial_id, {})[row.param_name] = value
    return {trial: configuration_key(each) for trial, each in configurations.items()}
