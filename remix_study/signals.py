"""Being stopped: SIGINT and SIGTERM end a run in order, but never in the middle of a write."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """A signal asked the run to end; the shell expects 128 + its number as exit code."""

    def __init__(self, number: int) -> None:
        """Remember which signal."""
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Signals:
    """Turns signals into :class:`Stopped`, at once or when a critical section is left."""

    def __init__(self) -> None:
        """Nothing is pending, and nothing critical."""
        self._critical = False
        self._pending: int | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM while the block runs."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def critical(self) -> Iterator[None]:
        """Let signals wait until the block is done."""
        self._critical = True
        try:
            yield
        finally:
            self._critical = False
        if self._pending is not None:
            number, self._pending = self._pending, None
            raise Stopped(number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._critical:
            self._pending = number
        else:
            raise Stopped(number)
