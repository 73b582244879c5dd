"""Look up a name that a user gave, such as a sampler's; an unknown one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from remix_study.errors import UsageError, did_you_mean

T = TypeVar("T")


def look_up(kind: str, name: str, known: Mapping[str, T]) -> T:
    """The value under a name.

    Args:
        kind: What the name stands for in the message, such as ``sampler``.
        name: What the user wrote.
        known: The values by name.

    Raises:
        UsageError: The name is unknown.
    """
    if name in known:
        return known[name]
    raise UsageError(f'unknown {kind} "{name}"{did_you_mean(str(name), known)}')
