"""How much there is to do in a task: the configurations of a grid, the trials of all others."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import String

from remix_study.errors import StudyFileError
from remix_study.study import tables
from remix_study.study.configurations import planned_configurations
from remix_study.study.search_configurations import n_trials
from remix_study.study.tables import configuration_key
from remix_study.study.task import Task


def planned_work(task: Task) -> dict[str, Any]:
    """Keys of a grid's configurations (``planned``) and how many ``trials`` complete the task."""
    search = task.study.search
    if task.role in ("outer", "rare-rows"):
        return {"planned": [], "trials": search.trials}
    if search.algorithm != "grid":
        return {"planned": [], "trials": n_trials(search)}
    keys = [configuration_key(parameters) for parameters in planned_configurations(task.study)]
    return {"planned": keys, "trials": len(keys)}


def check_lengths(task: Task) -> None:
    """Refuse names that PostgreSQL would refuse when a trial has trained; SQLite holds any.

    Raises:
        StudyFileError: Names the estimator or configuration, and how long it may be.
    """
    estimators = ("search.estimators", task.study.search.estimators, tables.runs.c.strategy,
                  "name its class in a section [estimators.NAME]")  # fmt: skip
    keys = ("search.space", planned_work(task)["planned"], tables.leases.c.point,
            "vary fewer keys, or give its values shorter names")  # fmt: skip
    for key, names, column, advice in (estimators, keys):
        limit = cast("String", column.type).length or 0
        for name in names:
            if len(name) > limit:
                raise StudyFileError(
                    f'{task.study.source}: {key}: "{name[:60]}..." has {len(name)} characters, '
                    f"and PostgreSQL's table holds {limit}: {advice}"
                )
