"""Trials of a grid that train side by side in one program.

A trial of twenty small networks leaves an accelerator idle most of the time. Where a study file
asks for a stack larger than a trial, as many trials share it as it holds. A network's numbers
depend neither on its position in a stack nor on its neighbours, so they are those of a trial alone
in a stack of that size.
"""

from __future__ import annotations

from remix_study.study.configurations import Configuration
from remix_study.study.program_stack import program_key
from remix_study.study.task import Task
from remix_study.training import stacks


def trials_per_program(task: Task) -> int:
    """How many trials train side by side: as many as the stacks that train at a time hold.

    One where a stack does not hold two: it would be full anyway.
    """
    if task.spec.training.stack == 0 or not task.shares_programs:
        return 1
    if task.stack < 2 * len(task.folds):
        return 1
    return task.stack * stacks.stacks_at_a_time(task.cores) // len(task.folds)


def share_program(a: Configuration, b: Configuration) -> bool:
    """Whether one compiled program can train both configurations."""
    return program_key(a) == program_key(b)
