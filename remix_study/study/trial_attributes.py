"""What a person reads of a trial in the dashboard."""

from __future__ import annotations

from typing import Any

import numpy as np

from remix_study.metrics import METRICS
from remix_study.study.configurations import label_of
from remix_study.study.evaluation import Evaluation, peak_memory_mb
from remix_study.study.registration import LONGEST_ATTRIBUTE
from remix_study.study.task import Task
from remix_study.training.engine_version import ENGINE_VERSION


def attributes(task: Task, found: Evaluation) -> dict[str, Any]:
    """The few numbers a person wants beside a trial; none has seen a test row."""
    epochs = [outcome.epochs for outcome in found.outcomes]
    failed = sum(bool(outcome.failed) for outcome in found.outcomes)
    told: dict[str, Any] = {"row": label_of(found.parameters)[:LONGEST_ATTRIBUTE]}
    for name in task.study.objectives:
        scores = found.validation(name)
        spread = np.std(scores, ddof=1) if len(scores) > 1 else 0.0
        text = f"{np.mean(scores):.4f} (sd {spread:.4f})"
        told[f"validation {METRICS[name].short}"] = text
    fewest = min(
        int(np.bincount(task.problem.y[fold.train], minlength=task.problem.K).min())
        for fold in task.folds
    )
    if found.pruned:
        told["pruned"] = f"after {len(found.places)} of {len(task.folds)} folds"
    return told | {
        "fewest training rows of a class": fewest,
        "epochs": f"median {int(np.median(epochs))}, {min(epochs)} to {max(epochs)}",
        "folds failed": failed,
        "seconds": round(found.seconds, 2),
        "peak memory (MiB)": round(peak_memory_mb()),
        "engine_version": ENGINE_VERSION,
    }
