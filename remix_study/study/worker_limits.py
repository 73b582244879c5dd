"""How long a worker process takes part in a study, and how it treats other workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Start:
    """State of a task when the run began that a worker process belongs to.

    Attributes:
        trials: Number of trials at that time; failures among them may be tried again.
        slots: Slots of a search that the run may use; 0 for a grid.
    """

    trials: int
    slots: int


@dataclass(frozen=True)
class WorkerLimits:
    """How many trials a worker process runs, and whether it waits for others.

    Attributes:
        max_trials: Trials after which it ends, so that another may take its place; 0 for no end.
        waits: Whether it stays while others still work, to take over what they leave.
        starts: State of the tasks when the run began, by name; the present state for others.
        writes_manifest: Whether it adds a manifest.
        retries_opening: Whether it waits for a database that cannot be opened yet.
    """

    max_trials: int = 0
    waits: bool = False
    starts: Mapping[str, Start] = field(default_factory=dict)
    writes_manifest: bool = True
    retries_opening: bool = False
