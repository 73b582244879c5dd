"""What the coordinator passes on of its workers' events, and what it sums up."""

from __future__ import annotations

from operator import attrgetter
from types import SimpleNamespace

import pytest

from remix_study.errors import StorageError, WorkersDied
from remix_study.study.reporter import Failure, Reporter
from remix_study.study.signals import Signals
from remix_study.workers import coordinator as coordinators
from remix_study.workers.coordinator import Coordinator


class RecordingReporter(Reporter):
    """Keeps the events that it receives."""

    def __init__(self) -> None:
        self.events = []

    def problem(self, task, configurations, done):
        self.events.append(("problem", task.name, configurations, done))

    def switch_problem(self, name, configurations, done):
        self.events.append(("switch_problem", name, configurations, done))

    def complete(self, label, values, seconds):
        self.events.append(("complete", label, values, seconds))

    def failed(self, label, reason):
        self.events.append(("failed", label, reason))

    def retried(self, label, reason):
        self.events.append(("retried", label, reason))

    def note(self, text):
        self.events.append(("note", text))


def schedule(name: str, complete: set[str], finished: set[str]) -> SimpleNamespace:
    """A schedule of three configurations as the database holds it."""
    return SimpleNamespace(
        trials=SimpleNamespace(task=SimpleNamespace(name=name)),
        total=3,
        n_complete=lambda: len(complete),
        open=lambda: {"p", "q", "r"} - finished,
        update=lambda: None,
        remark=lambda: "",
        run_failures={key: Failure(name, key, "why") for key in finished - complete},
    )


@pytest.fixture
def coordinator(monkeypatch):
    """A coordinator of two tasks whose namespaces hold what the database would answer."""
    monkeypatch.setattr(coordinators, "close_dead_trials", lambda _trials: None)
    monkeypatch.setattr(coordinators, "run_failures", attrgetter("run_failures"))
    schedules = [schedule("a", {"p"}, {"p"}), schedule("b", {"p", "q"}, {"p", "q", "r"})]
    return Coordinator(schedules, RecordingReporter(), Signals())


def complete_event(problem: str) -> dict:
    return {"kind": "complete", "problem": problem, "label": "x", "values": {}, "seconds": 1.0}


def test_what_ends_a_problem_is_one_line_however_many_workers_say_it(coordinator):
    # A worker that has begun no problem yet names none.
    for problem in ("a", "a", "a", ""):
        event = {"problem": problem, "label": "all others", "reason": f"{problem} is gone"}
        coordinator.handle_event(event | {"kind": "failed"})
    failures = [event for event in coordinator.reporter.events if event[0] == "failed"]
    assert failures == [("failed", "all others", f"{name} is gone") for name in ("a", "")]


def test_lines_of_two_problems_are_told_apart(coordinator):
    assert coordinator.begin()
    for problem in "abba":
        coordinator.handle_event(complete_event(problem))
    coordinator.handle_event({"kind": "trial", "problem": "b", "label": "x"})
    coordinator.handle_event({"kind": "retried", "problem": "a", "label": "y", "reason": "why"})
    complete = ("complete", "x", {}, 1.0)
    assert coordinator.reporter.events == [
        ("problem", "a", 3, 1),
        complete,
        ("problem", "b", 3, 2),
        complete,
        complete,
        ("switch_problem", "a", 3, 2),
        complete,
        ("retried", "y", "why"),
    ]
    assert (coordinator.summary.completed, coordinator.summary.complete_before) == (4, 3)


def test_a_workers_error_is_raised_by_the_coordinator(coordinator):
    with pytest.raises(StorageError, match=r"^x\.db: full$") as caught:
        coordinator.handle_event(
            {"kind": "error", "error": "StorageError", "message": "x.db: full"}
        )
    assert caught.value.exit_code == 3


def test_what_all_workers_say_is_noted_once(coordinator):
    for _ in range(3):
        coordinator.handle_event({"kind": "note", "text": "the database is away"})
    assert coordinator.reporter.events == [("note", "the database is away")]


def test_untried_configurations_are_an_error_only_where_workers_could_not_begin(
    coordinator,
):
    coordinator.handle_event({"kind": "died", "how": "SIGKILL", "label": "cost", "last": False})
    coordinator.finish()
    summary = coordinator.summary
    assert (summary.configurations, summary.complete) == (6, 3)
    assert summary.failures == [Failure("b", "r", "why")]
    coordinator.handle_event({"kind": "died", "how": "SIGKILL", "label": "", "last": True})
    with pytest.raises(WorkersDied, match=r"\(SIGKILL\), and configurations are left") as caught:
        coordinator.finish()
    assert caught.value.exit_code == 1
    assert coordinator.reporter.events == [
        ("note", "a worker died at cost (SIGKILL), another takes its place"),
        ("note", "a worker died (SIGKILL)"),
    ]
