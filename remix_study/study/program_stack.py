"""How many networks of a task one compiled program trains: its stack."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable

from remix_study.study.configurations import (
    Configuration,
    configuration_of,
    grid_configurations,
)
from remix_study.studyfile.schema import Study, Training
from remix_study.training import stacks

MAX_AUTO_STACK = 400
"""Most networks that ``stack = "auto"`` puts into one program on an accelerator."""


def program_stack(study: Study, training: Training, members: int, *, is_shared: bool) -> int:
    """How many networks train in one program.

    Args:
        study: With the grid, where trials share programs.
        training: With the key ``stack``.
        members: Networks that one trial trains at a time.
        is_shared: Whether several trials may share a program.
    """
    if training.stack == "auto" and stacks.has_accelerator() and is_shared:
        return members * max(1, min(_largest_group(study, training), MAX_AUTO_STACK // members))
    return stacks.stack_size(members) if training.stack in (0, "auto") else int(training.stack)


def program_key(configuration: Configuration) -> tuple[Hashable, ...]:
    """Equal for configurations that one compiled program can train."""
    options = json.dumps(configuration.model.options, sort_keys=True, default=str)
    key = stacks.program_key(configuration.strategy)
    return configuration.model.name, options, configuration.training, key


def _largest_group(study: Study, training: Training) -> int:
    """Configurations of a grid in the largest group that could share a program."""
    configurations = (
        configuration_of(parameters, training, study.model)
        for parameters in grid_configurations(study.search.space)
    )
    return max(Counter(map(program_key, configurations)).values())
