"""Standard output and error of a program: whatever happens to them, training goes on.

A closed stream is the null device, what a full disk does not take is dropped, a character that the
encoding lacks and a control character are written as an escape such as ``\\x1b``.
"""

from __future__ import annotations

import io
import os
import re
import select
import sys
import warnings
from typing import Any

# C0 and C1 but for tabs and ends of lines, and marks that turn the direction of what follows.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def escape_controls(text: str) -> str:
    """A text without control characters, which a terminal would obey: each is an escape."""
    return _CONTROLS.sub(lambda match: ascii(match[0])[1:-1], text)


class _DroppingFile(io.FileIO):
    """A file that drops what cannot be written; only a pipe without a reader raises, if asked to.

    Attributes:
        lost: Why something was dropped, empty where nothing was.
    """

    def __init__(self, descriptor: int, raises_broken_pipe: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._raises_broken_pipe = raises_broken_pipe
        self.lost = ""

    def write(self, content: Any) -> int:
        try:
            n_written = super().write(content)
            while n_written is None:
                # Another program has set the terminal not to block.
                select.select([], [self], [])
                n_written = super().write(content)
            return n_written
        except OSError as error:
            if isinstance(error, BrokenPipeError) and self._raises_broken_pipe:
                raise
            self.lost = error.strerror or str(error)
            return memoryview(content).nbytes


class SafeStream(io.TextIOWrapper):
    """A text stream on a descriptor that never fails but for a pipe without a reader.

    Attributes:
        terminal: The same without escapes of control characters, for who sends such itself.
    """

    def __init__(self, descriptor: int, replaced: Any, *, raises_broken_pipe: bool) -> None:
        """Take the place of a stream.

        Args:
            descriptor: Where to write.
            replaced: The stream so far, whose encoding is kept; None where it was closed.
            raises_broken_pipe: Whether a pipe that nobody reads raises ``BrokenPipeError``.
        """
        self._file = _DroppingFile(descriptor, raises_broken_pipe)
        options: dict[str, Any] = {
            "encoding": getattr(replaced, "encoding", None) or "utf-8",
            "errors": "backslashreplace",
            "line_buffering": self._file.isatty() or descriptor == 2,
            # Both streams keep their texts in one buffer, in order.
            "write_through": True,
        }
        buffer = io.BufferedWriter(self._file)
        super().__init__(buffer, **options)
        self.terminal = io.TextIOWrapper(buffer, **options)

    @property
    def lost(self) -> str:
        """Why something could not be written; empty where all was."""
        return self._file.lost

    def write(self, text: str) -> int:
        """Write a text, its control characters as escapes."""
        return super().write(escape_controls(text))


def protect_standard_streams() -> None:
    """Put streams that cannot fail in the place of standard output and error.

    Descriptors that are closed are opened on the null device: the next file, such as a database,
    would get their numbers, and what a library prints would be written into it.

    A warning of joblib is hidden: scikit-learn imports it, and nothing here runs its processes.
    """
    warnings.filterwarnings("ignore", ".*joblib will operate in serial mode", UserWarning)
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = SafeStream(1, sys.stdout, raises_broken_pipe=True)
    sys.stderr = SafeStream(2, sys.stderr, raises_broken_pipe=False)
