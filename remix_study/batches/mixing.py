"""Mixings: how drawn rows are blended with other rows.

The partner of a row is a permutation within its batch, the weight is lambda ~ Beta(alpha, alpha):
Algorithm 1 of the paper, lines 4-7, and MixUp (Zhang et al. 2018) where the batch is natural. The
rivals ``remix-chou`` and ``balanced-mixup`` choose the label's weight or the partner otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.cells import Drawn, IntArray, TrainingRows, draw, group

KAPPA, TAU = 3.0, 0.5
"""Of ``remix-chou``: how much larger a class must be, and up to which weight it gives way."""

# Outside these Beta(alpha, alpha) is a fair coin or one half to every digit of a float32, and
# its generator may answer NaN.
_ALPHA_RANGE = (1e-50, 1e15)


class Mixed(NamedTuple):
    """One epoch after mixing: as ``Drawn``, and the weight of the label of ``first``."""

    first: IntArray
    second: IntArray
    weight: NDArray[np.float32]
    label_weight: NDArray[np.float32]


Mixing = Callable[[np.random.Generator, Drawn, float, TrainingRows], Mixed]


def none(
    rng: np.random.Generator,  # noqa: ARG001
    drawn: Drawn,
    alpha: float,  # noqa: ARG001
    training: TrainingRows,  # noqa: ARG001
) -> Mixed:
    """Leave the rows as they were drawn; those blended are of one class, so labels are hard."""
    return Mixed(*drawn, np.ones_like(drawn.weight))


def beta(
    rng: np.random.Generator,
    drawn: Drawn,
    alpha: float,
    training: TrainingRows,  # noqa: ARG001
) -> Mixed:
    """Mix with one lambda a batch, as in Algorithm 1; alpha 0 mixes nothing."""
    return _mix(rng, drawn, alpha, per_sample=False)


def beta_sample(
    rng: np.random.Generator,
    drawn: Drawn,
    alpha: float,
    training: TrainingRows,  # noqa: ARG001
) -> Mixed:
    """Mix with a lambda of its own for every row; alpha 0 mixes nothing."""
    return _mix(rng, drawn, alpha, per_sample=True)


def remix_chou(
    rng: np.random.Generator, drawn: Drawn, alpha: float, training: TrainingRows
) -> Mixed:
    """Rebalanced Mixup (Chou et al. 2020): ``beta``, with labels that lean to the rarer class.

    Of a pair whose classes have n_i and n_j training rows, the label of i weighs 0 where
    n_i / n_j >= 3 and lambda < 0.5, 1 where n_i / n_j <= 1/3 and 1 - lambda < 0.5, and lambda
    elsewhere.
    """
    mixed = _mix(rng, drawn, alpha, per_sample=False)
    counts = np.bincount(training.y, minlength=training.n_classes)
    i, j = counts[training.y[mixed.first]], counts[training.y[mixed.second]]
    given_up = (i >= KAPPA * j) & (mixed.weight < TAU)
    kept = (j >= KAPPA * i) & (1 - mixed.weight < TAU)
    label = np.where(given_up, 0, np.where(kept, 1, mixed.weight))
    return mixed._replace(label_weight=label.astype(np.float32))


def balanced_mixup(
    rng: np.random.Generator, drawn: Drawn, alpha: float, training: TrainingRows
) -> Mixed:
    """Balanced-MixUp (Galdran et al. 2021): mix with a batch whose classes are equally frequent.

    Each partner is a row of a class drawn uniformly, whatever the classes' sizes, and weighs
    lambda ~ Beta(alpha, 1), one a batch; alpha 0 mixes nothing.
    """
    if alpha == 0:
        return Mixed(*drawn, np.ones_like(drawn.weight))
    cells = group(np.arange(len(training.y))[None], training.y, training.n_classes)
    present = np.flatnonzero(cells.count[0])
    partners = draw(rng, cells, present[rng.integers(len(present), size=drawn.first.shape)])
    lam = rng.beta(float(np.clip(alpha, *_ALPHA_RANGE)), 1.0, size=(len(partners), 1))
    return _blend(drawn.first, partners, 1 - lam)


MIXINGS: dict[str, Mixing] = {
    "none": none,
    "beta": beta,
    "beta-sample": beta_sample,
    "remix-chou": remix_chou,
    "balanced-mixup": balanced_mixup,
}


def _mix(rng: np.random.Generator, drawn: Drawn, alpha: float, *, per_sample: bool) -> Mixed:
    if alpha == 0:
        return Mixed(*drawn, np.ones_like(drawn.weight))
    first = drawn.first
    # The permutation is drawn before lambda, so all alphas of a curve share their partners.
    second = rng.permuted(first, axis=1)
    alpha = float(np.clip(alpha, *_ALPHA_RANGE))
    return _blend(
        first, second, rng.beta(alpha, alpha, size=first.shape if per_sample else (len(first), 1))
    )


def _blend(first: IntArray, second: IntArray, share: NDArray[np.float64]) -> Mixed:
    weight = np.broadcast_to(share, first.shape).astype(np.float32)
    return Mixed(first, second, weight, weight)
