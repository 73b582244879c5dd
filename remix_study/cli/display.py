"""What a person sees while a study runs: a live display, or plain lines without a terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from remix_study.metrics import METRICS
from remix_study.study.reporter import Reporter
from remix_study.study.signals import Signals, Stopped
from remix_study.training.backend import hidden_stderr

if TYPE_CHECKING:
    from remix_study.study.task import Task


class Lines(Reporter):
    """One line for every problem and point."""

    def __init__(self, console: Console) -> None:
        """Write to ``console``."""
        self._console = console
        self._configurations = self._done = 0

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Hide what TensorFlow says while it is loaded."""
        with hidden_stderr():
            yield

    def problem(self, task: Task, configurations: int, done: int) -> None:
        """Say what begins, and what a reader must know of it."""
        self._configurations, self._done = configurations, done
        counts = ", ".join(
            f"{name}: {count}"
            for name, count in zip(task.problem.classes, task.problem.counts, strict=True)
        )
        state = f"{done} of {configurations} points complete"
        self._say(f"[bold]{escape(task.name)}[/bold]  {state}; rows {escape(counts)}")
        for note in task.problem.notes:
            self._say(f"  note: {escape(note)}")

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:
        """Say what a point scored on its validation parts."""
        self._done += 1
        scores = "  ".join(f"{METRICS[name].short} {value:.4f}" for name, value in values.items())
        place = f"[{self._done}/{self._configurations}]"
        self._say(f"  {escape(place):9} {escape(label):24} {scores}  {seconds:.1f} s")

    def failed(self, label: str, reason: str) -> None:
        """Say why a point failed."""
        self._say(f"  [red]failed[/red] {escape(label)}: {escape(reason)}")

    def retried(self, label: str, reason: str) -> None:
        """Say that a point will be tried again, and why."""
        self._say(f"  [yellow]again[/yellow] {escape(label)}: {escape(reason)}")

    def switch_problem(self, name: str, configurations: int, done: int) -> None:
        """Say of which problem the next lines are."""
        self._configurations, self._done = configurations, done
        self._say(f"[bold]{escape(name)}[/bold]  {done} of {configurations} points complete")

    def note(self, text: str) -> None:
        """Say what happened."""
        self._say(f"  note: {escape(text)}")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


class Live(Lines):
    """The same lines above a display of what runs now and how long it will take."""

    def __init__(self, console: Console, progress: Progress) -> None:
        """Add two rows to ``progress``: the problem's points, and the point's fold-epochs."""
        super().__init__(console)
        self._progress = progress
        self._all = progress.add_task("", total=None, unit="points")
        self._now = progress.add_task("", total=None, unit="fold-epochs", visible=False)

    def problem(self, task: Task, configurations: int, done: int) -> None:
        """Start the bar over."""
        super().problem(task, configurations, done)
        self._start(task.name, configurations, done)

    def switch_problem(self, name: str, configurations: int, done: int) -> None:
        """Start the bar over."""
        super().switch_problem(name, configurations, done)
        self._start(name, configurations, done)

    def _start(self, name: str, configurations: int, done: int) -> None:
        self._progress.reset(
            self._all, total=configurations, completed=done, description=escape(name)
        )

    def trial(self, label: str, members: int, max_epochs: int) -> None:
        """Show the point that begins; early stopping may end it sooner."""
        self._progress.reset(
            self._now,
            total=members * max_epochs,
            description=f"  {escape(label)}",
            visible=True,
        )

    def epoch(self, members: int) -> None:
        """Count fold-epochs."""
        self._progress.advance(self._now, members)

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:
        """Move the bar on."""
        super().complete(label, values, seconds)
        self._progress.advance(self._all)

    def failed(self, label: str, reason: str) -> None:
        """Move the bar on."""
        super().failed(label, reason)
        self._progress.advance(self._all)


class Terminal(Console):
    """A console whose reader may go away, as that of ``run | head`` does."""

    def __init__(self, signals: Signals, **options: Any) -> None:
        """Stop by ``signals`` when nobody reads any more."""
        super().__init__(**options)
        self._signals = signals

    def on_broken_pipe(self) -> NoReturn:
        """Stop in order, as if SIGPIPE had come; Rich would exit on the spot."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        self._signals.received = self._signals.received or signal.SIGPIPE
        raise Stopped(self._signals.received)


@contextmanager
def reporting(console: Console) -> Iterator[Reporter]:
    """A reporter for this console: live in a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console)
        return
    # In a narrow terminal the name gives way, never the numbers.
    name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        TextColumn("{task.description}", table_column=name),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[unit]}", table_column=Column(no_wrap=True)),
        TextColumn("left"),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield Live(console, progress)
