"""How much there is to do in a task: the configurations of a grid, the trials of all others."""

from __future__ import annotations

from typing import Any

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
