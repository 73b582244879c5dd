"""Artifacts of a trial: a table of its folds, and a reliability diagram of validation rows."""

from __future__ import annotations

import pandas as pd

from remix_study.report.figures import figure, render
from remix_study.report.table_files import csv_text
from remix_study.results.calibration import (
    BALANCED,
    CORRECTED,
    NATURAL,
    MethodReliability,
    method_reliability,
)
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.results.probabilities import ProbabilityReader

_COLUMNS = ("repeat", "fold", "n_train", "minority_train", "n_test", "minority_test", "epochs",
            "stopped", "failed")  # fmt: skip
_NEW_NAMES = {"n_test": "n_validation", "minority_test": "minority_validation"}
_VIEWS = (
    (NATURAL, "natural class shares", "-o"),
    (BALANCED, "classes weighted alike", "--s"),
    (CORRECTED, "corrected to the natural shares", ":^"),
)


def fold_table(comparison: Comparison, method: Method) -> bytes:
    """Write a CSV file with one line a fold: its rows, epochs and validation scores.

    Args:
        comparison: A problem of frames of :func:`.validation_only`.
        method: The method of the trial.
    """
    folds = comparison.folds[comparison.folds["run"] == method.run].sort_values(["repeat", "fold"])
    table = folds[list(_COLUMNS)].rename(columns=_NEW_NAMES).set_index(["repeat", "fold"])
    scores = {
        f"validation {metric}": values
        for metric in comparison.metrics()
        if len(values := comparison.score(method.label, metric))
    }
    return csv_text(table.join(pd.DataFrame(scores)).reset_index()).encode()


def reliability_diagram(
    comparison: Comparison, method: Method, probabilities: ProbabilityReader | None
) -> bytes | None:
    """Draw, as a PNG file, how often rare classes came against how often they were forecast.

    Returns:
        The file; None where every fold failed or no probabilities are stored.
    """
    if probabilities is None:
        return None
    reliability = method_reliability(comparison, method, probabilities)
    return None if reliability is None else _draw(reliability)


def _draw(reliability: MethodReliability) -> bytes:
    with figure(4.2, 4.0) as drawing:
        axes = drawing.add_subplot()
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
        for view, name, style in _VIEWS:
            if view in reliability.by_view:
                bins = reliability.by_view[view]
                axes.plot(bins.forecast, bins.observed, style, label=name, markersize=4)
        axes.set(xlabel="mean forecast of a rare class", ylabel="share that came true",
                 xlim=(-0.02, 1.02), ylim=(-0.02, 1.02),
                 title=f"{reliability.method.label[:40]}, validation rows")  # fmt: skip
        axes.legend(loc="best")
        _, png = render(drawing)
        return png()
