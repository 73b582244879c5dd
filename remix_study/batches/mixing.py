"""Mixings: how drawn rows are blended with other rows.

In ``beta`` the partners of a batch's rows are a permutation of them, and the weight is
lambda ~ Beta(alpha, alpha): Algorithm 1 of the paper, lines 4-7, and MixUp (Zhang et al. 2018)
where the batch is natural. ``remix-chou`` chooses the label's weight otherwise, ``balanced-mixup``
the partner. Every mixing has the same arguments, and alpha 0 mixes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.class_groups import draw_with_replacement, group_by_class
from remix_study.batches.training_rows import DrawnRows, IntArray, TrainingRows

KAPPA, TAU = 3.0, 0.5
"""Thresholds of ``remix-chou`` (Chou et al. 2020): the ratio of class sizes from which labels lean
to the rarer class, and the mixing weight below which they do."""

# Outside this range Beta(alpha, alpha) is a fair coin or one half to every digit of a float32, and
# NumPy's generator may return NaN.
_ALPHA_RANGE = (1e-50, 1e15)


class MixedRows(NamedTuple):
    """Rows of one epoch after mixing: ``DrawnRows``, and the weight of the label of ``first``."""

    first: IntArray
    second: IntArray
    weight: NDArray[np.float32]
    label_weight: NDArray[np.float32]


Mixing = Callable[[np.random.Generator, DrawnRows, float, TrainingRows], MixedRows]


def none(
    rng: np.random.Generator,  # noqa: ARG001
    drawn: DrawnRows,
    alpha: float,  # noqa: ARG001
    training: TrainingRows,  # noqa: ARG001
) -> MixedRows:
    """Leave the rows as they were drawn; rows blended by SMOTE have one class, so hard labels."""
    return MixedRows(*drawn, np.ones_like(drawn.weight))


def beta(
    rng: np.random.Generator,
    drawn: DrawnRows,
    alpha: float,
    training: TrainingRows,  # noqa: ARG001
) -> MixedRows:
    """Mix with one lambda for each batch, as in Algorithm 1."""
    return _mix(rng, drawn, alpha, per_sample=False)


def beta_sample(
    rng: np.random.Generator,
    drawn: DrawnRows,
    alpha: float,
    training: TrainingRows,  # noqa: ARG001
) -> MixedRows:
    """Mix with one lambda for each row."""
    return _mix(rng, drawn, alpha, per_sample=True)


def remix_chou(
    rng: np.random.Generator, drawn: DrawnRows, alpha: float, training: TrainingRows
) -> MixedRows:
    """Mix as ``beta`` with labels that lean to the rarer class (Chou et al. 2020).

    For a pair whose classes have n_i and n_j training rows, the weight of label i is 0 where
    n_i / n_j >= 3 and lambda < 0.5, 1 where n_i / n_j <= 1/3 and 1 - lambda < 0.5, and lambda
    elsewhere.
    """
    mixed = _mix(rng, drawn, alpha, per_sample=False)
    counts = np.bincount(training.y, minlength=training.n_classes)
    i, j = counts[training.y[mixed.first]], counts[training.y[mixed.second]]
    is_zero = (i >= KAPPA * j) & (mixed.weight < TAU)
    is_one = (j >= KAPPA * i) & (1 - mixed.weight < TAU)
    label_weight = np.where(is_zero, 0, np.where(is_one, 1, mixed.weight))
    return mixed._replace(label_weight=label_weight.astype(np.float32))


def balanced_mixup(
    rng: np.random.Generator, drawn: DrawnRows, alpha: float, training: TrainingRows
) -> MixedRows:
    """Mix with rows of classes drawn uniformly (Balanced-MixUp, Galdran et al. 2021).

    The partner's weight is lambda ~ Beta(alpha, 1), one for each batch.
    """
    if alpha == 0:
        return MixedRows(*drawn, np.ones_like(drawn.weight))
    groups = group_by_class(np.arange(len(training.y))[None], training.y, training.n_classes)
    present = np.flatnonzero(groups.count[0])
    classes = present[rng.integers(len(present), size=drawn.first.shape)]
    partners = draw_with_replacement(rng, groups, classes)
    lam = rng.beta(float(np.clip(alpha, *_ALPHA_RANGE)), 1.0, size=(len(partners), 1))
    return _blend(drawn.first, partners, 1 - lam)


MIXINGS: dict[str, Mixing] = {
    "none": none,
    "beta": beta,
    "beta-sample": beta_sample,
    "remix-chou": remix_chou,
    "balanced-mixup": balanced_mixup,
}


def _mix(
    rng: np.random.Generator, drawn: DrawnRows, alpha: float, *, per_sample: bool
) -> MixedRows:
    if alpha == 0:
        return MixedRows(*drawn, np.ones_like(drawn.weight))
    first = drawn.first
    # The permutation is drawn before lambda, so all alphas of a curve share their partners.
    second = rng.permuted(first, axis=1)
    alpha = float(np.clip(alpha, *_ALPHA_RANGE))
    return _blend(
        first, second, rng.beta(alpha, alpha, size=first.shape if per_sample else (len(first), 1))
    )


def _blend(first: IntArray, second: IntArray, share: NDArray[np.float64]) -> MixedRows:
    weight = np.broadcast_to(share, first.shape).astype(np.float32)
    return MixedRows(first, second, weight, weight)
