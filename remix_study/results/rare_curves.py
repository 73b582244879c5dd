"""Curves of a score over the number of rare training rows, and draws of them over the folds.

A score that is better when higher follows ``level + slope * growth(r)``, for r times the rare rows
that there are. The growth is ``log r`` at power 0 and ``(1 - r^-c) / c`` at power c, which levels
off: the same curve as a - b n^-c, written so that ``level`` is the score with all rows. The slope
is never negative, and c is that of `POWERS` whose least squares are least.

Draws are of the mean scores over folds, all shares and methods together, so that what is common to
a fold stays paired: Student's t around the means with the corrected covariance (1/J + ratio) S of
`remix_study.results.intervals`. Each draw is fitted anew, its power too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POWERS = (0.0, 0.5, 1.0, 2.0)
"""Powers c that a curve may have: from one that never levels off to one that soon does."""

DRAWS = 2000
"""Draws of the mean scores."""

Floats = NDArray[np.float64]


def growth(ratio: Floats | float, power: Floats | float) -> Floats:
    """How far a curve has grown at a ratio of the rare rows; 0 with all of them."""
    logs, power = np.log(np.asarray(ratio, np.float64)), np.asarray(power, np.float64)
    safe = np.where(power == 0, 1, power)
    grown: Floats = np.where(power == 0, logs, -np.expm1(-safe * logs) / safe)
    return grown


@dataclass(frozen=True, eq=False)
class Curves:
    """Fitted curves, arrays of one shape: scores that are better when higher.

    Attributes:
        level: Score with all rare rows.
        slope: 0 or more.
        power: Of `POWERS`.
    """

    level: Floats
    slope: Floats
    power: Floats

    def of_method(self, place: int) -> Curves:
        """Those of the method at a place of the last dimension."""
        return Curves(self.level[..., place], self.slope[..., place], self.power[..., place])

    def at(self, ratio: float) -> Floats:
        """Scores with this many times the rare rows."""
        return self.level + self.slope * growth(ratio, self.power)

    def reach(self, score: Floats) -> Floats:
        """How many times the rare rows a curve needs for a score.

        Infinite where it never gets there, 0 where a flat curve is there with any number.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            grown = (score - self.level) / self.slope
            safe = np.where(self.power == 0, 1, self.power)
            base = np.maximum(1 - safe * grown, 0)
            ratio = np.where(self.power == 0, np.exp(grown), base ** (-1 / safe))
        flat = np.where(score > self.level, np.inf, 0.0)
        ratios: Floats = np.where(self.slope > 0, ratio, flat)
        return ratios


def fit_curves(scores: Floats, ratios: Floats) -> Curves:
    """Fit a curve to mean scores (..., S), better when higher, at S ratios of the rare rows."""
    best, least = None, np.full(scores.shape[:-1], np.inf)
    for power in POWERS:
        x = growth(ratios, power)
        centred = x - x.mean()
        # One share alone has no slope.
        slope = np.maximum((scores * centred).sum(axis=-1) / ((centred**2).sum() or 1), 0)
        level = scores.mean(axis=-1) - slope * x.mean()
        squares = ((scores - level[..., None] - slope[..., None] * x) ** 2).sum(axis=-1)
        fit = np.stack([level, slope, np.full_like(level, power)])
        best = fit if best is None else np.where(squares < least - 1e-15, fit, best)
        least = np.minimum(least, squares)
    assert best is not None
    return Curves(*best)


def has_slope(draws: Floats, ratios: Floats) -> Floats:
    """Share of the draws (D, ..., S) in which the score rises with the log of the rare rows."""
    x = np.log(ratios)
    rises: Floats = ((draws * (x - x.mean())).sum(axis=-1) > 0).mean(axis=0)
    return rises


def draw_means(scores: Floats, ratio: float, seed: int) -> Floats:
    """Draw mean scores (D, ...) from the scores of J folds (J, ...).

    Args:
        scores: Of all shares and methods, fold by fold.
        ratio: n_test / n_train of the corrected covariance; 0 for other folds of the same rows.
        seed: Of the draws.
    """
    folds, rng = len(scores), np.random.default_rng(seed)
    means = scores.mean(axis=0)
    factors = rng.standard_normal((DRAWS, folds))
    factors *= np.sqrt((1 / folds + ratio) / (folds - 1))
    # Student's t: one scale a draw, the same for all that it holds.
    factors /= np.sqrt(rng.chisquare(folds - 1, (DRAWS, 1)) / (folds - 1))
    drawn: Floats = means + np.tensordot(factors, scores - means, axes=1)
    return drawn
