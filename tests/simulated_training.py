"""The command line with simulated training: for tests of everything around the training.

Run as a script it is ``remix-study``; imported, :func:`simulate_training` patches one process.
Predictions are drawn from a hash of the configuration: equal configurations have equal scores.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import sqlalchemy

from remix_study.batches.plan_summary import PlanSummary
from remix_study.cli import preview
from remix_study.cli import run as run_command
from remix_study.cli.main import main
from remix_study.models.size import Layer, NetworkSize
from remix_study.seeds import derive_seed
from remix_study.study import runner
from remix_study.study.task import Task
from remix_study.training import stacks

EPOCHS = 4


@dataclass(frozen=True, eq=False)
class SimulatedOutcome:
    """What a member's training returns: its predictions, epochs and curves."""

    validation: np.ndarray
    test: np.ndarray
    epochs: int = EPOCHS
    stopped: str = "epochs"
    failed: str = ""
    loss: np.ndarray = field(default_factory=lambda: np.linspace(1, 0.5, EPOCHS, dtype="float32"))
    monitor: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    rates: np.ndarray = field(default_factory=lambda: np.ones(EPOCHS, np.float32))
    trained_on: PlanSummary = field(
        default_factory=lambda: PlanSummary(1, 1, np.ones(3) / 3, np.zeros(3, int), 0, 1.0)
    )


def fit(self: Task, setting, on_epoch=None, places=None):
    """Predict for all folds, or those at some positions, after ``SIMULATED_SECONDS``."""
    folds = [self.folds[place] for place in (range(len(self.folds)) if places is None else places)]
    for _ in range(EPOCHS):
        time.sleep(float(os.environ.get("SIMULATED_SECONDS", "0")) / EPOCHS)
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
        K = self.problem.K
        plan = PlanSummary(1, 1, np.ones(K) / K, np.zeros(K, int), 0, 1.0)
        outcomes.append(SimulatedOutcome(validation, test, failed=failed, trained_on=plan))
    return outcomes


def fit_together(self: Task, settings, on_epoch, places):
    """Predict for each configuration what it would predict alone."""
    return [self.fit(setting, on_epoch, places) for setting in settings]


def simulate_quality(setattr, quality) -> None:
    """Patch this process with networks that are right about a known share of all rows.

    Whether a configuration is right about a row is drawn once for all folds: a row that helped
    to choose it in one fold also favours it in the others.

    Args:
        setattr: That of pytest's monkeypatch.
        quality: The share, from a strategy and training keys.
    """

    def draw(task: Task, setting, rows):
        share = quality(setting.strategy, setting.training)
        strategy = setting.strategy
        parts = strategy.sampler, strategy.mixing, strategy.alpha, strategy.loss, strategy.augment
        text = f"{parts} {setting.training} {setting.model}"
        uniform = np.random.default_rng(derive_seed(text)).random(len(task.problem.dataset.y))
        is_right = uniform[task.problem.rows[rows]] < share
        predicted = (task.problem.y[rows] + ~is_right) % task.problem.K
        return np.eye(task.problem.K, dtype=np.float32)[predicted]

    def fit(self: Task, setting, _on_epoch=None, places=None):
        chosen = range(len(self.folds)) if places is None else places
        return [
            SimulatedOutcome(draw(self, setting, fold.validation), draw(self, setting, fold.test))
            for fold in (self.folds[place] for place in chosen)
        ]

    simulate_training(setattr)
    setattr(Task, "fit", fit)


def skip_conclusion(setattr) -> None:
    """Patch this process so that a run without a page reads no results, which takes a second."""
    conclude = run_command.conclude_run

    def conclude_for_page(options, study):
        no_outcome = SimpleNamespace(lines=(), index=None, decisions=())
        return conclude(options, study) if options.report else no_outcome

    setattr(run_command, "conclude_run", conclude_for_page)


def skip_migrations(setattr) -> None:
    """Patch this process so that tables which Optuna has made are not compared with its version.

    That imports Alembic and every migration, a fifth of a short process's time.
    """
    from optuna.storages._rdb import storage

    class KnownVersion(storage._VersionManager):
        def _init_alembic(self):
            with self.engine.connect() as connection:
                is_stamped = sqlalchemy.inspect(connection).has_table("alembic_version") and (
                    connection.scalar(sqlalchemy.text("SELECT count(*) FROM alembic_version"))
                )
            if not is_stamped:
                super()._init_alembic()

        def check_table_schema_compatibility(self):
            return

    setattr(storage, "_VersionManager", KnownVersion)


def simulate_training(setattr) -> None:
    """Patch this process; ``setattr`` is Python's own or that of pytest's monkeypatch."""
    setattr(Task, "fit", fit)
    size = NetworkSize((Layer("dense", (1,), 7),), parameters=7)
    setattr(Task, "network_size", lambda _task, _model: size)
    setattr(Task, "fit_together", fit_together)
    setattr(Task, "stack", property(lambda task: int(task.spec.training.stack or 1)))
    setattr(stacks, "has_accelerator", lambda: False)
    setattr(runner, "load_networks", lambda: None)
    setattr(preview, "load_networks", lambda: None)


if __name__ == "__main__":
    from made_up_data import make_up_data

    simulate_training(setattr)
    skip_conclusion(setattr)
    skip_migrations(setattr)
    make_up_data(setattr)
    sys.exit(main())
