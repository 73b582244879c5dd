"""Mixings: how drawn rows are blended with other rows.

In ``beta`` the partners of a batch's rows are a permutation of them, and the weight is
lambda ~ Beta(alpha, alpha): Algorithm 1 of the paper, lines 4-7, and MixUp (Zhang et al. 2018)
where the batch is natural. ``remix-chou`` chooses the label's weight otherwise, ``balanced-mixup``
the partner.

Partners are drawn for a whole stack, on the host or in a compiled program. Weights come from a
generator of the member on the host: all alphas of a curve share their partners.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.stack_draws import (
    StackRows,
    gather,
    partners_of_uniform_class,
    permuted_partners,
)
from remix_study.batches.training_rows import MIX_STREAM

KAPPA, TAU = 3.0, 0.5
"""Thresholds of ``remix-chou`` (Chou et al. 2020): the ratio of class sizes from which labels lean
to the rarer class, and the mixing weight below which they do."""

# Outside this range Beta(alpha, alpha) is a fair coin or one half to every digit of a float32, and
# NumPy's generator may return NaN.
_ALPHA_RANGE = (1e-50, 1e15)

# Making a generator takes longer than drawing the weights of an epoch.
_EPOCHS_PER_GENERATOR = 16

Partners = Callable[[Any, Any, Any, StackRows], Any]
LabelWeights = Callable[[Any, Any, Any, Any, StackRows], Any]


def labels_of_the_rarer(xp: Any, first: Any, second: Any, weight: Any, stack: StackRows) -> Any:
    """Let labels lean to the rarer class (Chou et al. 2020).

    For a pair whose classes have n_i and n_j training rows, the weight of label i is 0 where
    n_i / n_j >= 3 and lambda < 0.5, 1 where n_i / n_j <= 1/3 and 1 - lambda < 0.5, and lambda
    elsewhere.

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        first: (M, S, B) positions among the training rows.
        second: (M, S, B), the partners'.
        weight: float32 (M, S, B), lambda.
        stack: The members' rows.

    Returns:
        float32 (M, S, B).
    """
    n_classes = stack.class_count.shape[2]
    codes = xp.minimum(stack.y, n_classes - 1)[:, :, None]
    sizes = gather(xp, stack.class_count[:, 0], codes)[:, :, 0]
    i, j = gather(xp, sizes, first), gather(xp, sizes, second)
    is_zero = (i >= int(KAPPA) * j) & (weight < TAU)
    is_one = (j >= int(KAPPA) * i) & (1 - weight < TAU)
    zeros, ones = xp.zeros_like(weight), xp.ones_like(weight)
    return xp.where(is_zero, zeros, xp.where(is_one, ones, weight))


@dataclass(frozen=True)
class Mixing:
    """How rows find partners, and how much of each is taken.

    Attributes:
        partners: Draws them; see :func:`permuted_partners`.
        has_one_sided_weights: Whether the partner's weight is from Beta(alpha, 1), else lambda is
            from Beta(alpha, alpha).
        per_row: Whether each row has a weight of its own, else each batch.
        label_weights: Weights of the labels, where they are not those of the features.
    """

    partners: Partners = permuted_partners
    has_one_sided_weights: bool = False
    per_row: bool = False
    label_weights: LabelWeights | None = None


NO_MIXING = "none"

MIXINGS: dict[str, Mixing | None] = {
    NO_MIXING: None,
    "beta": Mixing(),
    "beta-sample": Mixing(per_row=True),
    "remix-chou": Mixing(label_weights=labels_of_the_rarer),
    "balanced-mixup": Mixing(partners_of_uniform_class, has_one_sided_weights=True),
}


def epochs_drawn_together(mixing: Mixing) -> int:
    """How many epochs have their weights from one generator, one block of epochs."""
    return 1 if mixing.per_row else _EPOCHS_PER_GENERATOR


def mixing_weights(
    mixing: Mixing, alpha: float, *, seed: int, block: int, steps: int, batch_size: int
) -> NDArray[np.float32]:
    """Draw the weights of a member's rows in a block of epochs.

    Returns:
        float32 (epochs, steps, 1), or (1, steps, B) where each row has its own.
    """
    lowest, highest = _ALPHA_RANGE
    a = min(max(float(alpha), lowest), highest)
    b = 1.0 if mixing.has_one_sided_weights else a
    shape = epochs_drawn_together(mixing), steps, batch_size if mixing.per_row else 1
    drawn = np.random.default_rng([seed, block, MIX_STREAM]).beta(a, b, size=shape)
    return (1 - drawn if mixing.has_one_sided_weights else drawn).astype(np.float32)
