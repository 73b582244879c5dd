"""Corrections of probabilities that need no training, as functions of arrays.

The probabilities of a classifier that was trained under other class shares than those of the data
are corrected by Bayes' rule, p'_c ~ p_c target_c / source_c (Saerens et al. 2002). That is exact
if the training rows of a class are those of the data, only more or fewer of them. Mixed or
interpolated rows follow another distribution, for which it is an approximation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from remix_study.batches.losses import LOSSES
from remix_study.errors import join_names

SMALLEST = 1e-12
"""Probabilities below this are raised to it before logarithms and divisions."""

TILTS = np.linspace(0, 3, 121)
"""Tilts to choose from."""

LOG_TEMPERATURES = (np.log(0.2), np.log(5.0))
"""Bounds of log temperatures: a few validation rows without any error would ask for zero."""


def scored_prior(shares: ArrayLike, training_prior: ArrayLike, loss: str) -> NDArray[np.float64]:
    """The class prior under which a network's probabilities are posteriors.

    Args:
        shares: (K,) class shares of what it was trained on, by label mass.
        training_prior: (K,) class shares of its training rows.
        loss: a key of `LOSSES`. Class weights N/(K n_c) and the logit-adjusted loss, whose raw
            outputs are scored, divide by the training prior; losses that only lean towards equal
            shares are taken for one of them.

    Returns:
        (K,) shares that sum to 1.
    """
    prior = np.asarray(shares, dtype=np.float64)
    if LOSSES[loss] != "natural":
        prior = prior / np.asarray(training_prior, dtype=np.float64)
    return np.asarray(prior / prior.sum(), dtype=np.float64)


def to_prior(
    probabilities: ArrayLike, source: ArrayLike, target: ArrayLike
) -> NDArray[np.float64]:
    """Correct posteriors from one class prior to another: p_c target_c / source_c, normalised.

    Args:
        probabilities: (n, K) posteriors under `source`.
        source: (K,) prior that they were learnt under, each above zero.
        target: (K,) wanted prior.

    Returns:
        (n, K) posteriors under `target`.

    Raises:
        ValueError: a class has no share in `source`.
    """
    learnt = np.asarray(source, dtype=np.float64)
    if (learnt <= 0).any():
        classes = join_names(map(str, np.flatnonzero(learnt <= 0)))
        raise ValueError(
            f"source has no share of class {classes}: probabilities of a class that was never "
            "trained on cannot be corrected"
        )
    p = np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST, None)
    return _normalised(p * (np.asarray(target, dtype=np.float64) / learnt))


def balanced(probabilities: ArrayLike, prior: ArrayLike) -> NDArray[np.float64]:
    """Correct posteriors to equal class shares: p_c / prior_c, normalised.

    Args:
        probabilities: (n, K) posteriors under `prior`.
        prior: (K,) class shares of the training rows, each above zero.
    """
    source = np.asarray(prior, dtype=np.float64)
    return to_prior(probabilities, source, np.full(len(source), 1 / len(source)))


def tilt(probabilities: ArrayLike, prior: ArrayLike, amount: float) -> NDArray[np.float64]:
    """Divide probabilities by prior^amount and normalise; the decision is the largest one.

    With two classes this is a threshold: class 1 is chosen where p_1 / p_0 exceeds
    (prior_1 / prior_0)^amount. 0 is the usual threshold of one half, 1 divides by the prior.
    """
    powers = np.asarray(prior, dtype=np.float64) ** amount
    return to_prior(probabilities, powers, np.ones_like(powers))


def choose_tilt(y: ArrayLike, probabilities: ArrayLike, prior: ArrayLike) -> float:
    """Choose the tilt with the best g-mean on these rows; among equals the one nearest to 1.

    Args:
        y: (n,) class codes of the validation rows.
        probabilities: (n, K) their probabilities.
        prior: (K,) class shares of the training rows.

    Returns:
        One of `TILTS`.
    """
    codes = np.asarray(y)
    present = np.unique(codes)
    p = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST, None))
    shift = np.log(np.asarray(prior, dtype=np.float64))
    scores = np.empty(len(TILTS))
    for at, amount in enumerate(TILTS):
        hit = (p - amount * shift).argmax(axis=1) == codes
        scores[at] = np.prod([hit[codes == code].mean() for code in present])
    best = TILTS[scores == scores.max()]
    return float(best[np.abs(best - 1).argmin()])


def with_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """softmax(log p / temperature): above 1 softens, below 1 sharpens."""
    p = np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST, None)
    logits = np.log(p) / temperature
    return _normalised(np.exp(logits - logits.max(axis=1, keepdims=True)))


def fit_temperature(
    y: ArrayLike, probabilities: ArrayLike, shift: ArrayLike | None = None
) -> float:
    """Fit the temperature with the smallest log-loss on these rows (Guo et al. 2017).

    Args:
        y: (n,) class codes of the validation rows.
        probabilities: (n, K) their probabilities.
        shift: (K,) factors of the probabilities after the temperature: target over source where
            they are then corrected to another prior; None for no factors.

    Returns:
        A temperature in [0.2, 5].
    """
    codes = np.asarray(y)
    rows = np.arange(len(codes))
    factor = 1.0 if shift is None else np.asarray(shift, dtype=np.float64)

    def loss(log_temperature: float) -> float:
        p = _normalised(with_temperature(probabilities, float(np.exp(log_temperature))) * factor)
        return float(-np.log(np.clip(p[rows, codes], SMALLEST, None)).mean())

    minimum = minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded")
    return float(np.exp(minimum.x))


def _normalised(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(p / p.sum(axis=1, keepdims=True), dtype=np.float64)
