"""What a person sees while a study runs: a live display in a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from remix_study.metrics import short_name
from remix_study.study.reporter import Reporter
from remix_study.study.signals import Signals, Stopped
from remix_study.training.backend import hidden_stderr
from remix_study.workers.standard_streams import escape_controls

if TYPE_CHECKING:
    from remix_study.study.task import Task


class LineReporter(Reporter):
    """A reporter that prints a line for every task and configuration."""

    def __init__(self, console: Console) -> None:
        """Print to ``console``."""
        self._console = console
        self._total = self._n_complete = 0

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Hide what TensorFlow prints while it is imported."""
        with hidden_stderr():
            yield

    def problem(self, task: Task, configurations: int, done: int) -> None:
        """Print the task's progress, its class counts and its notes."""
        problem = task.problem
        sizes = zip(problem.classes, problem.counts, strict=True)
        counts = ", ".join(f"{name}: {count:,}" for name, count in sizes)
        self._start_task(task.name, configurations, done, f"; rows of each class: {counts}")
        for note in problem.notes:
            self.note(note)

    def switch_problem(self, name: str, configurations: int, done: int) -> None:
        """Print the progress of the task that the next lines belong to."""
        self._start_task(name, configurations, done)

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:
        """Print a configuration's objectives on its validation parts."""
        self._n_complete += 1
        scores = "  ".join(f"{short_name(name)} {value:.4f}" for name, value in values.items())
        progress = f"[{self._n_complete}/{self._total}]"
        self._print(f"  {escape(progress):9} {escape(label):24} {scores}  {seconds:.1f} s")

    def failed(self, label: str, reason: str) -> None:
        """Print why a configuration failed."""
        self._print(f"  [red]failed[/red] {escape(label)}: {escape(reason)}")

    def retried(self, label: str, reason: str) -> None:
        """Print why a configuration will be tried again."""
        self._print(f"  [yellow]again[/yellow] {escape(label)}: {escape(reason)}")

    def note(self, text: str) -> None:
        """Print a note."""
        self._print(f"  note: {escape(text)}")

    def _start_task(self, name: str, total: int, n_complete: int, facts: str = "") -> None:
        self._total, self._n_complete = total, n_complete
        progress = f"{n_complete} of {total} configurations complete"
        self._print(f"[bold]{escape(name)}[/bold]  {progress}{escape(facts)}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


class LiveReporter(LineReporter):
    """Prints the same lines above bars of what is training and how long it will take."""

    def __init__(self, console: Console, progress: Progress) -> None:
        """Add bars to ``progress``: the task's configurations, the configuration's fold-epochs."""
        super().__init__(console)
        self._progress = progress
        self._task_bar = progress.add_task("", total=None, unit="configurations")
        self._trial_bar = progress.add_task("", total=None, unit="fold-epochs", visible=False)

    def _start_task(self, name: str, total: int, n_complete: int, facts: str = "") -> None:
        super()._start_task(name, total, n_complete, facts)
        self._progress.reset(
            self._task_bar, total=total, completed=n_complete, description=escape(name)
        )

    def trial(self, label: str, members: int, max_epochs: int) -> None:
        """Show the configuration that begins to train; early stopping may end it sooner."""
        self._progress.reset(
            self._trial_bar,
            total=members * max_epochs,
            description=f"  {escape(label)}",
            visible=True,
        )

    def epoch(self, members: int) -> None:
        """Count an epoch of ``members`` folds."""
        self._progress.advance(self._trial_bar, members)

    def complete(self, label: str, values: dict[str, float], seconds: float) -> None:
        """Print the line and count the configuration."""
        super().complete(label, values, seconds)
        self._progress.advance(self._task_bar)

    def failed(self, label: str, reason: str) -> None:
        """Print the line and count the configuration."""
        super().failed(label, reason)
        self._progress.advance(self._task_bar)


class RunConsole(Console):
    """A console of safe lines that stops when nobody reads them any more, as in ``run | head``."""

    def __init__(self, signals: Signals, stream: TextIO) -> None:
        """Print to ``stream``; stop by ``signals``."""
        # Rich writes control characters of its own, and none that it was given.
        super().__init__(file=getattr(stream, "terminal", stream))
        self._signals = signals

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, the control characters of texts as escapes."""
        shown = [escape_controls(text) if isinstance(text, str) else text for text in objects]
        super().print(*shown, **options)

    def print_plain(self, text: str) -> None:
        """Print a text as it is, without markup and without ends of lines of Rich's."""
        self.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def on_broken_pipe(self) -> NoReturn:
        """Stop in order, as if SIGPIPE had come; Rich would exit at once."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        self._signals.received = self._signals.received or signal.SIGPIPE
        raise Stopped(self._signals.received)


@contextmanager
def console_reporter(console: Console) -> Iterator[Reporter]:
    """A reporter for this console: live in a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield LineReporter(console)
        return
    # In a narrow terminal the name is cut, never the numbers.
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
        yield LiveReporter(console, progress)
