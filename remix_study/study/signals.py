"""Signals: SIGINT and SIGTERM end a run in order, never in the middle of a write."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# One exception a second: impatient fingers do not break off what the first one cleans up.
_PAUSE_SECONDS = 1.0


class Stopped(KeyboardInterrupt):
    """Raised when a signal has come; the exit code of the process is 128 + the signal's number."""

    def __init__(self, number: int) -> None:
        """Remember which signal."""
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Signals:
    """Turns signals into :class:`Stopped`, at once or at the end of a critical section.

    Without handlers installed it does nothing, and every method may still be called.

    Attributes:
        received: Number of the first signal that came, None before.
    """

    def __init__(self) -> None:
        """Begin without a signal, outside critical sections."""
        self.received: int | None = None
        self._depth = 0
        self._raised_at = -_PAUSE_SECONDS

    @contextmanager
    def installed(self, *numbers: int) -> Iterator[None]:
        """Handle signals while the block runs, SIGINT and SIGTERM by default."""
        handled = numbers or (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, self._handle) for number in handled}
        hook = sys.unraisablehook
        sys.unraisablehook = _without_stopped(hook)
        try:
            yield
        finally:
            sys.unraisablehook = hook
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextmanager
    def critical(self) -> Iterator[None]:
        """Delay signals until the block, and every critical section around it, has ended."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._depth == 0:
            self.check()

    def check(self) -> None:
        """Stop if a signal has come; called in loops and between long calls.

        A handler's exception is lost when it is raised in a destructor or in the callback of a
        weak reference, which is likely while modules are imported and programs compiled.

        Raises:
            Stopped: A signal has come.
        """
        if self.received is not None:
            raise Stopped(self.received)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
        if self._depth == 0 and time.monotonic() > self._raised_at + _PAUSE_SECONDS:
            self._raised_at = time.monotonic()
            self.check()


def _without_stopped(hook: Callable[[Any], object]) -> Callable[[Any], object]:
    """A hook for lost exceptions that ignores :class:`Stopped`, which :meth:`check` repeats."""

    def report(lost: Any) -> None:
        if not isinstance(lost.exc_value, Stopped):
            hook(lost)

    return report
