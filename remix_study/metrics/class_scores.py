"""Scores of predicted classes, from one confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

RARE = 1
"""Code of the rare class of a binary problem."""


@dataclass(frozen=True, eq=False)
class Confusion:
    """Weights of rows by true and predicted class.

    Attributes:
        matrix: (K, K), rows by true class, columns by predicted class.
    """

    matrix: NDArray[np.float64]

    @cached_property
    def actual(self) -> NDArray[np.float64]:
        """(K,) weight of each true class."""
        totals: NDArray[np.float64] = self.matrix.sum(axis=1)
        return totals

    @cached_property
    def predicted(self) -> NDArray[np.float64]:
        """(K,) weight of each predicted class."""
        totals: NDArray[np.float64] = self.matrix.sum(axis=0)
        return totals

    @cached_property
    def hits(self) -> NDArray[np.float64]:
        """(K,) weight of the rows of each class that are predicted right."""
        return np.diagonal(self.matrix)

    @property
    def total(self) -> float:
        """Weight of all rows."""
        return float(self.actual.sum())

    def recall(self) -> NDArray[np.float64]:
        """(K,) recall of each class, NaN for a class without rows."""
        return _ratio(self.hits, self.actual, np.nan)

    def precision(self) -> NDArray[np.float64]:
        """(K,) precision of each class, 0 where it is never predicted."""
        return _ratio(self.hits, self.predicted, 0.0)

    def specificity(self) -> NDArray[np.float64]:
        """(K,) share of the rows of other classes that are not taken for the class."""
        others = self.total - self.actual
        return _ratio(others - (self.predicted - self.hits), others, np.nan)

    def f_score(self, beta: float) -> NDArray[np.float64]:
        """(K,) F-score of each class: recall counts ``beta`` times as much as precision."""
        weight = beta**2
        return _ratio((1 + weight) * self.hits, weight * self.actual + self.predicted, 0.0)

    def accuracy(self) -> float:
        """Share of the rows that are predicted right."""
        return float(self.hits.sum() / self.total)

    def mcc(self) -> float:
        """Matthews correlation of true and predicted classes (Gorodkin, 2004, for K classes).

        0 where all rows are predicted as one class; NaN where all are of one class.
        """
        total = self.total
        covariance = self.hits.sum() * total - self.actual @ self.predicted
        actual = total**2 - self.actual @ self.actual
        predicted = total**2 - self.predicted @ self.predicted
        if np.count_nonzero(self.actual) < 2:
            return float("nan")
        if np.count_nonzero(self.predicted) < 2:
            return 0.0
        return float(covariance / np.sqrt(actual * predicted))

    def kappa(self) -> float:
        """Cohen's kappa: agreement beyond chance; NaN where all rows are of one class."""
        if np.count_nonzero(self.actual) < 2:
            return float("nan")
        chance = self.actual @ self.predicted / self.total**2
        return float((self.accuracy() - chance) / (1 - chance))


def confusion_of(
    codes: NDArray[np.intp],
    predicted: NDArray[np.intp],
    n_classes: int,
    weights: NDArray[np.float64],
) -> Confusion:
    """Count true and predicted classes, (n,) codes each, with the rows' weights."""
    cells = np.bincount(codes * n_classes + predicted, weights, n_classes**2)
    return Confusion(cells.astype(np.float64).reshape(n_classes, n_classes))


def class_scores(confusion: Confusion) -> dict[str, float]:
    """All metrics of predicted classes but those made of recalls alone.

    Those of one class are the rare class's in a binary problem, and NaN where it has no rows; with
    more classes they are the mean over the classes that have rows.
    """
    is_present = confusion.actual > 0
    is_binary = len(is_present) == 2

    def mean(values: NDArray[np.float64]) -> float:
        return float(values[is_present].mean())

    def of_rare(values: NDArray[np.float64]) -> float:
        if is_binary:
            return float(values[RARE]) if is_present[RARE] else float("nan")
        return mean(values)

    precision, f1 = confusion.precision(), confusion.f_score(1)
    specificity = confusion.specificity()
    return {
        "precision": of_rare(precision),
        "recall": of_rare(confusion.recall()),
        "f1": of_rare(f1),
        "mcc": confusion.mcc(),
        "f2": of_rare(confusion.f_score(2)),
        "f0.5": of_rare(confusion.f_score(0.5)),
        "specificity": float(specificity[RARE]) if is_binary else mean(specificity),
        "precision_macro": mean(precision),
        "f1_macro": mean(f1),
        "accuracy": confusion.accuracy(),
        "kappa": confusion.kappa(),
    }


def _ratio(
    part: NDArray[np.float64], whole: NDArray[np.float64], otherwise: float
) -> NDArray[np.float64]:
    """Divide; ``otherwise`` where the whole is 0."""
    quotient = np.full(len(whole), otherwise)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient
