"""Optuna's own tables, as far as this package reads or writes them directly.

Loading Optuna takes seconds, and its interface takes a transaction for each attribute.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, TableClause, column, select, table

studies = table("studies", column("study_id"), column("study_name"))

study_attributes = table(
    "study_user_attributes", column("study_id"), column("key"), column("value_json")
)

study_system_attributes = table(
    "study_system_attributes", column("study_id"), column("key"), column("value_json")
)

trials = table("trials", column("trial_id"), column("number"), column("study_id"), column("state"))

# A categorical parameter's value is the position of its choice.
parameters = table(
    "trial_params", column("trial_id"), column("param_name"), column("param_value"),
    column("distribution_json"),
)  # fmt: skip

values = table("trial_values", column("trial_id"), column("objective"), column("value"))

trial_attributes = table(
    "trial_user_attributes", column("trial_id"), column("key"), column("value_json")
)

# Constraints are kept here, under keys that begin with CONSTRAINT.
system_attributes = table(
    "trial_system_attributes", column("trial_id"), column("key"), column("value_json")
)

versions = table("alembic_version", column("version_num"))

CONSTRAINT = "constraints:"
"""Beginning of the key of a constraint in a trial's system attributes."""

SCORED_STATES = ("COMPLETE", "PRUNED")
"""States of trials that have scores."""


def rows_of_trials(source: TableClause, study_id: int) -> Select[Any]:
    """A query for the rows of a table that belong to the trials of a study."""
    return (
        select(source)
        .join(trials, trials.c.trial_id == source.c.trial_id)
        .where(trials.c.study_id == study_id)
    )
