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
        matrix: (..., K, K), rows by true class, columns by predicted class. Axes before these
            two, such as draws of rows, stay as they are in every result.
    """

    matrix: NDArray[np.float64]

    @cached_property
    def actual(self) -> NDArray[np.float64]:
        """(..., K) weight of each true class."""
        totals: NDArray[np.float64] = self.matrix.sum(axis=-1)
        return totals

    @cached_property
    def predicted(self) -> NDArray[np.float64]:
        """(..., K) weight of each predicted class."""
        totals: NDArray[np.float64] = self.matrix.sum(axis=-2)
        return totals

    @cached_property
    def hits(self) -> NDArray[np.float64]:
        """(..., K) weight of the rows of each class that are predicted right."""
        return np.diagonal(self.matrix, axis1=-2, axis2=-1)

    @property
    def total(self) -> NDArray[np.float64]:
        """Weight of all rows, (...)."""
        return np.asarray(self.actual.sum(axis=-1))

    def recall(self) -> NDArray[np.float64]:
        """(..., K) recall of each class, NaN for a class without rows."""
        return _ratio(self.hits, self.actual, np.nan)

    def precision(self) -> NDArray[np.float64]:
        """(..., K) precision of each class, 0 where it is never predicted."""
        return _ratio(self.hits, self.predicted, 0.0)

    def specificity(self) -> NDArray[np.float64]:
        """(..., K) share of the rows of other classes that are not taken for the class."""
        rows_outside = self.total[..., None] - self.actual
        return _ratio(rows_outside - (self.predicted - self.hits), rows_outside, np.nan)

    def f_score(self, beta: float) -> NDArray[np.float64]:
        """(..., K) F-score of each class: recall counts ``beta`` times as much as precision."""
        weight = beta**2
        return _ratio((1 + weight) * self.hits, weight * self.actual + self.predicted, 0.0)

    def accuracy(self) -> NDArray[np.float64]:
        """Share of the rows that are predicted right, (...)."""
        return np.asarray(self.hits.sum(axis=-1) / self.total)

    def mcc(self) -> NDArray[np.float64]:
        """Matthews correlation of true and predicted classes (Gorodkin, 2004, for K classes).

        0 where all rows are predicted as one class; NaN where all are of one class.
        """
        total = self.total
        covariance = self.hits.sum(axis=-1) * total - (self.actual * self.predicted).sum(axis=-1)
        actual = total**2 - (self.actual**2).sum(axis=-1)
        predicted = total**2 - (self.predicted**2).sum(axis=-1)
        # With rounding, one class alone may leave a little above or below zero.
        is_one = np.count_nonzero(self.predicted, axis=-1) < 2
        product = np.where(is_one, 0.0, actual * predicted)
        correlation = _ratio(covariance, np.sqrt(np.maximum(product, 0.0)), 0.0)
        return np.where(self._has_several, correlation, np.nan)

    def kappa(self) -> NDArray[np.float64]:
        """Cohen's kappa: agreement beyond chance; NaN where all rows are of one class."""
        chance = (self.actual * self.predicted).sum(axis=-1) / self.total**2
        agreement = _ratio(self.accuracy() - chance, 1 - chance, np.nan)
        return np.where(self._has_several, agreement, np.nan)

    @property
    def _has_several(self) -> NDArray[np.bool_]:
        """Whether rows are of two true classes or more, (...)."""
        return np.asarray(np.count_nonzero(self.actual, axis=-1) > 1)


def confusion_of(
    codes: NDArray[np.intp],
    predicted: NDArray[np.intp],
    n_classes: int,
    weights: NDArray[np.float64],
) -> Confusion:
    """Count true and predicted classes, (n,) codes each, with the rows' weights."""
    cells = np.bincount(codes * n_classes + predicted, weights, n_classes**2)
    return Confusion(cells.astype(np.float64).reshape(n_classes, n_classes))


def class_scores(confusion: Confusion) -> dict[str, NDArray[np.float64]]:
    """All metrics of predicted classes but those made of recalls alone, each (...).

    Those of one class are the rare class's in a binary problem, and NaN where it has no rows; with
    more classes they are the mean over the classes that have rows.
    """
    is_present = confusion.actual > 0
    is_binary = is_present.shape[-1] == 2

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.mean(values, axis=-1, where=is_present))

    def of_rare(values: NDArray[np.float64]) -> NDArray[np.float64]:
        if is_binary:
            return np.where(is_present[..., RARE], values[..., RARE], np.nan)
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
        "specificity": specificity[..., RARE] if is_binary else mean(specificity),
        "precision_macro": mean(precision),
        "f1_macro": mean(f1),
        "accuracy": confusion.accuracy(),
        "kappa": confusion.kappa(),
    }


def _ratio(
    part: NDArray[np.float64], whole: NDArray[np.float64], otherwise: float
) -> NDArray[np.float64]:
    """Divide; ``otherwise`` where the whole is 0."""
    quotient = np.full(np.shape(whole), otherwise)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient
