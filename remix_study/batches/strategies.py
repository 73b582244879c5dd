"""Strategies: the named rows of a comparison, each a sampler, a mixing and a loss."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.mixing import MIXINGS
from remix_study.batches.samplers import SAMPLERS
from remix_study.errors import UsageError

T = TypeVar("T")

DEFAULT_ALPHA = 0.1
"""Alpha of the paper's experiments on tabular data."""

LOSSES = ("cross-entropy", "class-weighted", "logit-adjusted")
"""Per-class weights w and offsets o make each loss: sum_c w_c y_c * -log_softmax(z + o)_c."""


@dataclass(frozen=True)
class Strategy:
    """A way to train on imbalanced data; make one by `make_strategy` or `compose`.

    Attributes:
        name: The built-in's name, or its parts joined by "+".
        sampler: A key of ``SAMPLERS``.
        mixing: A key of ``MIXINGS``.
        alpha: Beta(alpha, alpha) of the mixing coefficient; 0 where nothing is mixed.
        loss: One of ``LOSSES``.
        description: One sentence for a reader.
    """

    name: str
    sampler: str
    mixing: str
    alpha: float
    loss: str
    description: str = field(default="", compare=False)

    @property
    def mixes(self) -> bool:
        """Whether alpha means anything."""
        return self.mixing != "none"

    @property
    def label(self) -> str:
        """The row's name in tables, such as ``remix (0.1)``."""
        return f"{self.name} ({self.alpha:g})" if self.mixes else self.name


_DESCRIPTIONS = {
    "baseline": "Plain training on the batches as the data give them.",
    "cost": "The loss of each class is weighted by N/(K n_c), so that all classes count alike.",
    "smote": "Each batch is brought to equal classes, small ones by SMOTE among their own rows in "
    "the batch.",
    "balance": "Each batch is brought to equal classes by repeating rows; this is ReMix without "
    "mixing, alpha 0.",
    "mixup": "Natural batches, each row and its label blended with another row of the batch.",
    "remix": "Each batch is brought to equal classes, then each row and its label is blended with "
    "another row of the batch.",
    "logit-adjusted": "Natural batches; the log of the class shares is added to the outputs in "
    "the loss alone, which aims at equal classes without touching the rows.",
}

STRATEGIES: dict[str, Strategy] = {
    name: Strategy(name, sampler, mixing, alpha, loss, _DESCRIPTIONS[name])
    for name, sampler, mixing, alpha, loss in (
        ("baseline", "natural", "none", 0.0, "cross-entropy"),
        ("cost", "natural", "none", 0.0, "class-weighted"),
        ("smote", "smote", "none", 0.0, "cross-entropy"),
        ("balance", "balanced", "none", 0.0, "cross-entropy"),
        ("mixup", "natural", "beta", DEFAULT_ALPHA, "cross-entropy"),
        ("remix", "balanced", "beta", DEFAULT_ALPHA, "cross-entropy"),
        ("logit-adjusted", "natural", "none", 0.0, "logit-adjusted"),
    )
}


def strategy_names() -> tuple[str, ...]:
    """The built-in strategies, in the order reports list them."""
    return tuple(STRATEGIES)


def takes_alpha(name: str) -> bool:
    """Whether a built-in strategy mixes and so takes an alpha.

    Raises:
        UsageError: No strategy has this name.
    """
    return _known("strategy", name, STRATEGIES).mixes


def make_strategy(name: str, alpha: float | None = None) -> Strategy:
    """Make a built-in strategy.

    Args:
        name: A key of ``STRATEGIES``.
        alpha: For those that mix, 0.1 if left out. At alpha 0 ``remix`` is ``balance`` and
            ``mixup`` is ``baseline``, so each is one point of a study.

    Raises:
        UsageError: No strategy has this name, alpha is out of range, or the strategy takes none.
    """
    strategy = _known("strategy", name, STRATEGIES)
    if alpha is None:
        return strategy
    if not strategy.mixes:
        raise UsageError(
            f"strategy {name!r} takes no alpha (got {alpha!r}): leave alpha out, or choose one of "
            f"{_listed(key for key, known in STRATEGIES.items() if known.mixes)}"
        )
    return compose(strategy.sampler, strategy.mixing, alpha, strategy.loss)


