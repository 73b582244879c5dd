"""Impute, standardise and clip, fitted for each member on its own inner training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Standardised features are clipped to +-5, as the paper's experiments did.
CLIP = 5.0


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """What was fitted, stacked over M members; float64 of shape (M, d) each.

    Attributes:
        fill: What stands in for a missing value: the mean of the training rows, 0 where a
            feature is missing in all of them.
        centre: Mean of the imputed training rows.
        scale: Their standard deviation (ddof 0), 1 where a feature is constant.
    """

    fill: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, member: int, X: NDArray[np.float64]) -> NDArray[np.float32]:
        """Impute, standardise and clip rows with what was fitted for a member.

        Statistics and differences are float64, so features as large as 1e12 keep their
        differences; only the result is float32.

        Args:
            member: Whose fit, 0..M-1.
            X: (n, d), NaN where missing.

        Returns:
            float32 of shape (n, d), within +-5.
        """
        Z = np.where(np.isnan(X), self.fill[member], X)
        Z -= self.centre[member]
        Z /= self.scale[member]
        np.clip(Z, -CLIP, CLIP, out=Z)
        return Z.astype(np.float32)


def fit_preprocessing(X: NDArray[np.float64], trains: Sequence[NDArray[np.intp]]) -> Preprocessing:
    """Fit scikit-learn's SimpleImputer and StandardScaler on each member's training rows.

    Args:
        X: (n, d) features of a problem, NaN where missing.
        trains: The inner training rows of each of M members; nothing else of X is looked at.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    fitted = []
    for train in trains:
        imputer = SimpleImputer(keep_empty_features=True).fit(X[train])
        scaler = StandardScaler().fit(imputer.transform(X[train]))
        fitted.append((imputer.statistics_, scaler.mean_, scaler.scale_))
    fill, centre, scale = (np.stack(part) for part in zip(*fitted, strict=True))
    return Preprocessing(fill, centre, scale)
