"""Losses: per-class weights w, per-class offsets o, and the focal factor f.

The loss of one row with soft label y and logits z is
``sum_c w_c f_c y_c * -log_softmax(z + o)_c``, where f_c is (1 - softmax(z)_c)^2 for ``focal`` and
1 for the others. Vectors (K,) are computed from class codes y (n,) of a member's training rows.
Where rows have weights, a class has as many rows as its weights' share of all N.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from remix_study.errors import look_up

CROSS_ENTROPY, CLASS_WEIGHTED, FOCAL = "cross-entropy", "class-weighted", "focal"
INERT = "class-weighted-inert"

LOSSES: dict[str, Literal["natural", "balanced", "towards balanced"]] = {
    CROSS_ENTROPY: "natural",
    CLASS_WEIGHTED: "balanced",
    "logit-adjusted": "balanced",
    FOCAL: "towards balanced",
    "class-balanced": "towards balanced",
    INERT: "natural",
}
"""Name of each loss -> the class prior under which its network's probabilities are posteriors.

``natural``: that of the rows trained on. ``balanced``: that prior divided by the class shares of
the training rows, as if each class had been seen 1/share times as often. ``towards balanced``: the
loss only leans that way, and no prior makes the probabilities posteriors.
``class-weighted-inert`` is the cross-entropy: its class weights have no effect, as in the authors'
published code.
"""

FOCAL_GAMMA = 2.0
"""Exponent of the focal loss (Lin et al. 2017)."""

BETA = 0.9999
"""beta of the class-balanced loss (Cui et al. 2019): the effective number of n rows is
(1 - beta^n) / (1 - beta)."""


RowWeights = NDArray[np.float64] | None
"""A weight for each row (n,), not negative; None where all count alike."""


def count_rows(
    y: NDArray[np.integer], n_classes: int, row_weights: RowWeights = None
) -> NDArray[np.integer | np.floating]:
    """Count the rows of each class (K,), by weights of mean 1 where rows have weights."""
    if row_weights is None:
        return np.bincount(y, minlength=n_classes)
    return np.bincount(y, row_weights / row_weights.mean(), minlength=n_classes)


def class_weights(
    y: NDArray[np.integer], n_classes: int, row_weights: RowWeights = None
) -> NDArray[np.float64]:
    """Balanced class weights w_c = N / (K n_c), where K counts the classes present.

    As scikit-learn's ``class_weight="balanced"``; 0 for a class without rows.
    """
    counts = count_rows(y, n_classes, row_weights)
    present = counts > 0
    return np.where(present, len(y) / (present.sum() * np.where(present, counts, 1)), 0.0)


def chosen_class_weights(
    chosen: NDArray[np.float64],
    y: NDArray[np.integer],
    n_classes: int,
    row_weights: RowWeights = None,
) -> NDArray[np.float64]:
    """Scale a user's weights (K,) so that, as of balanced ones, the mean over the rows is 1."""
    return chosen * len(y) / (chosen @ count_rows(y, n_classes, row_weights))


def log_prior(
    y: NDArray[np.integer], n_classes: int, row_weights: RowWeights = None
) -> NDArray[np.float64]:
    """Log of the class shares: the offset of the logit-adjusted loss (Menon et al. 2021, tau 1).

    log(1e-12) for a class without rows.
    """
    share = count_rows(y, n_classes, row_weights) / len(y)
    return np.log(np.maximum(share, 1e-12))


def effective_weights(
    y: NDArray[np.integer], n_classes: int, row_weights: RowWeights = None
) -> NDArray[np.float64]:
    """Class-balanced weights (Cui et al. 2019), w_c ~ (1 - b) / (1 - b^n_c), b = 0.9999.

    They add up to the number of classes present; 0 for a class without rows. Where n_c is far
    below 10,000 they are nearly proportional to 1 / n_c.
    """
    counts = count_rows(y, n_classes, row_weights)
    present = counts > 0
    # 1 - beta^n without cancellation.
    effective = -np.expm1(np.where(present, counts, 1) * np.log(BETA))
    weights = np.where(present, 1 / effective, 0.0)
    return np.asarray(weights * present.sum() / weights.sum())


def loss_vectors(
    loss: str,
    y: NDArray[np.integer],
    n_classes: int,
    row_weights: RowWeights = None,
    chosen: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Per-class weights w and offsets o of a loss, computed from a member's training rows.

    Args:
        loss: A key of ``LOSSES``.
        y: (n,) class codes of the inner training rows.
        n_classes: Length of both results.
        row_weights: Of the same rows.
        chosen: (K,) class weights that ``class-weighted`` takes in place of the balanced ones.

    Returns:
        (n_classes,) float32 weights and (n_classes,) float32 offsets. Offsets act in the loss
        only; scores use the logits without them.

    Raises:
        UsageError: No loss has this name.
    """
    look_up("loss", loss, LOSSES)
    ones, zeros = np.ones(n_classes, np.float32), np.zeros(n_classes, np.float32)
    rows = y, n_classes, row_weights
    if loss == CLASS_WEIGHTED and chosen is not None:
        return chosen_class_weights(chosen, *rows).astype(np.float32), zeros
    if loss in (CLASS_WEIGHTED, FOCAL):
        return class_weights(*rows).astype(np.float32), zeros
    if loss == "class-balanced":
        return effective_weights(*rows).astype(np.float32), zeros
    if loss == "logit-adjusted":
        return ones, log_prior(*rows).astype(np.float32)
    return ones, zeros
