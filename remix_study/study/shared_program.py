"""Trials of a grid that train side by side in one program.

A trial of twenty small networks leaves an accelerator idle most of the time. Where a study file
asks for a stack larger than a trial, as many trials share it as it holds. A network's numbers
depend neither on its place in a stack nor on its neighbours, so they are those of a trial alone
in a stack of that size.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING

from remix_study.study.configurations import Configuration, configuration_of, grid_points
from remix_study.training import stacks

if TYPE_CHECKING:
    from remix_study.study.task import Task

AUTO = 400
"""Networks that ``stack = "auto"`` puts into one program at most, where there are as many."""


def stack_of(task: Task) -> int:
    """Members in one program; a network that knows no member axis trains one at a time."""
    asked, members = task.spec.training.stack, max(map(len, task.blocks))
    if asked == "auto" and stacks.has_accelerator() and _may_share(task):
        return members * max(1, min(_most_alike(task), AUTO // members))
    return stacks.stack_size(members) if asked in (0, "auto") else int(asked)


def trials_per_program(task: Task) -> int:
    """How many trials train side by side: what fits into the stacks that train at a time.

    One where a stack does not hold two: it would be full anyway.
    """
    if task.spec.training.stack == 0 or not _may_share(task):
        return 1
    if task.stack < 2 * len(task.folds):
        return 1
    return task.stack * stacks.stacks_at_a_time(task.cores) // len(task.folds)


def share_program(one: Configuration, other: Configuration) -> bool:
    """Whether one compiled program trains both, at the same training keys."""
    return _program(one) == _program(other)


def _program(setting: Configuration) -> tuple[Hashable, ...]:
    options = json.dumps(setting.model.options, sort_keys=True, default=str)
    return setting.model.name, options, setting.training, stacks.program_key(setting.strategy)


def _most_alike(task: Task) -> int:
    """Points of the largest group that could share a program."""
    study, training = task.study, task.spec.training
    settings = (
        configuration_of(p, training, study.model) for p in grid_points(study.search.space)
    )
    return max(Counter(map(_program, settings)).values())


def _may_share(task: Task) -> bool:
    """Whether trials are known beforehand, and each trains all folds in one go.

    A search asks for a trial in the light of those before, and what stands beside it has its
    stack.
    """
    search = task.study.search
    if task.role:
        return False
    stacked = task.study.model.name == stacks.STACKED
    return search.algorithm == "grid" and stacked and len(task.blocks) == 1
