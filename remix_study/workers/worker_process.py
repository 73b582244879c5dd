"""A place for a worker process: when one has done its share or dies, the next takes its place."""

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

_MOST_STILLBORN = 3
"""Processes in a row that may die before they have begun a trial."""

# Seconds for a process to close its trial when told to stop; compiling cannot be broken off.
_PARTING = 30.0
_PAUSE = 0.05


class WorkerProcess:
    """Keeps one worker process going until nothing is left to do.

    Attributes:
        number: Which of the run's seats, from 1.
        taken: Whether a process works here, or the next is about to.
    """

    def __init__(self, number: int, order: WorkerSpec, environment: Mapping[str, str]) -> None:
        """Prepare a seat; :meth:`start` takes it."""
        self.number, self.taken = number, False
        self._order, self._environment = order, environment
        self._stillborn = 0
        self._point = ""
        # Whether another process follows; None until this one has said so.
        self._next: bool | None = None

    def start(self) -> None:
        """Start a process with the very modules that this one would import."""
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "remix_study.workers.main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths, **self._environment},
            # Ctrl-C in a terminal is for the parent alone, which tells its workers.
            start_new_session=True,
        )
        self._heard: queue.Queue[bytes] = queue.Queue()
        assert self._process.stdin
        assert self._process.stdout
        self._reader = threading.Thread(
            target=_read, args=(self._process.stdout, self._heard), daemon=True
        )
        self._reader.start()
        self.taken, self._point, self._next = True, "", None
        try:
            self._process.stdin.write(self._order.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            # It has died already, which is noticed when it is tended.
            return

    def tend(self) -> list[Event]:
        """What has happened since; a process that is gone is followed by the next.

        Returns:
            The process's events, and ``died`` (``how``, ``label`` of the point, ``last``) where
            it died.
        """
        gone = self._process.poll() is not None
        if gone:
            self._reader.join(1)
        events = self._drain()
        if gone:
            events += self._follow()
        return events

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask the process to stop."""
        if self.taken and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self) -> None:
        """Wait until the process has stopped, or make it."""
        if not self.taken:
            return
        end = time.monotonic() + _PARTING
        while self._process.poll() is None and time.monotonic() < end:
            time.sleep(_PAUSE)
        self._process.kill()
        self._close()
        self.taken = False

    def _drain(self) -> list[Event]:
        events: list[Event] = []
        while True:
            try:
                event = msgspec.json.decode(self._heard.get_nowait(), type=Event)
            except queue.Empty:
                return events
            except msgspec.DecodeError:
                # It died in the middle of a line.
                continue
            if event["kind"] == "trial":
                self._point = event["label"]
            elif event["kind"] in ("end", "error"):
                self._next = bool(event.get("recycled"))
            events.append(event)

    def _follow(self) -> list[Event]:
        """Start the next process, unless the last has said that no more is to be done."""
        code = self._close()
        died: list[Event] = []
        if self._next is None:
            self._stillborn = 0 if self._point else self._stillborn + 1
            self._next = self._stillborn < _MOST_STILLBORN
            died = [
                {"kind": "died", "how": _how(code), "label": self._point, "last": not self._next}
            ]
        self.taken = self._next
        if self.taken:
            self._order = self._order.following()
            self.start()
        return died

    def _close(self) -> int:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                # What was not read by a process that died cannot be flushed.
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        return self._process.wait()


def _read(pipe: IO[bytes], heard: queue.Queue[bytes]) -> None:
    try:
        for line in pipe:
            heard.put(line)
    except ValueError:
        # Closed by the other thread, which has heard enough.
        return


def _how(code: int) -> str:
    """How a process ended, for a person."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
