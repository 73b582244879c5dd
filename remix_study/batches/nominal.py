"""Nominal columns of a table: each row's category, and distances of rows that heed them.

For SMOTE-NC (Chawla et al. 2002, section 6.1), which does not blend categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUMERIC, UNKNOWN = -2, -1
"""No categories: of a numeric feature, of a truth value that is missing."""


@dataclass(frozen=True, eq=False)
class NominalFeatures:
    """The nominal columns of a table, as codes of their categories.

    A column of c features has the categories 0..c-1, one a feature, and c where all are 0: a
    missing text, or False. What is missing is a category like others.

    Attributes:
        codes: int32 (n, G) category of each row in each of the G nominal columns.
        column: int32 (d,) the nominal column of each feature; 0 for numeric features.
        category: int32 (d,) the category in which a feature is 1, ``NUMERIC`` for numeric ones.
    """

    codes: NDArray[np.int32]
    column: NDArray[np.int32]
    category: NDArray[np.int32]

    def points(
        self, features: NDArray[np.float64], rows: NDArray[np.intp], is_row: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Points whose Euclidean distances are those of SMOTE-NC.

        The squared distance of two rows is that of their numeric features, as prepared for
        training, and Med**2 for every nominal column in which they differ. Med is the median of
        the standard deviations of the numeric features within the group, which are rows of one
        class, as in imbalanced-learn and the paper; 1 where no feature is numeric.

        Args:
            features: (g, m, d) prepared features of groups of rows.
            rows: (g, m) the rows.
            is_row: bool (g, m), false for padding.

        Returns:
            (g, m, D): the numeric features, then one a category, of which a row's are
            Med / sqrt(2) and the others 0.
        """
        numeric = features[..., self.category == NUMERIC]
        median = np.ones(len(features))
        if numeric.shape[2]:
            median = np.median(np.std(numeric, axis=1, where=is_row[..., None]), axis=1)
        sizes = np.bincount(self.column[self.category != NUMERIC])
        column = np.repeat(np.arange(len(sizes)), sizes + 2)
        category = np.concatenate([np.arange(UNKNOWN, size + 1) for size in sizes])
        penalty = (median / np.sqrt(2))[:, None, None]
        return np.concatenate(
            [numeric, penalty * (self.codes[rows][..., column] == category)], axis=2
        )


def nominal_features(
    X: NDArray[np.floating], columns: Sequence[Sequence[int]]
) -> NominalFeatures | None:
    """Find the categories of rows (n, d); None where no feature is nominal.

    ``columns`` are the positions of each nominal column's features, which are 1 and 0, or NaN
    where a truth value is missing.
    """
    if not columns:
        return None
    codes = np.empty((len(X), len(columns)), np.int32)
    column, category = np.zeros(X.shape[1], np.int32), np.full(X.shape[1], NUMERIC, np.int32)
    for number, positions in enumerate(map(list, columns)):
        values, size = X[:, positions], len(positions)
        codes[:, number] = np.where((values == 1).any(axis=1), (values == 1).argmax(axis=1), size)
        codes[np.isnan(values).any(axis=1), number] = UNKNOWN
        column[positions], category[positions] = number, np.arange(size)
    return NominalFeatures(codes, column, category)
