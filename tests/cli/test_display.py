"""Reporters of the command line: plain lines anywhere, a live display in a terminal."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from remix_study.cli.display import RunConsole, console_reporter
from remix_study.study.signals import Signals

NOTE = "; ".join(["a note [of] which a reader must know"] * 3)


def task(notes=()):
    problem = SimpleNamespace(classes=("rest", "[x]"), counts=np.array([90, 10]), notes=notes)
    return SimpleNamespace(name="study/problem[1]", problem=problem)


def output_of_run(terminal: bool) -> str:
    """Everything that a run of two configurations writes."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=60, color_system=None)
    with console_reporter(console) as reporter:
        with reporter.loading():
            pass
        reporter.problem(task([NOTE]), 3, 1)
        reporter.trial("remix (0.1), model.hidden [8, 4]", 20, 5)
        for _ in range(5):
            reporter.epoch(20)
        reporter.complete(
            "remix (0.1), model.hidden [8, 4]", {"g_mean": 0.91234, "bbs": 0.1}, 1.24
        )
        reporter.trial("cost, learning_rate 0.1", 20, 5)
        reporter.failed("cost", "1 of 2 folds diverged: [nan]")
    return out.getvalue()


def test_without_a_terminal_there_are_plain_lines():
    assert output_of_run(terminal=False).splitlines() == [
        "study/problem[1]  1 of 3 configurations complete; rows of each class: rest: 90, [x]: 10",
        f"  note: {NOTE}",
        "  [2/3]     remix (0.1), model.hidden [8, 4] g-mean 0.9123  balanced Brier 0.1000  1.2 s",
        "  failed cost: 1 of 2 folds diverged: [nan]",
    ]


def test_a_terminal_shows_the_lines_and_what_runs_now():
    text = output_of_run(terminal=True)
    assert (
        "study/problem[1]  1 of 3 configurations complete; rows of each class: rest: 90, [x]: 10"
        in text
    )
    assert "  failed cost: 1 of 2 folds diverged: [nan]" in text
    assert re.search(r"study/prob\S+ ━+ 3/3 +configurations +left 0:00:00", text)
    # The name is cut, not the numbers.
    # Slowly drawn, the bar has had the time of an estimate.
    assert re.search(r"  cost, le\S*… +━* +0/100 fold-epochs +left (-:--:--|0:00:00)", text)
    # The cursor was hidden for the display, and comes back.
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_the_cursor_comes_back_when_the_run_is_stopped():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=60, color_system=None)

    def stop():
        with console_reporter(console) as reporter:
            reporter.problem(task(), 3, 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")


@pytest.mark.parametrize("terminal", [False, True])
def test_lines_of_several_workers_name_their_problem(terminal):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=90, color_system=None)
    with console_reporter(console) as reporter:
        reporter.problem(task(), 3, 0)
        reporter.switch_problem("study/other[2]", 9, 4)
        reporter.complete("cost", {"bbs": 0.1}, 1)
        reporter.retried("remix [0.1]", "out of memory")
        reporter.note("a worker died at [cost] (SIGKILL)")
    text = out.getvalue()
    assert "study/other[2]  4 of 9 configurations complete" in text
    assert "  [5/9]     cost" in text
    assert "  again remix [0.1]: out of memory" in text
    assert "  note: a worker died at [cost] (SIGKILL)" in text
    if terminal:
        assert re.search(r"study/other\S+ +[━╸╺ ]*5/9 +configurations", text)


def test_terminal_escapes_of_labels_are_shown_and_not_obeyed():
    out = io.StringIO()
    console = RunConsole(Signals(), out)
    with console_reporter(console) as reporter:
        reporter.failed("cost", "class \x1b[2J\x07 is absent")
    console.print_plain("class \x1b[2J [b]")
    assert out.getvalue().splitlines() == [
        "  failed cost: class \\x1b[2J\\x07 is absent",
        "class \\x1b[2J [b]",
    ]
