"""Encoding of numeric features: fitted on each member's training rows, applied in the program.

A feature x has bins between quantiles of the member's training rows: lower edges b and inverse
widths s, 0 for bins without width. Within a bin x rises from 0 to 1, below it is 0, above it 1:
e = clip((x - b) s, 0, 1), one number a bin (Gorishniy et al., 2022, "On Embeddings for Numerical
Features in Tabular Deep Learning"). Their mean over bins is the share of training rows below x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.preprocessing import CLIP, Preprocessing
from remix_study.data.problems import Problem
from remix_study.studyfile.features import Features

# The standard deviation of shares, which are uniform, is the inverse of this.
_SQRT_12 = 12**0.5
# A bin of less width, in standard deviations of its feature, counts as one without.
_LEAST_WIDTH = 1e-30


@dataclass(frozen=True, eq=False)
class Encoder:
    """How the standardised features of rows enter a network.

    Attributes:
        features: ``quantile`` or ``piecewise-linear``, and whether rows are mixed before.
        numeric: Columns that are encoded, n of them.
        untouched: Columns of at most two values; they stay standardised, within 5, and come first.
        lower: float32 (members, n, bins), lower edges.
        inverse: float32 (members, n, bins), inverse widths.
    """

    features: Features
    numeric: NDArray[np.intp]
    untouched: NDArray[np.intp]
    lower: NDArray[np.float32]
    inverse: NDArray[np.float32]

    def encode(self, xp: Any, x: Any, inputs: Any) -> Any:
        """Encode standardised rows (M, batch, d), not clipped, each member's by its own bins.

        ``xp`` is NumPy or ``keras.ops``; ``inputs`` has the bins, ``lower`` and ``inverse``.
        """
        plain = xp.minimum(xp.maximum(xp.take(x, self.untouched, axis=2), -CLIP), CLIP)
        values = xp.take(x, self.numeric, axis=2)[..., None]
        lower, inverse = inputs.lower[:, None], inputs.inverse[:, None]
        shares = xp.minimum(xp.maximum((values - lower) * inverse, 0.0), 1.0)
        if self.features.numeric == "piecewise-linear":
            flat = xp.reshape(shares, (*shares.shape[:2], -1))
            return xp.concatenate([plain, flat], axis=2)
        n_bins = xp.maximum(xp.sum(xp.where(inverse > 0, 1.0, 0.0), axis=3), 1.0)
        quantile = (xp.sum(shares, axis=3) / n_bins - 0.5) * _SQRT_12
        return xp.concatenate([plain, quantile], axis=2)

    def blend(self, inputs: Any, blended: Any, first: Any, second: Any, share: Any) -> Any:
        """Encode blends of standardised rows.

        Args:
            inputs: Of the members; those whose ``blends_raw`` is 1 have their rows blended before.
            blended: (M, batch, d) share of ``first`` and the rest of ``second``.
            first: (M, batch, d).
            second: (M, batch, d).
            share: (M, batch, 1).
        """
        from keras import ops

        if self.features.mix == "raw":
            return self.encode(ops, blended, inputs)
        is_raw = inputs.blends_raw[:, None, None] > 0
        first = self.encode(ops, ops.where(is_raw, blended, first), inputs)
        second = self.encode(ops, ops.where(is_raw, blended, second), inputs)
        return share * first + (1 - share) * second


def fit_encoder(
    features: Features,
    X: NDArray[np.float64],
    preprocessing: Preprocessing,
    training_rows: Sequence[NDArray[np.integer[Any]]],
) -> Encoder | None:
    """Fit the bins of each member on its own training rows; None where nothing is encoded.

    Args:
        features: What to encode, and by how many bins.
        X: (n, d) features of a problem, NaN where missing.
        preprocessing: Fitted on the same training rows.
        training_rows: Of each member; other rows are not used but to tell numeric columns.
    """
    is_numeric = numeric_columns(features, X)
    if not is_numeric.any():
        return None
    numeric = np.flatnonzero(is_numeric)
    at = np.linspace(0, 1, features.bins + 1)
    edges = np.stack(
        [
            np.quantile(preprocessing.standardise(member, X[rows])[:, numeric], at, axis=0).T
            for member, rows in enumerate(training_rows)
        ]
    ).astype(np.float32)
    width = np.diff(edges, axis=2)
    inverse = np.zeros_like(width)
    np.divide(1, width, out=inverse, where=width > _LEAST_WIDTH)
    return Encoder(features, numeric, np.flatnonzero(~is_numeric), edges[:, :, :-1], inverse)


def numeric_columns(features: Features, X: NDArray[Any]) -> NDArray[np.bool_]:
    """Which columns (d,) are encoded: those of more than two values in all rows of a problem."""
    if features.numeric == "standard":
        return np.zeros(X.shape[1], bool)
    low, high = np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)
    is_numeric: NDArray[np.bool_] = ((low < X) & (high > X)).any(axis=0)
    return is_numeric


def input_shape(features: Features, problem: Problem) -> tuple[int, ...]:
    """Shape of a row of a problem as it enters a network."""
    if problem.dataset.has_images:
        return problem.dataset.row_shape
    return (encoded_width(features, problem.X),)


def encoded_width(features: Features, X: NDArray[Any]) -> int:
    """How many numbers of a row of X (n, d) enter a network."""
    n_numeric = int(numeric_columns(features, X).sum())
    width = features.bins if features.numeric == "piecewise-linear" else 1
    return int(X.shape[1]) + n_numeric * (width - 1)
