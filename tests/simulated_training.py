"""The command line with made-up training: for tests of everything around the training.

Run as a script it is ``remix-study``; imported, :func:`pretend` patches one process. The networks
of a point answer what a hash of the point says, so equal points have equal scores.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from remix_study.batches.plan_summary import PlanSummary
from remix_study.cli import run as run_command
from remix_study.cli.main import main
from remix_study.seeds import derive_seed
from remix_study.study import preview, runner
from remix_study.study.task import Task
from remix_study.training import stacks

EPOCHS = 4


@dataclass(frozen=True, eq=False)
class MadeUp:
    """What a member's training would have given."""

    validation: np.ndarray
    test: np.ndarray
    epochs: int = EPOCHS
    stopped: str = "epochs"
    failed: str = ""
    loss: np.ndarray = field(default_factory=lambda: np.ones(EPOCHS, np.float32))
    monitor: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    rates: np.ndarray = field(default_factory=lambda: np.ones(EPOCHS, np.float32))
    trained_on: PlanSummary = field(
        default_factory=lambda: PlanSummary(1, 1, np.ones(3) / 3, np.zeros(3, int), 0, 1.0)
    )


def fit(self: Task, setting, on_epoch=None, places=None):
    """Take a while, call back, and answer."""
    folds = [self.folds[place] for place in (range(len(self.folds)) if places is None else places)]
    for _ in range(EPOCHS):
        time.sleep(float(os.environ.get("PRETEND_SECONDS", "0")) / EPOCHS)
        if on_epoch:
            on_epoch(len(folds))
    text = f"{setting.strategy} {setting.training} {setting.model}"
    outcomes = []
    for fold in folds:
        rng = np.random.default_rng(derive_seed(text, fold.repeat, fold.fold))
        validation, test = (
            rng.dirichlet(np.ones(self.problem.K), len(rows)).astype(np.float32)
            for rows in (fold.validation, fold.test)
        )
        failed = "made up to fail" if setting.training.learning_rate > 1 else ""
        outcomes.append(MadeUp(validation, test, failed=failed))
    return outcomes


def fit_together(self: Task, settings, on_epoch=None):
    """Answer for each point what it would have been alone."""
    return [self.fit(setting, on_epoch) for setting in settings]


def pretend_quality(setattr, quality) -> None:
    """Patch this process with networks that are right about a known share of all rows.

    Whether a point is right about a row is drawn once, so that rows which helped to choose a
    point through one fold flatter it in every other.

    Args:
        setattr: That of pytest's monkeypatch.
        quality: The share, from a strategy and training keys.
    """

    def draw(task: Task, setting, rows):
        share = quality(setting.strategy, setting.training)
        made = setting.strategy
        parts = made.sampler, made.mixing, made.alpha, made.loss, made.augment
        text = f"{parts} {setting.training} {setting.model}"
        of_all = np.random.default_rng(derive_seed(text)).random(len(task.problem.dataset.y))
        right = of_all[task.problem.rows[rows]] < share
        answer = (task.problem.y[rows] + ~right) % task.problem.K
        return np.eye(task.problem.K, dtype=np.float32)[answer]

    def fit(self: Task, setting, _on_epoch=None, places=None):
        chosen = range(len(self.folds)) if places is None else places
        return [
            MadeUp(draw(self, setting, fold.validation), draw(self, setting, fold.test))
            for fold in (self.folds[place] for place in chosen)
        ]

    pretend(setattr)
    setattr(Task, "fit", fit)


def pretend_outcome(setattr) -> None:
    """Patch this process so that a run reads its results for a page alone: that takes a second."""
    conclude = run_command.conclude_run

    def hasty(options, study):
        nothing = SimpleNamespace(lines=(), index=None)
        return conclude(options, study) if options.report else nothing

    setattr(run_command, "conclude_run", hasty)


def pretend(setattr) -> None:
    """Patch this process; ``setattr`` is that of pytest's monkeypatch, or Python's own."""
    setattr(Task, "fit", fit)
    setattr(Task, "network_parameters", lambda _task, _model: 7)
    setattr(Task, "fit_together", fit_together)
    setattr(Task, "stack", property(lambda task: int(task.spec.training.stack or 1)))
    setattr(stacks, "has_accelerator", lambda: False)
    for module in (runner, preview):
        setattr(module, "load_networks", lambda: None)


if __name__ == "__main__":
    from made_up_data import make_up_data

    pretend(setattr)
    pretend_outcome(setattr)
    make_up_data(setattr)
    sys.exit(main())
