"""Retrying what fails while the database is away for a time: restarted, or locked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from remix_study.study.database_errors import is_transient
from remix_study.study.signals import Signals

RETRY_SECONDS = 300.0
"""How long a worker waits for its database before it gives up."""

# Seconds between two tries, doubled from the first to the second number.
_PAUSES = (0.1, 10.0)

T = TypeVar("T")


def retry_transient(operation: Callable[[], T], signals: Signals) -> T:
    """Call an operation on the database, again and again while the database is away.

    A trial may have trained for hours: its scores are worth some minutes. The operation must have
    the same effect when it is done twice, as nobody knows whether a lost connection lost a commit.

    Args:
        operation: What to call.
        signals: One that has come ends the tries, also where signals have to wait.

    Raises:
        Exception: What the operation raises, at once where the error is not transient.
    """
    end, pause = time.monotonic() + RETRY_SECONDS, _PAUSES[0]
    while True:
        try:
            return operation()
        except Exception as error:
            is_late = time.monotonic() > end
            if signals.received is not None or is_late or not is_transient(error):
                raise
        time.sleep(pause)
        pause = min(2 * pause, _PAUSES[1])
