"""Being stopped: SIGINT and SIGTERM end a run in order, but never in the middle of a write."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Stopped(KeyboardInterrupt):
    """A signal asked the run to end; the shell expects 128 + its number as exit code."""

    def __init__(self, number: int) -> None:
        """Remember which signal."""
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Signals:
    """Turns signals into :class:`Stopped`, at once or when a critical section is left.

    Not installed it does nothing, and every method may be called all the same.

    Attributes:
        received: The first signal that came, None before.
    """

    def __init__(self) -> None:
        """No signal has come, and nothing is critical."""
        self.received: int | None = None
        self._depth = 0

    @contextmanager
    def installed(self, *numbers: int) -> Iterator[None]:
        """Handle these signals while the block runs, SIGINT and SIGTERM unless told otherwise."""
        chosen = numbers or (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._handle) for number in chosen}
        hook = sys.unraisablehook
        sys.unraisablehook = _but_stopped(hook)
        try:
            yield
        finally:
            sys.unraisablehook = hook
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def critical(self) -> Iterator[None]:
        """Let signals wait until the block, and every critical one around it, is done."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._depth == 0:
            self.check()

    def check(self) -> None:
        """Stop if a signal has come: for loops and between long calls.

        An exception that is raised in a destructor or a weak reference's callback is lost, and
        importing and compiling are full of those.

        Raises:
            Stopped: A signal has come.
        """
        if self.received is not None:
            raise Stopped(self.received)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number
        if self._depth == 0:
            self.check()


def _but_stopped(hook: Callable[[Any], object]) -> Callable[[Any], object]:
    """A hook for exceptions that get lost; it prints all but a signal's, which comes again."""

    def report(lost: Any) -> None:
        if not isinstance(lost.exc_value, Stopped):
            hook(lost)

    return report
