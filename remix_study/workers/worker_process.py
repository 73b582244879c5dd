"""One slot of the pool: a worker process, replaced when it was recycled or died."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO

import msgspec

from remix_study.workers.worker_spec import Event, WorkerSpec

_MAX_FAILED_STARTS = 3
"""Processes in a row that may die before they have begun a trial."""

# Seconds for a process to close its trial when told to stop; compiling cannot be broken off.
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05


class WorkerProcess:
    """One slot of the pool, whose process may be replaced until nothing is left to do.

    Attributes:
        position: The slot's position in the pool, from 0.
        is_active: Whether a process runs in the slot, or the next one is about to.
    """

    def __init__(self, position: int, spec: WorkerSpec, environment: Mapping[str, str]) -> None:
        """Prepare a slot; :meth:`start` starts its process.

        Args:
            position: The slot's position in the pool, from 0.
            spec: What the first process does; those that replace it add no manifest.
            environment: Environment variables of its processes, beside those of this one.
        """
        self.position, self.is_active = position, False
        self._spec, self._environment = spec, environment
        self._failed_starts = 0
        # Label of the configuration whose trial the process has begun.
        self._label = ""
        # Whether another process follows; None until this one has said so.
        self._is_recycled: bool | None = None

    def start(self) -> None:
        """Start a process that imports the very modules that this one would import."""
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "remix_study.workers.main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths, **self._environment},
            # Ctrl-C in a terminal goes to the coordinator alone, which stops its workers.
            start_new_session=True,
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        assert self._process.stdin
        assert self._process.stdout
        self._reader = threading.Thread(
            target=_read_lines, args=(self._process.stdout, self._lines), daemon=True
        )
        self._reader.start()
        # A pipe holds 64 kB, and a process that imports its modules reads nothing yet: a large
        # study would hold up the start of the others.
        threading.Thread(
            target=_write_spec, args=(self._process.stdin, self._spec), daemon=True
        ).start()
        self.is_active, self._label, self._is_recycled = True, "", None

    def poll_events(self) -> list[Event]:
        """Return the events since the last call, and replace a process that has ended.

        Returns:
            Events of the process. Where it died, the last is ``died`` with ``how``, ``label``
            of the configuration it was training, and ``last``, whether no process replaces it.
        """
        has_ended = self._process.poll() is not None
        if has_ended:
            self._reader.join(1)
        events = self._decode_lines()
        if has_ended:
            events += self._replace()
        return events

    def stop(self) -> None:
        """Send the process SIGTERM: a SIGINT while it imports modules would print a traceback."""
        if self.is_active and self._process.poll() is None:
            self._process.terminate()

    def wait(self) -> None:
        """Wait until the process has stopped; kill it after 30 seconds."""
        if not self.is_active:
            return
        end = time.monotonic() + _STOP_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        self._process.kill()
        self._close()
        self.is_active = False

    def _decode_lines(self) -> list[Event]:
        events: list[Event] = []
        while True:
            try:
                event = msgspec.json.decode(self._lines.get_nowait(), type=Event)
            except queue.Empty:
                return events
            except msgspec.DecodeError:
                # The process died in the middle of a line.
                continue
            if event["kind"] == "trial":
                self._label = event["label"]
            elif event["kind"] in ("end", "error"):
                self._is_recycled = bool(event.get("recycled"))
            events.append(event)

    def _replace(self) -> list[Event]:
        """Start the next process, unless the last one has said that nothing is left to do."""
        exit_code = self._close()
        events: list[Event] = []
        is_replaced = self._is_recycled
        if is_replaced is None:
            self._failed_starts = 0 if self._label else self._failed_starts + 1
            is_replaced = self._failed_starts < _MAX_FAILED_STARTS
            events.append(
                {
                    "kind": "died",
                    "how": _describe_exit(exit_code),
                    "label": self._label,
                    "last": not is_replaced,
                }
            )
        self.is_active = is_replaced
        if is_replaced:
            self._spec = self._spec.without_manifest()
            self.start()
        return events

    def _close(self) -> int:
        """Close the pipes and return the exit code."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                # What a process that died has not read cannot be flushed.
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        return self._process.wait()


def _write_spec(pipe: IO[bytes], spec: WorkerSpec) -> None:
    try:
        pipe.write(spec.encode())
        pipe.flush()
    except (BrokenPipeError, ValueError):
        # The process has died, which poll_events notices; the main thread may close the pipe.
        return


def _read_lines(pipe: IO[bytes], lines: queue.Queue[bytes]) -> None:
    try:
        for line in pipe:
            lines.put(line)
    except ValueError:
        # The main thread has closed the pipe.
        return


def _describe_exit(code: int) -> str:
    """How a process ended: ``exit code 1`` or a signal's name."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def stop_all(processes: list[WorkerProcess]) -> None:
    """Stop the processes of all slots and wait until they have ended."""
    for process in processes:
        process.stop()
    for process in processes:
        process.wait()
