"""Long calls in a thread of their own, so that the main thread hears signals meanwhile.

Python runs the handler of a signal between two instructions of the main thread. Reading a large
table, planning SMOTE's rows and compiling are single calls of libraries that last up to minutes.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

from remix_study.study.signals import Signals, Stopped

T = TypeVar("T")

# Seconds between two looks at the call: a signal that another thread got does not end the wait.
_POLL_SECONDS = 0.2


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
        _calls.clear()
        raise
    error = call.error
    if isinstance(error, KeyboardInterrupt | SystemExit) and not isinstance(error, Stopped):
        # No signal gets there: a user's network has raised it.
        raise RuntimeError(f"{type(error).__name__} {error}".strip()) from error
    if error is not None:
        raise error
    return cast("T", call.result)


def _serve(calls: queue.SimpleQueue[_Call]) -> None:
    while True:
        calls.get().run()


def end_process(code: int) -> NoReturn:
    """End the program that a signal stopped; files and databases must be closed before.

    Python would wait for the threads of a call that was left behind, such as a compilation, which
    cannot be broken off; and to take down TensorFlow in order takes seconds.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
