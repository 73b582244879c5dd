"""Waiting for a database that is away for a time: a server restarts, a file is locked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from remix_study.study.signals import Signals
from remix_study.study.storage import passes

PATIENCE = 300.0
"""Seconds that a worker waits for its database before it gives up."""

_PAUSES = (0.1, 10.0)

T = TypeVar("T")


def patiently(do: Callable[[], T], signals: Signals) -> T:
    """Do something with the database, again and again while it is away.

    A trial may have trained for hours: its scores are worth some minutes. What is done must come
    to the same when it is done twice, as nobody knows whether a lost connection lost a commit.

    Args:
        do: What to do.
        signals: One that has come ends the patience, even where signals have to wait.

    Raises:
        Exception: What ``do`` raises, at once where it is nothing that passes.
    """
    end, pause = time.monotonic() + PATIENCE, _PAUSES[0]
    while True:
        try:
            return do()
        except Exception as error:
            if signals.received is not None or time.monotonic() > end or not passes(error):
                raise
        time.sleep(pause)
        pause = min(2 * pause, _PAUSES[1])