def compose(
    sampler: str,
    mixing: str = "none",
    alpha: float | None = None,
    loss: str = "cross-entropy",
) -> Strategy:
    """Put a strategy together from its parts.

    Args:
        sampler: A key of ``SAMPLERS``.
        mixing: A key of ``MIXINGS``.
        alpha: Only where something is mixed, 0.1 if left out; alpha 0 is ``mixing="none"``.
        loss: One of ``LOSSES``.

    Returns:
        The strategy, under the name of the built-in one it equals, else under a name made of its
        parts, such as ``balanced-dataset+beta-sample``.

    Raises:
        UsageError: An unknown part, alpha out of range, alpha without mixing, SMOTE with mixing.
    """
    _known("sampler", sampler, SAMPLERS)
    _known("mixing", mixing, MIXINGS)
    _known("loss", loss, {key: key for key in LOSSES})
    if alpha is not None:
        check_alpha(alpha)
    if mixing == "none" and alpha:
        raise UsageError(
            f"alpha {alpha:g} has no effect with mixing 'none': leave alpha out, or choose "
            f"mixing {_listed(key for key in MIXINGS if key != 'none')}"
        )
    if alpha == 0:
        mixing = "none"
    if mixing == "none":
        alpha = 0.0
    alpha = DEFAULT_ALPHA if alpha is None else float(alpha)
    if sampler == "smote" and mixing != "none":
        raise UsageError(
            "sampler 'smote' cannot be mixed, its rows are blends of two rows already: use "
            "mixing 'none' (alpha 0) with it, or another sampler"
        )
    for known in STRATEGIES.values():
        if (known.sampler, known.mixing, known.loss) == (sampler, mixing, loss):
            return replace(known, alpha=alpha)
    parts = [sampler, mixing if mixing != "none" else "", loss if loss != "cross-entropy" else ""]
    mixed = f"mixing {mixing}" if mixing != "none" else "no mixing"
    return Strategy(
        "+".join(part for part in parts if part),
        sampler,
        mixing,
        alpha,
        loss,
        f"Put together from sampler {sampler}, {mixed} and loss {loss}.",
    )


def class_weights(y: NDArray[np.integer], n_classes: int) -> NDArray[np.float64]:
    """Balanced class weights w_c = N / (K n_c), K the classes that are present.

    Args:
        y: (n,) class codes of the training rows.
        n_classes: Length of the answer.

    Returns:
        (n_classes,) weights as scikit-learn's ``class_weight="balanced"``; 0 for a class that no
        row has.
    """
    counts = np.bincount(y, minlength=n_classes)
    present = counts > 0
    return np.where(present, len(y) / (present.sum() * np.maximum(counts, 1)), 0.0)


def log_prior(y: NDArray[np.integer], n_classes: int) -> NDArray[np.float64]:
    """Log of the class shares, the offset of the logit-adjusted loss (Menon et al. 2021, tau 1).

    Args:
        y: (n,) class codes of the training rows.
        n_classes: Length of the answer.

    Returns:
        (n_classes,) log shares; a class that no row has counts as a share of 1e-12.
    """
    share = np.bincount(y, minlength=n_classes) / len(y)
    return np.log(np.maximum(share, 1e-12))


def loss_vectors(
    loss: str, y: NDArray[np.integer], n_classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The per-class weights w and offsets o of a loss, fitted on a member's training rows.

    The loss of one row with soft label y and logits z is
    ``sum_c w_c y_c * -log_softmax(z + o)_c``; raw z are scored.

    Args:
        loss: One of ``LOSSES``.
        y: (n,) class codes of the inner training rows.
        n_classes: Length of both answers.

    Returns:
        (n_classes,) float32 weights and (n_classes,) float32 offsets.

    Raises:
        UsageError: No loss has this name.
    """
    _known("loss", loss, {key: key for key in LOSSES})
    ones, zeros = np.ones(n_classes, np.float32), np.zeros(n_classes, np.float32)
    if loss == "class-weighted":
        return class_weights(y, n_classes).astype(np.float32), zeros
    if loss == "logit-adjusted":
        return ones, log_prior(y, n_classes).astype(np.float32)
    return ones, zeros


def check_alpha(alpha: object) -> None:
    """Refuse what is no alpha.

    Raises:
        UsageError: Not a finite number of at least 0.
    """
    if isinstance(alpha, int | float | np.integer | np.floating) and not isinstance(alpha, bool):
        number = float(alpha)
        if math.isfinite(number) and number >= 0:
            return
    raise UsageError(f"alpha must be a finite number of at least 0, got {alpha!r}")


def _known(what: str, name: str, known: dict[str, T]) -> T:
    if name in known:
        return known[name]
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UsageError(f"unknown {what} {name!r}: choose one of {_listed(known)}{hint}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
