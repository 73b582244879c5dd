"""Long calls in a thread of their own, so that the main thread hears signals meanwhile.

Python runs the handler of a signal between two instructions of the main thread. Reading a large
table, planning SMOTE's rows and compiling are single calls of libraries that last up to minutes.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from remix_study.study.signals import Signals

T = TypeVar("T")

# Seconds between two looks at the call: a signal that another thread got does not end the wait.
_POLL_SECONDS = 0.2
# Seconds that a call which was left behind has to end by itself.
_LEAVE_SECONDS = 2.0


class _Call:
    """A function, and what became of it."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function, self.is_done = function, threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.function()
        except BaseException as error:
            self.error = error
        finally:
            self.is_done.set()


# One thread for all calls, as Keras keeps some of its state by thread. Another takes its place
# where a call was left behind in it.
_calls: list[queue.SimpleQueue[_Call]] = []
_abandoned: list[_Call] = []


def in_background(function: Callable[[], T], signals: Signals | None = None) -> T:
    """Call a function in another thread, wait for it, and return or raise what it does.

    What a signal's handler raises meanwhile is raised here at once: the call is left behind, and
    goes on until it notices or the process ends. From another thread than the main one, which
    hears no signals, the function is called as it is.

    Args:
        function: What to call.
        signals: Looked at while it waits, as a handler's exception may have been lost before.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    call = _Call(function)
    if not _calls:
        _calls.append(queue.SimpleQueue())
        threading.Thread(target=_serve, args=(_calls[0],), name="background", daemon=True).start()
    _calls[0].put(call)
    try:
        while not call.is_done.wait(_POLL_SECONDS):
            if signals is not None:
                signals.check()
    except BaseException:
        _abandoned.append(call)
        _calls.clear()
        raise
    if call.error is not None:
        raise call.error
    return cast("T", call.result)


def _serve(calls: queue.SimpleQueue[_Call]) -> None:
    while True:
        calls.get().run()


def end_process(code: int, *, is_program: bool) -> int:
    """The exit code of a process that a signal stopped; ends it here if a call goes on.

    Python would wait for the threads of a call that was left behind, and a compilation cannot be
    broken off. Files and databases must be closed before.

    Args:
        code: The exit code.
        is_program: Whether the process is the program's own, which then ends here in any case:
            to take down TensorFlow in order takes Python seconds.
    """
    end = time.monotonic() + _LEAVE_SECONDS
    try:
        has_ended = not is_program and all(
            call.is_done.wait(max(0.0, end - time.monotonic())) for call in _abandoned
        )
    except KeyboardInterrupt:
        has_ended = False
    if not has_ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
