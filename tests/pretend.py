"""The command line with made-up training: for tests of everything around the training.

Run as a script it is ``remix-study``; imported, :func:`pretend` patches one process. The networks
of a point answer what a hash of the point says, so equal points have equal scores.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from remix_study.batches.plan import TrainedOn
from remix_study.seeds import derive
from remix_study.study import preview, runner
from remix_study.study.bench import Bench

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
    trained_on: TrainedOn = field(
        default_factory=lambda: TrainedOn(1, 1, np.ones(3) / 3, np.zeros(3, int), 0, 1.0)
    )


def fit(self: Bench, setting, on_epoch=None):
    """Take a while, call back, and answer."""
    for _ in range(EPOCHS):
        time.sleep(float(os.environ.get("PRETEND_SECONDS", "0")) / EPOCHS)
        if on_epoch:
            on_epoch(len(self.folds))
    text = f"{setting.strategy} {setting.training} {setting.model}"
    outcomes = []
    for fold in self.folds:
        rng = np.random.default_rng(derive(text, fold.repeat, fold.fold))
        validation, test = (
            rng.dirichlet(np.ones(self.problem.K), len(rows)).astype(np.float32)
            for rows in (fold.validation, fold.test)
        )
        failed = "made up to fail" if setting.training.learning_rate > 1 else ""
        outcomes.append(MadeUp(validation, test, failed=failed))
    return outcomes


def pretend(setattr) -> None:
    """Patch this process; ``setattr`` is that of pytest's monkeypatch, or Python's own."""
    setattr(Bench, "fit", fit)
    setattr(Bench, "network_parameters", lambda _bench, _model: 7)
    setattr(Bench, "stack", 1)
    for module in (runner, preview):
        setattr(module, "load_networks", lambda: None)


if __name__ == "__main__":
    from remix_study.cli import main

    pretend(setattr)
    sys.exit(main())
