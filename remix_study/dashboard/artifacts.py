"""A trial's artifacts: its fold table and the reliability of its validation forecasts."""

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
    rare_class_codes,
)
from remix_study.results.comparison import Comparison
from remix_study.results.frames import ProbabilityReader
from remix_study.results.methods import Method

_KEPT = ("repeat", "fold", "n_train", "minority_train", "n_test", "minority_test", "epochs",
         "stopped", "failed")  # fmt: skip
_NAMES = {"n_test": "n_validation", "minority_test": "minority_validation"}
_VIEWS = (
    (NATURAL, "natural class shares", "-o"),
    (BALANCED, "classes weighted alike", "--s"),
    (CORRECTED, "corrected to the natural shares", ":^"),
)


def fold_table(comparison: Comparison, row: Method) -> bytes:
    """CSV: one line a fold with its rows, epochs and validation scores.

    Args:
        comparison: A problem of frames of :func:`.validation_only`.
        row: The trial.
    """
    folds = comparison.folds[comparison.folds["run"] == row.run].sort_values(["repeat", "fold"])
    table = folds[list(_KEPT)].rename(columns=_NAMES).set_index(["repeat", "fold"])
    scores = {
        f"validation {metric}": found
        for metric in comparison.metrics()
        if len(found := comparison.score(row.label, metric))
    }
    return csv_text(table.join(pd.DataFrame(scores)).reset_index()).encode()


def reliability_diagram(
    comparison: Comparison, row: Method, probabilities: ProbabilityReader | None
) -> bytes | None:
    """PNG: forecasts of the rare classes against what came; None where every fold failed."""
    if probabilities is None:
        return None
    found = method_reliability(comparison, row, probabilities, rare_class_codes(comparison))
    return None if found is None else _drawn(found)


def _drawn(found: MethodReliability) -> bytes:
    with figure(4.2, 4.0) as made:
        axes = made.add_subplot()
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
        for view, name, style in _VIEWS:
            if view in found.by_view:
                one = found.by_view[view]
                axes.plot(one.forecast, one.observed, style, label=name, markersize=4)
        axes.set(xlabel="mean forecast of a rare class", ylabel="share that came true",
                 xlim=(-0.02, 1.02), ylim=(-0.02, 1.02),
                 title=f"{found.method.label[:40]}, validation rows")  # fmt: skip
        axes.legend(loc="best")
        return render(made)[1]
