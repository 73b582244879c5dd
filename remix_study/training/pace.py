"""How many steps a call of a compiled program takes, so that an interrupt is soon heard."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

_MOST_STEPS = 64
_SECONDS = 0.5


@dataclass
class Pace:
    """The length of calls, by how long those before took; results do not depend on it.

    The first call takes one step, which is all that is known to be short: a step of a wide network
    may take a second. Threads may share one.

    Attributes:
        steps: Steps of the next call.
    """

    steps: int = 1

    def calls(self, n_steps: int) -> Iterator[tuple[int, int]]:
        """Cut the steps of an epoch into calls: (start, stop); each is timed until the next."""
        start = 0
        while start < n_steps:
            stop = min(start + self.steps, n_steps)
            began = time.perf_counter()
            yield start, stop
            seconds_per_step = (time.perf_counter() - began) / (stop - start)
            fitting = int(_SECONDS / max(seconds_per_step, 1e-9))
            # Not more than four times as many at once: the first calls also compile or warm up.
            self.steps = max(1, min(_MOST_STEPS, fitting, 4 * self.steps))
            start = stop
