"""Whether a network has learned anything: what its validation rows tell of it."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from remix_study.training.members import Outcome

CONSTANT, PRIOR, FIRST_EPOCHS = "constant", "class shares", "first epochs"
"""What a network that did not train did: answered each row the same; told no more than the class
shares and ranked rows no better than chance, its training loss nearly what it was at first; or the
same, and was stopped at the first epoch that could be chosen."""

# Standard deviation over rows of the probability that varies most, below which it is constant.
_LEAST_SPREAD = 0.01
# The share by which the training loss of a network that learns has fallen since its first epoch.
_LEAST_FALL = 0.1
# How often a network that knows nothing ranks the rows of a class this well.
_BY_CHANCE = 0.05
_SMALLEST = 1e-7


def why_untrained(
    outcome: Outcome,
    labels: NDArray[np.int32],
    shares: NDArray[np.float64],
    first_epoch: int,
    weights: NDArray[np.float64] | None = None,
) -> str:
    """Say what a member that did not train did instead; "" for one that did.

    Args:
        outcome: The member's.
        labels: int32 (v,) classes of its validation rows.
        shares: (K,) class shares of its training rows.
        first_epoch: The first epoch whose weights early stopping may choose.
        weights: (v,) weights of the validation rows; None where all count alike.
    """
    p = outcome.validation.astype(np.float64)
    if p.std(axis=0).max() < _LEAST_SPREAD:
        return CONSTANT
    if weights is None:
        weights = np.ones(len(labels))
    if _tells_more_than_the_shares(p, labels, shares, weights) or _ranks_rows(p, labels):
        return ""
    chosen = int(np.argmin(outcome.monitor[first_epoch - 1 :])) if len(outcome.monitor) else -1
    if chosen == 0:
        return FIRST_EPOCHS
    loss = outcome.loss[: first_epoch + chosen] if chosen > 0 else outcome.loss
    return PRIOR if len(loss) and loss[-1] > (1 - _LEAST_FALL) * loss[0] else ""


def _tells_more_than_the_shares(
    p: NDArray[np.float64],
    labels: NDArray[np.int32],
    shares: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> bool:
    """Whether its cross-entropy is below that of natural shares, or, balanced, of equal ones.

    A network that is trained at one prior is worse than the shares under the other.
    """
    losses = -np.log(np.maximum(p[np.arange(len(labels)), labels], _SMALLEST))
    of_shares = -np.log(np.maximum(shares, _SMALLEST))[labels]
    totals = np.bincount(labels, weights, minlength=len(shares))
    balanced = weights / (np.count_nonzero(totals) * totals[labels])
    is_better = weights @ losses < weights @ of_shares
    return bool(is_better or balanced @ losses < np.log(np.count_nonzero(totals)))


def _ranks_rows(p: NDArray[np.float64], labels: NDArray[np.int32]) -> bool:
    """Whether rows of a class have more of its probability than others have, beyond chance.

    With few rare validation rows the cross-entropy of a network that has learned is often above
    that of the shares. Mann and Whitney's test, one-sided, by the normal distribution. (All of it
    without SciPy's statistics, which take as long to import as all else that a worker needs.)
    """
    classes, counts = np.unique(labels, return_counts=True)
    n_rows, limit = len(labels), -NormalDist().inv_cdf(_BY_CHANCE / p.shape[1])
    for code, n in zip(classes, counts, strict=True):
        excess = _ranks(p[:, code])[labels == code].sum() - n * (n_rows + 1) / 2
        if excess > limit * np.sqrt(n * (n_rows - n) * (n_rows + 1) / 12):
            return True
    return False


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 on; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
