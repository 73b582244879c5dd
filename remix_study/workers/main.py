"""The program of a worker process: a spec on standard input, events on standard output."""

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
from remix_study.models.custom import add_plugin_folder
from remix_study.study.background import end_process
from remix_study.study.reporter import Reporter
from remix_study.study.runner import run
from remix_study.study.signals import Signals
from remix_study.study.task import Task
from remix_study.training.backend import hidden_stderr
from remix_study.workers.standard_streams import protect_standard_streams
from remix_study.workers.worker_spec import Event, WorkerSpec


class JsonReporter(Reporter):
    """A reporter that writes every event as a line of JSON."""

    def __init__(self, out: BinaryIO) -> None:
        """Write to ``out``."""
        self._out, self._problem = out, ""

    def write(self, kind: str, **keys: object) -> None:
        """Write one event; nothing where the coordinator has closed its end."""
        event: Event = {"kind": kind, "problem": self._problem, **keys}
        with suppress(BrokenPipeError):
            self._out.write(msgspec.json.encode(event) + b"\n")
            self._out.flush()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Hide what TensorFlow prints while it is imported."""
        with hidden_stderr():
            yield

    def problem(self, task: Task, configurations: int, done: int) -> None:
        """Name the task of the events that follow."""
        self._problem = task.name
        self.write("problem")

    def trial(self, label: str, members: int, max_epochs: int) -> None:
        """Write that a configuration begins to train."""
        self.write("trial", label=label)

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:
        """Write that a configuration is complete, with its objectives."""
        self.write("complete", label=label, values=values, seconds=seconds)

    def failed(self, label: str, reason: str) -> None:
        """Write that a configuration failed."""
        self.write("failed", label=label, reason=reason)

    def retried(self, label: str, reason: str) -> None:
        """Write that a configuration failed and will be tried again."""
        self.write("retried", label=label, reason=reason)

    def note(self, text: str) -> None:
        """Write what a person should know."""
        self.write("note", text=text)


def main() -> int:
    """Run the study of the spec on standard input until the worker's limits are reached.

    Returns:
        The exit code: 0 where nothing is left, that of a user's mistake, or 130 and 143 where a
        signal stopped it.
    """
    signals, reporter = Signals(), JsonReporter(_reserve_standard_output())
    try:
        with signals.installed():
            spec = WorkerSpec.decode(sys.stdin.buffer.readline())
            # The coordinator holds the other end of standard input: where that closes, it is gone.
            threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
            study = spec.study()
            add_plugin_folder(study)
            summary = run(
                study,
                storage=spec.storage,
                reporter=reporter,
                signals=signals,
                command=spec.command,
                limits=spec.limits,
                cores=spec.cores,
            )
            reporter.write("end", recycled=summary.recycled)
            return DONE
    except RemixStudyError as error:
        reporter.write("error", error=type(error).__name__, message=str(error))
        return error.exit_code
    except (KeyboardInterrupt, Exception):
        if signals.received is None:
            raise
        end_process(128 + signals.received)


def _reserve_standard_output() -> BinaryIO:
    """Standard output for events alone; what libraries and users print goes to standard error."""
    output = os.dup(1)
    os.dup2(2, 1)
    protect_standard_streams()
    return open(output, "wb")


def _stop_at_end_of_input() -> None:
    """Wait for the end of standard input, then send this process SIGTERM."""
    # Not through Python's buffer, whose lock an ending process would wait for.
    while os.read(0, 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main())
