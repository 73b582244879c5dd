"""Cores of this machine, and how many of them this process may use."""

from __future__ import annotations

import os

_share = 0


def use(count: int) -> None:
    """Use no more than ``count`` cores for stacks; 0 for all that the system grants."""
    global _share
    _share = count


def present() -> int:
    """Cores of the machine, whoever may use them: what numbers may depend on."""
    return os.cpu_count() or 1


def granted() -> int:
    """Cores that this process may use; a batch system may grant it a few of a machine's."""
    try:
        found = len(os.sched_getaffinity(0))
    except AttributeError:
        # macOS and Windows know no such thing.
        found = present()
    return min(found, _share) if _share else found
