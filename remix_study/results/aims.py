"""What a decision aims at: least expected cost, a floor, or the study's objectives.

Costs, floors and regions of practical equivalence change no training: the database has them beside
each problem as the study file had them when it was last run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.metrics import CLASS_METRICS, better_sign
from remix_study.metrics.class_scores import RARE, Confusion, class_scores
from remix_study.metrics.costs import cost_matrix

COST = "cost"
"""The metric of what decisions cost."""

# Metrics made of the recalls alone, which take a tenth of the time of the others.
_OF_RECALLS = frozenset({"g_mean", "balanced_accuracy", "min_recall"})

# More than any two scores of predicted classes differ by.
_BELOW_THE_FLOOR = 10.0


@dataclass(frozen=True, eq=False)
class Aim:
    """What methods are chosen by, and what their thresholds are chosen for.

    Attributes:
        metrics: Methods are compared in these.
        criterion: The metric of predicted classes that a threshold is the best in; None where no
            objective is of predicted classes, and for costs.
        costs: (K, K) cost of a row of a class (rows) that is decided for another (columns).
        floor: Metric of predicted classes, and what it must reach on validation rows.
    """

    metrics: tuple[str, ...]
    criterion: str | None = None
    costs: NDArray[np.float64] | None = None
    floor: tuple[str, float] | None = None

    @property
    def has_thresholds(self) -> bool:
        """Whether thresholds can be chosen for it."""
        return self.costs is not None or self.criterion is not None

    def decide(self, p: NDArray[np.float64]) -> NDArray[np.intp]:
        """Decide rows by their probabilities (n, K): by least expected cost, or the largest."""
        decided = p.argmax(axis=1) if self.costs is None else (p @ self.costs).argmin(axis=1)
        return np.asarray(decided, dtype=np.intp)

    def values(self, matrices: NDArray[np.float64]) -> NDArray[np.float64]:
        """How good each of several confusion matrices (m, K, K) is, (m,): the more the better.

        One that misses the floor is worse than all that reach it, and the worse the further off.
        """
        if self.costs is not None:
            costs = (matrices * self.costs).sum(axis=(-2, -1)) / matrices.sum(axis=(-2, -1))
            return np.asarray(-costs, dtype=np.float64)
        criterion = self.criterion or "g_mean"
        names = {criterion, self.floor[0]} if self.floor else {criterion}
        scores = scores_of(matrices, names=names)
        values = better_sign(criterion) * scores[criterion]
        if self.floor:
            metric, level = self.floor
            values = np.where(
                scores[metric] >= level - 1e-12, values, scores[metric] - _BELOW_THE_FLOOR
            )
        return np.nan_to_num(values, nan=-np.inf)

    def has_reached_floor(self, matrix: NDArray[np.float64]) -> bool:
        """Whether a confusion matrix (K, K) has what the floor asks for; True without one."""
        return self.floor is None or bool(
            scores_of(matrix[None])[self.floor[0]][0] >= self.floor[1] - 1e-12
        )

    @property
    def usual_threshold(self) -> float:
        """The threshold for two classes that right probabilities ask for."""
        if self.costs is None:
            return 0.5
        common, rare = self.costs[1 - RARE], self.costs[RARE]
        alarm, miss = common[RARE] - common[1 - RARE], rare[1 - RARE] - rare[RARE]
        return float(np.clip(alarm / (alarm + miss), 0, 1)) if alarm + miss > 0 else 0.5


def aim_of(problem: Mapping[str, Any]) -> Aim:
    """What the decision on a problem aims at.

    Args:
        problem: A row of `StudyFrames.problems`.
    """
    objectives = tuple(problem["objectives"])
    costs = study_costs(problem)
    if costs is not None:
        return Aim((COST,), costs=costs)
    of_classes = tuple(metric for metric in objectives if metric in CLASS_METRICS)
    floors = report_keys(problem, "floor")
    if not floors:
        return Aim(objectives, of_classes[0] if of_classes else None)
    # A threshold leaves probabilities as they are: scores of these have no part in the choice.
    of_classes = of_classes or ("g_mean",)
    return Aim(of_classes, of_classes[0], floor=next(iter(floors.items())))


def report_keys(problem: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A table of the study file that its report goes by: "costs", "floor" or "rope".

    Args:
        problem: A row of `StudyFrames.problems`.
        name: Of the table; an empty one where the study has none.
    """
    tables = problem.get("report")
    return dict(tables.get(name, {})) if isinstance(tables, Mapping) else {}


def study_costs(problem: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """(K, K) costs of errors that the study of a problem gives, None where it gives none."""
    definition = problem.get("definition")
    decision = definition.get("decision", {}) if isinstance(definition, Mapping) else {}
    costs = report_keys(problem, "costs") or decision.get("costs")
    return cost_matrix(costs, problem["classes"], str(problem["problem"])) if costs else None


def scores_of(
    matrices: NDArray[np.float64],
    costs: NDArray[np.float64] | None = None,
    names: Collection[str] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Metrics of predicted classes of confusion matrices (m, K, K), each (m,).

    Those of single classes are left out; the mean cost of a row is there where there are costs.

    Args:
        matrices: Of the same classes, those of the first one.
        costs: (K, K); None for no costs.
        names: Metrics that are asked for, others may be left out; all when None.
    """
    confusion = Confusion(matrices)
    recalls = confusion.recall()[:, confusion.actual[0] > 0]
    are_recalls_enough = names is not None and _OF_RECALLS.issuperset(names)
    scores = {} if are_recalls_enough else class_scores(confusion)
    scores |= {
        "g_mean": recalls.prod(axis=-1) ** (1 / recalls.shape[-1]),
        "balanced_accuracy": recalls.mean(axis=-1),
        "min_recall": recalls.min(axis=-1),
    }
    if costs is not None:
        scores[COST] = (matrices * costs).sum(axis=(-2, -1)) / confusion.total
    return scores
