"""Impute, standardise and clip features, fitted on each member's own training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Standardised features are clipped to +-5, as in the paper's experiments.
CLIP = 5.0


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
            X: (n, d), NaN where missing.

        Returns:
            float32 of shape (n, d), within +-5.
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


def fit_preprocessing(
    X: NDArray[np.float64], training_rows: Sequence[NDArray[np.intp]]
) -> Preprocessing:
    """Fit scikit-learn's SimpleImputer and StandardScaler on each member's training rows.

    Args:
        X: (n, d) features of a problem, NaN where missing.
        training_rows: The training rows of each of M members; other rows are not used.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    statistics = []
    for rows in training_rows:
        imputer = SimpleImputer(keep_empty_features=True).fit(X[rows])
        scaler = StandardScaler().fit(imputer.transform(X[rows]))
        statistics.append((imputer.statistics_, scaler.mean_, scaler.scale_))
    fill, centre, scale = (np.stack(arrays) for arrays in zip(*statistics, strict=True))
    return Preprocessing(fill, centre, scale)
