"""Cost curves: what the decisions of a method cost when a miss costs more or less than was said.

For each ratio of the cost of a miss to that of a false alarm a threshold is chosen on validation
rows, as for a form with a threshold, and the test parts are decided by it. Costs are relative to
the cheaper of the two constant answers at that ratio: at 1 a method is of no use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.metrics.class_scores import RARE
from remix_study.results.aims import COST, Aim
from remix_study.results.comparison import Comparison
from remix_study.results.forms import Form
from remix_study.results.methods import Method
from remix_study.results.probabilities import ProbabilityReader, read_folds
from remix_study.results.thresholds import PooledRows

_POINTS = 21
_REACH = 10.0


@dataclass(frozen=True, eq=False)
class CostCurve:
    """What the decisions of a method cost at several ratios of costs.

    Attributes:
        method: Its probabilities are as trained.
        ratios: (m,) cost of a miss over that of a false alarm.
        costs: (m,) mean cost of a test row over that of the cheaper constant answer.
    """

    method: Method
    ratios: NDArray[np.float64]
    costs: NDArray[np.float64]


def cost_curves(
    comparison: Comparison,
    aim: Aim,
    forms: Sequence[Form | None],
    probabilities: ProbabilityReader | None,
) -> tuple[CostCurve, ...]:
    """Curves of the methods of some forms, each once; none without probabilities or a ratio.

    The ratios are those from a tenth to ten times the ratio that the study gives.
    """
    ratio = _ratio(aim)
    if probabilities is None or ratio is None:
        return ()
    ratios = ratio * np.geomspace(1 / _REACH, _REACH, _POINTS)
    methods = {form.method.run: form.method for form in forms if form}
    curves = (_curve(comparison, method, ratios, probabilities) for method in methods.values())
    return tuple(curve for curve in curves if curve)


def _ratio(aim: Aim) -> float | None:
    """Cost of a miss over that of a false alarm; None where two classes have no such ratio."""
    if aim.costs is None or len(aim.costs) != 2 or not 0 < aim.usual_threshold < 1:
        return None
    return 1 / aim.usual_threshold - 1


def _curve(
    comparison: Comparison,
    method: Method,
    ratios: NDArray[np.float64],
    probabilities: ProbabilityReader,
) -> CostCurve | None:
    folds = comparison.trained_folds(method)[["repeat", "fold"]].itertuples(index=False)
    read = read_folds(probabilities, method.run, [(int(r), int(f)) for r, f in folds])
    if not read:
        return None
    pool = PooledRows([parts["validation"] for parts in read.values()])
    aims = [Aim((COST,), costs=np.array([[0, 1], [ratio, 0]])) for ratio in ratios]
    relative = []
    for parts in read.values():
        ids, y, p, weights = parts["test"]
        matrices = pool.confusions(~np.isin(pool.ids, ids))
        thresholds = np.array([pool.best(matrices, aim) for aim in aims])
        shares = np.ones(len(y)) if weights is None else weights
        shares = shares / shares.sum()
        is_rare, as_rare = y == RARE, p[:, RARE] >= thresholds[:, None]
        misses, alarms = ~as_rare @ (shares * is_rare), as_rare @ (shares * ~is_rare)
        rare = shares[is_rare].sum()
        constant = np.minimum(ratios * rare, 1 - rare)
        relative.append((ratios * misses + alarms) / constant)
    return CostCurve(method, ratios, np.mean(relative, axis=0))


def table(curves: Sequence[tuple[Comparison, CostCurve]]) -> pd.DataFrame:
    """Table of curves: one line a problem, method and ratio."""
    columns = ["study", "problem", "method", "miss_to_alarm", "relative_cost"]
    lines = [
        (comparison.study, comparison.problem, curve.method.label, float(ratio), float(cost))
        for comparison, curve in curves
        for ratio, cost in zip(curve.ratios, curve.costs, strict=True)
    ]
    return pd.DataFrame(lines, columns=columns)
