"""What the trials of one problem know of each other: first points, and choices to be scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from remix_study.metrics import METRICS
from remix_study.study.choice import Candidate, choose
from remix_study.study.registration import enter
from remix_study.study.retry import patiently
from remix_study.study.signals import Signals
from remix_study.study.task import Task
from remix_study.study.trial_status import complete, problem_trials
from remix_study.study.trials import Trials
from remix_study.study.worker_limits import Start

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial


def entered(
    storage: RDBStorage,
    families: Sequence[Sequence[Task]],
    signals: Signals,
    starts: Mapping[str, Start] | None = None,
) -> list[Trials]:
    """Enter problems, each with what belongs to its search, in the order in which they run.

    Args:
        storage: The database.
        families: As :func:`remix_study.study.search_tasks.family` gives them.
        signals: Looked at while a database is waited for.
        starts: Where they stood, by name; as they stand now for those not named.

    Raises:
        StudyFileError: A change in the study file that its studies do not allow.
    """
    began = starts or {}
    found = []
    for tasks in families:
        group = [
            problem_trials(
                storage,
                task,
                patiently(partial(enter, storage, task), signals),
                began.get(task.name),
            )
            for task in tasks
        ]
        relate(group)
        found += group
    return found


def relate(found: Sequence[Trials]) -> None:
    """Tell a search of its references, and the outer folds of the searches within them.

    Args:
        found: Trials of one problem, as :func:`remix_study.study.search_tasks.family` orders its
            tasks.
    """
    beside = None
    for trials in found:
        if trials.task.role == "references":
            beside = trials
        elif trials.task.role == "outer":
            trials.inner = tuple(other for other in found if other.task.role == "inner")
            take_choices(trials)
        else:
            trials.references, beside = beside, None


def take_choices(outer: Trials) -> None:
    """Look up what finished inner searches chose; each choice is a slot to score.

    Other trials than those on outer folds stay as they are.
    """
    if not outer.inner:
        return
    outer.given = {}
    for fold, search in enumerate(outer.inner):
        if len(complete(search)) < search.total:
            continue
        for position, choice in enumerate(outer.choices):
            slot = fold * len(outer.choices) + position
            if choice == "baseline":
                outer.given[slot] = dict(search.given[0])
            elif found := chosen(search, position):
                outer.given[slot] = dict(found.params)


def chosen(search: Trials, objective: int) -> FrozenTrial | None:
    """The trial that a search's validation means choose by one objective."""
    trials = {trial.number: trial for trial in search.in_state("COMPLETE")}
    candidates = [
        Candidate(trial.number, tuple(trial.values), trial.constraints)
        for trial in trials.values()
    ]
    metric = METRICS[search.task.study.objectives[objective]]
    found = choose(candidates, objective, maximize=metric.is_maximized)
    return None if found is None else trials[found.number]
