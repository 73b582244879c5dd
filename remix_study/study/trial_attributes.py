"""User attributes of a trial that the dashboard shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from remix_study.metrics import METRICS
from remix_study.study.configurations import label_of
from remix_study.study.evaluation import Evaluation, peak_memory_mb
from remix_study.study.registration import MAX_ATTRIBUTE_LENGTH
from remix_study.study.task import Task
from remix_study.training.engine_version import ENGINE_VERSION


def trial_attributes(task: Task, evaluation: Evaluation) -> dict[str, Any]:
    """Label, validation scores and cost of a trial; no value comes from test rows."""
    epochs = [outcome.epochs for outcome in evaluation.outcomes]
    n_failed = sum(bool(outcome.failed) for outcome in evaluation.outcomes)
    attributes: dict[str, Any] = {"row": label_of(evaluation.parameters)[:MAX_ATTRIBUTE_LENGTH]}
    for name in task.study.objectives:
        scores = evaluation.validation(name)
        sd = np.std(scores, ddof=1) if len(scores) > 1 else 0.0
        attributes[f"validation {METRICS[name].short}"] = f"{np.mean(scores):.4f} (sd {sd:.4f})"
    fewest = min(
        int(np.bincount(task.problem.y[fold.train], minlength=task.problem.K).min())
        for fold in task.folds
    )
    if evaluation.pruned:
        attributes["pruned"] = f"after {len(evaluation.positions)} of {len(task.folds)} folds"
    return attributes | {
        "fewest training rows of a class": fewest,
        "epochs": f"median {int(np.median(epochs))}, {min(epochs)} to {max(epochs)}",
        "folds failed": n_failed,
        "seconds": round(evaluation.seconds, 2),
        "peak memory (MiB)": round(peak_memory_mb()),
        "engine_version": ENGINE_VERSION,
    }
