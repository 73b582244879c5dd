"""Mixings: how drawn rows are blended with other rows of their batch.

The partner of a row is a permutation within its batch, the weight is lambda ~ Beta(alpha, alpha):
Algorithm 1 of the paper, lines 4-7, and MixUp (Zhang et al. 2018) where the batch is natural.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from remix_study.batches.samplers import Drawn

Mixing = Callable[[np.random.Generator, Drawn, float], Drawn]

# Outside these Beta(alpha, alpha) is a fair coin or one half to every digit of a float32, and
# its generator may answer NaN.
_ALPHA_RANGE = (1e-50, 1e15)


def none(rng: np.random.Generator, drawn: Drawn, alpha: float) -> Drawn:  # noqa: ARG001
    """Leave the rows as they were drawn."""
    return drawn


def beta(rng: np.random.Generator, drawn: Drawn, alpha: float) -> Drawn:
    """Mix with one lambda a batch, as in Algorithm 1; alpha 0 mixes nothing."""
    return _mix(rng, drawn, alpha, per_sample=False)


def beta_sample(rng: np.random.Generator, drawn: Drawn, alpha: float) -> Drawn:
    """Mix with a lambda of its own for every row; alpha 0 mixes nothing."""
    return _mix(rng, drawn, alpha, per_sample=True)


MIXINGS: dict[str, Mixing] = {"none": none, "beta": beta, "beta-sample": beta_sample}


def _mix(rng: np.random.Generator, drawn: Drawn, alpha: float, *, per_sample: bool) -> Drawn:
    if alpha == 0:
        return drawn
    first = drawn.first
    # The permutation is drawn before lambda, so all alphas of a curve share their partners.
    second = rng.permuted(first, axis=1)
    alpha = float(np.clip(alpha, *_ALPHA_RANGE))
    lam = rng.beta(alpha, alpha, size=first.shape if per_sample else (len(first), 1))
    return Drawn(first, second, np.broadcast_to(lam, first.shape).astype(np.float32))
