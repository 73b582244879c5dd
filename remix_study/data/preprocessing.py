"""Impute, standardise and clip features, fitted on each member's own training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Standardised features are clipped to +-5, as in the paper's experiments.
CLIP = 5.0
# Cells that statistics are computed of at a time.
_MOST_CELLS = 1 << 19


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """Fitted imputation and standardisation of M members; arrays are float64 (M, d).

    Attributes:
        fill: Values for missing cells: the mean of the training rows, 0 where a feature is
            missing in all of them.
        centre: Means of the imputed training rows.
        scale: Their standard deviations (ddof 0), 1 where a feature is constant.
    """

    fill: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, member: int, X: NDArray[np.float64]) -> NDArray[np.float32]:
        """Impute, standardise and clip rows as fitted for a member.

        Computed in float64, so that features as large as 1e12 keep their differences; only the
        result is float32.

        Args:
            member: The member, 0..M-1.
            X: (..., d), NaN where missing.

        Returns:
            float32 of the same shape, within +-5.
        """
        standardised = self.standardise(member, X)
        np.clip(standardised, -CLIP, CLIP, out=standardised)
        return standardised.astype(np.float32)

    def standardise(self, member: int, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same without clipping, float64."""
        standardised = np.where(np.isnan(X), self.fill[member], X)
        standardised -= self.centre[member]
        standardised /= self.scale[member]
        return standardised


@dataclass(frozen=True, eq=False)
class PreparedRows:
    """Rows of a member as :meth:`Preprocessing.apply` gives them, made when they are indexed.

    Attributes:
        preprocessing: How they are prepared.
        member: The member.
        X: (n, d) features of the problem.
        rows: (m,) positions of the member's rows in it.
    """

    preprocessing: Preprocessing
    member: int
    X: NDArray[Any]
    rows: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        """(m, d)."""
        return len(self.rows), self.X.shape[1]

    def __getitem__(self, positions: NDArray[np.intp], /) -> NDArray[np.float32]:
        """Features at some positions 0..m-1, float32 (*positions.shape, d)."""
        return self.preprocessing.apply(self.member, self.X[self.rows[positions]])


def fit_preprocessing(
    X: NDArray[np.floating], training_rows: Sequence[NDArray[np.intp]]
) -> Preprocessing:
    """Fit scikit-learn's SimpleImputer and StandardScaler on each member's training rows.

    Args:
        X: (n, d) features of a problem, NaN where missing.
        training_rows: The training rows of each of M members; other rows are not used.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    fill, centre, scale = (np.empty((len(training_rows), X.shape[1])) for _ in range(3))
    for member, rows in enumerate(training_rows):
        # Some columns at a time: all of a large table would take several copies of it. One alone
        # would be summed in another order.
        n_blocks = max(1, min(X.shape[1] // 2, len(rows) * X.shape[1] // _MOST_CELLS))
        for columns in np.array_split(np.arange(X.shape[1]), n_blocks):
            block = X[np.ix_(rows, columns)].astype(np.float64)
            at = np.s_[member, columns[0] : columns[-1] + 1]
            imputer = SimpleImputer(keep_empty_features=True).fit(block)
            scaler = StandardScaler().fit(imputer.transform(block))
            fill[at], centre[at], scale[at] = imputer.statistics_, scaler.mean_, scaler.scale_
    return Preprocessing(fill, centre, scale)
