"""What a parent passes on of its workers' events, and what it sums up."""

from __future__ import annotations

from operator import attrgetter
from types import SimpleNamespace

import pytest

from remix_study.errors import StorageError, WorkersDied
from remix_study.study.reporter import Failure, Reporter
from remix_study.study.signals import Signals
from remix_study.workers import coordinator as parents
from remix_study.workers.coordinator import Coordinator


class Heard(Reporter):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines = []

    def problem(self, task, points, done):
        self.lines.append(("problem", task, points, done))

    def turn(self, name, points, done):
        self.lines.append(("turn", name, points, done))

    def complete(self, label, values, seconds):
        self.lines.append(("complete", label, values, seconds))

    def failed(self, label, reason):
        self.lines.append(("failed", label, reason))

    def retried(self, label, reason):
        self.lines.append(("retried", label, reason))

    def note(self, text):
        self.lines.append(("note", text))


def trials(name: str, complete: set[str], settled: set[str]) -> SimpleNamespace:
    """A problem of three points as the database has it."""
    return SimpleNamespace(
        task=name,
        total=3,
        inner=(),
        complete=complete,
        left={"p", "q", "r"} - settled,
        given_up={key: Failure(name, key, "why") for key in settled - complete},
    )


@pytest.fixture
def parent(monkeypatch):
    """A parent of two problems, whose database answers what their namespaces say."""
    monkeypatch.setattr(parents, "free_dead", lambda _trials: None)
    for look in ("complete", "left", "given_up"):
        monkeypatch.setattr(parents, look, attrgetter(look))
    problems = {"a": trials("a", {"p"}, {"p"}), "b": trials("b", {"p", "q"}, {"p", "q", "r"})}
    return Coordinator(problems, Heard(), Signals())


def done(problem: str) -> dict:
    return {"kind": "complete", "problem": problem, "label": "x", "values": {}, "seconds": 1.0}


def test_lines_of_two_problems_are_told_apart(parent):
    assert parent.begin()
    for problem in "abba":
        parent.hear(done(problem))
    parent.hear({"kind": "trial", "problem": "b", "label": "x"})
    parent.hear({"kind": "retried", "problem": "a", "label": "y", "reason": "why"})
    complete = ("complete", "x", {}, 1.0)
    assert parent.told.lines == [
        ("problem", "a", 3, 1),
        complete,
        ("problem", "b", 3, 2),
        complete,
        complete,
        ("turn", "a", 3, 2),
        complete,
        ("retried", "y", "why"),
    ]
    assert (parent.summary.completed, parent.summary.done_before) == (4, 3)


def test_a_workers_error_is_the_parents(parent):
    with pytest.raises(StorageError, match=r"^x\.db: full$") as caught:
        parent.hear({"kind": "error", "error": "StorageError", "message": "x.db: full"})
    assert caught.value.exit_code == 3


def test_points_that_nobody_tried_are_an_error_only_where_workers_could_not_begin(parent):
    parent.hear({"kind": "died", "how": "SIGKILL", "label": "cost", "last": False})
    parent.finish()
    summary = parent.summary
    assert (summary.points, summary.complete) == (6, 3)
    assert summary.failures == [Failure("b", "r", "why")]
    parent.hear({"kind": "died", "how": "SIGKILL", "label": "", "last": True})
    with pytest.raises(WorkersDied, match=r"\(SIGKILL\), and points are left") as caught:
        parent.finish()
    assert caught.value.exit_code == 1
    assert parent.told.lines == [
        ("note", "a worker died at cost (SIGKILL), another takes its place"),
        ("note", "a worker died (SIGKILL)"),
    ]
