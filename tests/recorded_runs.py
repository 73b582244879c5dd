"""Runs of tiny studies in this process, recorded and interrupted at chosen events."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tiny_studies import TINY, query

from remix_study.study import runner
from remix_study.study.reporter import Reporter
from remix_study.studyfile.parsing import parse_study

DATABASE = Path("x.db")

SEARCH = ("[search.space]", '[search]\nalgorithm = "tpe"\ntrials = 14\n[search.space]')
MIXED_SPACE = (
    'strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]',
    'sampler = ["natural", "balanced", "smote"]\nmixing = ["none", "beta"]\n'
    "alpha = {low = 0.01, high = 1, log = true}\nlearning_rate = {low = 0.001, high = 2}",
)


def run(text: str = TINY, **options):
    study = parse_study(text, "tiny.toml")
    return runner.run(study, storage=f"sqlite:///{DATABASE}", **options)


class RecordingReporter(Reporter):
    """Records events, and calls an action at those of a given name."""

    def __init__(self, **actions):
        self.events, self.actions = [], actions

    def record(self, name, *words):
        self.events.append((name, *words))
        self.actions.get(name, lambda: None)()

    def problem(self, task, configurations, done):
        self.record("problem", task.name, configurations, done)

    def trial(self, label, members, max_epochs):
        self.record("trial", label, members, max_epochs)

    def epoch(self, members):
        self.record("epoch", members)

    def complete(self, label, values, _seconds):
        self.record("complete", label, *values)

    def failed(self, label, reason):
        self.record("failed", label, reason)

    def retried(self, label, reason):
        self.record("retried", label, reason)


def at_call(count: int, action):
    """An action that is done at the n-th call only."""
    calls = iter(range(1, 1000))

    def act_once():
        if next(calls) == count:
            action()

    return act_once


def sending(number=signal.SIGINT):
    """An action that sends a signal to this process."""
    return lambda: os.kill(os.getpid(), number)


def attributes(key: str) -> list:
    """Values of a user attribute of the trials, in order."""
    rows = query(DATABASE, "SELECT key, value_json FROM trial_user_attributes ORDER BY trial_id")
    return [json.loads(value) for name, value in rows if name == key]


def manifests() -> int:
    return len(query(DATABASE, "SELECT * FROM remix_manifests"))
