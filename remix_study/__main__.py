"""The program ``remix-study``, also ``python -m remix_study``."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

_LAST_WORDS = [b"remix-study: stopped; run the same command to go on\n"]


def main() -> NoReturn:
    """Run the command line in a process of its own, and end that.

    A signal ends it in order while a command runs, and at once before and after that: while
    modules are imported, which would print a traceback, and while the interpreter is taken down.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    from remix_study.workers.standard_streams import protect_standard_streams

    protect_standard_streams()
    from remix_study.cli.main import main as run_command

    try:
        code = run_command()
    except SystemExit as end:
        # Of argparse: a number.
        code = int(end.code or 0)
    # Python would wait for threads: those of a user's network, or a compilation that was left
    # behind, which cannot be broken off. It would also take seconds to unload TensorFlow.
    if code < 128:
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def _stop(number: int, _frame: FrameType | None) -> None:
    # A second signal may come at any point here, and finds the list empty.
    with suppress(OSError, IndexError):
        os.write(2, _LAST_WORDS.pop())
    os._exit(128 + number)


if __name__ == "__main__":
    main()
