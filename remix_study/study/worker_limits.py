"""How a process takes part in a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Start:
    """Where a problem stood when the run began that a process belongs to.

    Attributes:
        trials: Trials that there were; what failed before may be tried again.
        slots: Slots of a search that the run may use; 0 for a grid.
    """

    trials: int
    slots: int


@dataclass(frozen=True)
class WorkerLimits:
    """When a process has done its part.

    Attributes:
        most: Trials after which it ends, so that another may take its place; 0 for no end.
        wait: Whether it stays while others still work, to take over what they leave.
        starts: Where the problems stood, by name; as they stand now for those not named.
        manifest: Whether it adds a manifest.
        patient: Whether it waits for a database that cannot be opened yet.
    """

    most: int = 0
    wait: bool = False
    starts: Mapping[str, Start] = field(default_factory=dict)
    manifest: bool = True
    patient: bool = False
