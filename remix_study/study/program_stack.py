"""Which networks of a task train together: blocks of folds, and the stack of one program.

A trial of twenty small networks leaves an accelerator idle most of the time. Where a study file
asks for a stack larger than a trial, as many trials of a grid share it as it holds. A network's
numbers depend neither on its position in a stack nor on its neighbours, so they are those of a
trial alone in a stack of that size.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from remix_study.data.folds import Fold
from remix_study.study.configurations import Configuration, configuration_of, grid_configurations
from remix_study.studyfile.schema import Study, Training
from remix_study.training import stacks

MIN_FOLDS = 5
"""Fewest folds of a block: with fewer, no signed-rank test can reach 5 %."""

MAX_AUTO_STACK = 400
"""Most networks that ``stack = "auto"`` puts into one program on an accelerator."""

Blocks = tuple[tuple[int, ...], ...]
"""Positions of folds that train together, block by block."""


def by_repeat(folds: Sequence[Fold]) -> Blocks:
    """Group the positions of folds into blocks of whole repeats, the larger blocks first."""
    repeats = list(dict.fromkeys(fold.repeat for fold in folds))
    count = min(len(repeats), max(1, len(folds) // MIN_FOLDS))
    return tuple(
        tuple(at for at, fold in enumerate(folds) if fold.repeat in set(block.tolist()))
        for block in np.array_split(np.array(repeats), count)
    )


def by_fold(folds: Sequence[Fold]) -> Blocks:
    """Group the positions of folds by number, each with its repeats."""
    numbers = dict.fromkeys(fold.fold for fold in folds)
    return tuple(
        tuple(at for at, fold in enumerate(folds) if fold.fold == number) for number in numbers
    )


def program_stack(study: Study, training: Training, members: int, *, is_shared: bool) -> int:
    """How many networks train in one program.

    Args:
        study: With the grid, where trials share programs.
        training: With the key ``stack``.
        members: Networks that one trial trains at a time.
        is_shared: Whether several trials may share a program.
    """
    if training.stack == "auto" and stacks.has_accelerator() and is_shared:
        groups = Counter(
            program_key(configuration_of(parameters, training, study.model))
            for parameters in grid_configurations(study.search.space)
        )
        return members * max(1, min(max(groups.values()), MAX_AUTO_STACK // members))
    return stacks.stack_size(members) if training.stack in (0, "auto") else int(training.stack)


def program_key(configuration: Configuration) -> tuple[Hashable, ...]:
    """Equal for configurations that one compiled program can train."""
    options = json.dumps(configuration.model.options, sort_keys=True, default=str)
    key = stacks.program_key(configuration.strategy)
    return configuration.model.name, options, configuration.training, key
