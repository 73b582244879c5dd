"""What a run from Python shows while it goes on: notes as warnings; in a notebook also bars."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from remix_study.study.reporter import Reporter
from remix_study.training.backend import hidden_stderr

if TYPE_CHECKING:
    from remix_study.study.task import Task

# Seconds between two pictures of the epochs; each is a message to the browser.
_PAUSE = 0.5


def default_reporter() -> Reporter:
    """The reporter of a run that was given none: with bars where a notebook's kernel runs it."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        return WarningReporter()
    from IPython.display import display

    return NotebookReporter(display)


class WarningReporter(Reporter):
    """Makes a ``UserWarning`` of every note on the data."""

    def loading(self) -> AbstractContextManager[None]:
        """Hide what TensorFlow prints while it is imported."""
        return hidden_stderr()

    def problem(self, task: Task, configurations: int, done: int) -> None:
        """Warn of what is noted of a problem's data, but not of the study file's own note."""
        self.switch_problem(task.name, configurations, done)
        for note in task.problem.notes:
            if note != task.study.note:
                self.note(note)

    def note(self, text: str) -> None:
        """Warn of anything else that a person should know."""
        warnings.warn(text, UserWarning, stacklevel=2)


@dataclass
class _TaskCounts:
    """Configurations of a task by what has become of them."""

    planned: int
    complete: int = 0
    failed: int = 0

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.complete} of {self.planned} configurations complete{failed}"


class NotebookReporter(WarningReporter):
    """Also shows, below the cell that runs, a bar for each task and for what trains now."""

    def __init__(self, display: Callable[..., Any]) -> None:
        """Show by ``IPython.display.display``."""
        self._display = display
        self._handle: Any = None
        self._tasks: dict[str, _TaskCounts] = {}
        self._task = self._configuration = ""
        self._epochs = self._most_epochs = 0
        self._shown_at = 0.0

    def switch_problem(self, name: str, configurations: int, done: int) -> None:
        """Show the task that the next events are of."""
        self._task = name
        self._tasks.setdefault(name, _TaskCounts(configurations)).complete = done
        self._show()

    def trial(self, label: str, members: int, max_epochs: int) -> None:
        """Show the configuration that begins to train; early stopping may end it sooner."""
        self._configuration, self._epochs, self._most_epochs = label, 0, members * max_epochs
        self._show()

    def epoch(self, members: int) -> None:
        """Count an epoch of ``members`` folds; the picture follows twice a second."""
        self._epochs += members
        if time.monotonic() - self._shown_at > _PAUSE:
            self._show()

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:  # noqa: ARG002
        """Count a complete configuration."""
        self._tasks[self._task].complete += 1
        self._end_trial()

    def failed(self, label: str, reason: str) -> None:  # noqa: ARG002
        """Count a failed configuration; the summary says why it failed."""
        self._tasks[self._task].failed += 1
        self._end_trial()

    def _end_trial(self) -> None:
        self._configuration = ""
        self._show()

    def _show(self) -> None:
        """Show the counts as they are now in place of those shown before."""
        bars = [
            (name, counts.complete + counts.failed, counts.planned, str(counts))
            for name, counts in self._tasks.items()
        ]
        if self._configuration:
            epochs = f"{self._epochs:,} of at most {self._most_epochs:,} epochs of all its folds"
            bars.append((self._configuration, self._epochs, self._most_epochs, epochs))
        html = "".join(
            f'<div><progress value="{value}" max="{most}"></progress> '
            f"<b>{escape(name)}</b> {text}</div>"
            for name, value, most, text in bars
        )
        text = "\n".join(f"{name}: {text}" for name, _, _, text in bars)
        picture = {"text/html": html, "text/plain": text}
        self._shown_at = time.monotonic()
        if self._handle is None:
            self._handle = self._display(picture, raw=True, display_id=True)
        else:
            self._handle.update(picture, raw=True)
