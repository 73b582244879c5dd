"""How the searches of one problem depend on each other: references, inner and outer trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from remix_study.metrics import METRICS
from remix_study.study.choice import Candidate, choose
from remix_study.study.registration import register_study
from remix_study.study.retry import retry_transient
from remix_study.study.signals import Signals
from remix_study.study.task import Task
from remix_study.study.trial_status import complete_configurations, load_trials
from remix_study.study.trials import Trials
from remix_study.study.worker_limits import Start

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial


def register_tasks(
    storage: RDBStorage,
    task_groups: Sequence[Sequence[Task]],
    signals: Signals,
    starts: Mapping[str, Start] | None = None,
) -> list[Trials]:
    """Register the tasks of all problems in the database.

    Args:
        storage: The database.
        task_groups: One group a problem, as :func:`remix_study.study.search_tasks.search_tasks`
            returns it.
        signals: Checked while the program waits for a database.
        starts: State of the tasks when the run began, by name; the present state for others.

    Returns:
        The trials of each task, in the order in which they run.

    Raises:
        StudyFileError: A change in the study file that its studies do not allow.
    """
    starts = starts or {}
    all_trials = []
    for tasks in task_groups:
        group = [
            load_trials(
                storage,
                task,
                retry_transient(partial(register_study, storage, task), signals),
                starts.get(task.name),
            )
            for task in tasks
        ]
        link_trials(group)
        all_trials += group
    return all_trials


def link_trials(group: Sequence[Trials]) -> None:
    """Link each search to its references, and outer trials to the inner searches.

    Args:
        group: Trials of one problem's tasks, in the order of
            :func:`remix_study.study.search_tasks.search_tasks`.
    """
    references = None
    for trials in group:
        if trials.task.role == "references":
            references = trials
        elif trials.task.role == "outer":
            trials.inner = tuple(member for member in group if member.task.role == "inner")
            update_outer_slots(trials)
        else:
            trials.references, references = references, None


def update_outer_slots(outer: Trials) -> None:
    """Fix the parameters of outer trials: what each finished inner search chooses.

    Trials of other roles stay as they are.
    """
    if not outer.inner:
        return
    outer.fixed = {}
    for fold, search in enumerate(outer.inner):
        if len(complete_configurations(search)) < search.total:
            continue
        for position, choice in enumerate(outer.choices):
            slot = fold * len(outer.choices) + position
            if choice == "baseline":
                outer.fixed[slot] = dict(search.fixed[0])
            elif trial := chosen_trial(search, position):
                outer.fixed[slot] = dict(trial.params)
                outer.chosen[slot] = trial.number


def chosen_trial(search: Trials, objective: int) -> FrozenTrial | None:
    """The trial that a search's validation means choose by one objective, None without trials."""
    trials = {trial.number: trial for trial in search.in_state("COMPLETE")}
    candidates = [
        Candidate(trial.number, tuple(trial.values), trial.constraints)
        for trial in trials.values()
    ]
    metric = METRICS[search.task.study.objectives[objective]]
    candidate = choose(candidates, objective, maximize=metric.is_maximized)
    return None if candidate is None else trials[candidate.number]
