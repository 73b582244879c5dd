"""How far the studies in a database are; read by SQL alone, so it answers at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, column, select, table

from remix_study.study import leases, tables
from remix_study.study.tables import point_key

# The few columns of Optuna's schema that are read here; loading Optuna would take longer.
studies = table("studies", column("study_id"), column("study_name"))
trials = table("trials", column("trial_id"), column("number"), column("study_id"), column("state"))
parameters = table(
    "trial_params", column("trial_id"), column("param_name"), column("param_value"),
    column("distribution_json"),
)  # fmt: skip
values = table("trial_values", column("trial_id"), column("objective"), column("value"))
study_attributes = table(
    "study_user_attributes", column("study_id"), column("key"), column("value_json")
)
trial_attributes = table(
    "trial_user_attributes", column("trial_id"), column("key"), column("value_json")
)


@dataclass(frozen=True)
class Progress:
    """How far a problem's study is.

    Attributes:
        name: ``<study>/<problem>``.
        planned: Points of the plan, or trials of a search.
        complete: Points with a COMPLETE trial, or one that the search has pruned.
        failed: Points, or slots of a search, whose trials all failed, none running.
        running: Points that a living worker works on.
        dead: Trials left RUNNING by a worker that is gone; the next run frees them.
        missing: Points that are neither complete nor running.
    """

    name: str
    planned: int
    complete: int
    failed: int
    running: int
    dead: int
    missing: int


def read_progress(engine: Engine) -> list[Progress]:
    """How far every study of this project in the database is, by name."""
    with engine.connect() as connection:
        return [_progress(connection, study_id, row) for study_id, row in own_studies(connection)]


def own_studies(connection: Connection) -> list[tuple[int, Any]]:
    """Optuna's study id and our row of every study that still stands in both, by name."""
    rows = {row.uuid: row for row in connection.execute(select(tables.studies))}
    found = connection.execute(
        select(studies.c.study_id, studies.c.study_name, study_attributes.c.value_json)
        .join(study_attributes, studies.c.study_id == study_attributes.c.study_id)
        .where(study_attributes.c.key == tables.STUDY_ATTRIBUTE)
    )
    # Sorted here: databases do not agree on the order of letters.
    return [
        (study_id, rows[uuid])
        for study_id, _, text in sorted(found, key=lambda study: study.study_name)
        if (uuid := json.loads(text)) in rows
    ]


def _progress(connection: Connection, study_id: int, row: Any) -> Progress:
    alive = leases.living(connection)
    own = tables.claims.c.study_uuid == row.uuid
    held = {
        claim.point: claim.trial
        for claim in connection.execute(select(tables.claims).where(own))
        if claim.worker_uuid in alive
    }
    found = connection.execute(select(trials).where(trials.c.study_id == study_id)).all()
    working = {number for number in held.values() if number is not None}
    dead = sum(trial.state == "RUNNING" and trial.number not in working for trial in found)
    points = points_of(connection, study_id, row)
    ended = ("COMPLETE", "PRUNED")
    done = {points.get(trial.trial_id) for trial in found if trial.state in ended}
    bad = {points.get(trial.trial_id) for trial in found if trial.state == "FAIL"}
    # A trial without a point or slot is none of the plan.
    planned = set(row.planned) or set(points.values())
    complete = min(len(done & planned), row.trials)
    failed = len((bad & planned) - done - held.keys())
    missing = max(0, row.trials - complete - len(held))
    return Progress(row.name, row.trials, complete, failed, len(held), dead, missing)


def points_of(connection: Connection, study_id: int, row: Any) -> dict[int, str]:
    """Key of each trial's point in a grid, or of its slot in a search, by Optuna's trial id."""
    return _points(connection, study_id) if row.planned else _slots(connection, study_id)


def _slots(connection: Connection, study_id: int) -> dict[int, str]:
    """Slot of each trial of a search that has used one up."""
    found = connection.execute(
        select(trials.c.trial_id, trial_attributes.c.value_json)
        .join(trial_attributes, trials.c.trial_id == trial_attributes.c.trial_id)
        .where(trials.c.study_id == study_id)
        .where(trial_attributes.c.key == tables.SLOT_ATTRIBUTE)
    )
    return {row.trial_id: f"slot {row.value_json}" for row in found}


def _points(connection: Connection, study_id: int) -> dict[int, str]:
    """Key of each trial's point, as the plan writes it."""
    found = connection.execute(
        select(parameters)
        .join(trials, trials.c.trial_id == parameters.c.trial_id)
        .where(trials.c.study_id == study_id)
    )
    points: dict[int, dict[str, Any]] = {}
    for row in found:
        distribution = json.loads(row.distribution_json)
        value: Any = row.param_value
        if distribution["name"] == "CategoricalDistribution":
            value = distribution["attributes"]["choices"][int(value)]
        elif distribution["name"] == "IntDistribution":
            value = int(value)
        points.setdefault(row.trial_id, {})[row.param_name] = value
    return {trial: point_key(point) for trial, point in points.items()}
