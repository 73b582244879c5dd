"""What a person reads of a trial in the dashboard."""

from __future__ import annotations

from typing import Any

import numpy as np

from remix_study.metrics import METRICS
from remix_study.study.bench import Bench
from remix_study.study.catalog import LONGEST_ATTRIBUTE
from remix_study.study.evaluation import Evaluation, peak_memory_mb
from remix_study.study.points import label_of


def attributes(bench: Bench, found: Evaluation) -> dict[str, Any]:
    """The few numbers a person wants beside a trial; none has seen a test row."""
    epochs = [outcome.epochs for outcome in found.outcomes]
    failed = sum(bool(outcome.failed) for outcome in found.outcomes)
    told: dict[str, Any] = {"row": label_of(found.parameters)[:LONGEST_ATTRIBUTE]}
    for name in bench.study.objectives:
        scores = found.validation(name)
        spread = np.std(scores, ddof=1) if len(scores) > 1 else 0.0
        text = f"{np.mean(scores):.4f} (sd {spread:.4f})"
        told[f"validation {METRICS[name].short}"] = text
    fewest = min(
        int(np.bincount(bench.problem.y[fold.train], minlength=bench.problem.K).min())
        for fold in bench.folds
    )
    if found.pruned:
        told["pruned"] = f"after {len(found.places)} of {len(bench.folds)} folds"
    return told | {
        "fewest training rows of a class": fewest,
        "epochs": f"median {int(np.median(epochs))}, {min(epochs)} to {max(epochs)}",
        "folds failed": failed,
        "seconds": round(found.seconds, 2),
        "peak memory (MiB)": round(peak_memory_mb()),
    }
