"""A worker process: an order comes in over standard input, events go out over standard output."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import msgspec

from remix_study.errors import DONE, RemixStudyError
from remix_study.study.reporter import Reporter
from remix_study.study.runner import run
from remix_study.study.signals import Signals
from remix_study.study.task import Task
from remix_study.training.backend import hidden_stderr
from remix_study.workers.worker_spec import Event, WorkerSpec


class JsonReporter(Reporter):
    """Writes what it is told as lines of JSON."""

    def __init__(self, out: BinaryIO) -> None:
        """Write to ``out``."""
        self._out, self._problem = out, ""

    def write(self, kind: str, **event: object) -> None:
        """Tell one event; nobody may be left to hear it."""
        told: Event = {"kind": kind, "problem": self._problem, **event}
        with suppress(BrokenPipeError):
            self._out.write(msgspec.json.encode(told) + b"\n")
            self._out.flush()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Hide what TensorFlow says while it is loaded."""
        with hidden_stderr():
            yield

    def problem(self, task: Task, points: int, done: int) -> None:
        """What follows is of this problem."""
        self._problem = task.name
        self.write("problem")

    def trial(self, label: str, members: int, most_epochs: int) -> None:
        """A point begins."""
        self.write("trial", label=label)

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:
        """A point is done."""
        self.write("complete", label=label, values=values, seconds=seconds)

    def failed(self, label: str, reason: str) -> None:
        """A point failed."""
        self.write("failed", label=label, reason=reason)

    def retried(self, label: str, reason: str) -> None:
        """A point will be tried again."""
        self.write("retried", label=label, reason=reason)


def main() -> int:
    """Carry out the order on standard input.

    Returns:
        The exit code: 0 done, that of a user's mistake, or 130 and 143 stopped by a signal.
    """
    signals, told = Signals(), JsonReporter(_own_output())
    try:
        with signals.installed():
            order = WorkerSpec.decode(sys.stdin.buffer.readline())
            # Whoever gave the order holds the other end: when that closes, nobody waits for us.
            threading.Thread(target=_stop_when_closed, name="parent", daemon=True).start()
            study = order.study()
            if study.has_plugins and study.allow_plugins:
                sys.path.append(str(study.folder))
            summary = run(
                study,
                storage=order.storage,
                reporter=told,
                signals=signals,
                command=order.command,
                terms=order.terms,
                cores=order.cores,
            )
            told.write("end", recycled=summary.recycled)
            return DONE
    except RemixStudyError as error:
        told.write("error", error=type(error).__name__, message=str(error))
        return error.exit_code
    except (KeyboardInterrupt, Exception):
        if signals.received is None:
            raise
        return 128 + signals.received


def _own_output() -> BinaryIO:
    """Standard output for events alone; what libraries and users print goes to standard error."""
    own = os.dup(1)
    os.dup2(2, 1)
    return open(own, "wb")


def _stop_when_closed() -> None:
    # Past Python's buffer, whose lock an ending process would wait for.
    while os.read(0, 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main())
