"""Strategies: named combinations of a sampler, a mixing and a loss.

Two of them also augment images: each drawn row is transformed before it is mixed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace

import numpy as np

from remix_study.batches.losses import INERT, LOSSES
from remix_study.batches.mixing import MIXINGS, NO_MIXING
from remix_study.batches.samplers import RATIO_SAMPLERS, SAMPLERS, SMOTE_SAMPLERS
from remix_study.errors import UsageError, join_names, look_up

PUBLISHED_ALPHA = 0.1
"""Alpha of the paper's experiments on tabular data, and the default of every mixing strategy."""


@dataclass(frozen=True)
class Strategy:
    """A way to train on imbalanced data; make one by `make_strategy` or `compose`.

    Attributes:
        name: The built-in's name, or its parts joined by "+".
        sampler: A key of ``SAMPLERS``.
        mixing: A key of ``MIXINGS``.
        alpha: Parameter of the mixing coefficient's distribution: Beta(alpha, 1) for
            ``balanced-mixup``, else Beta(alpha, alpha); 0 without mixing.
        loss: A key of ``LOSSES``.
        description: One sentence for pages.
        augment: Whether each drawn row is randomly transformed; for images only.
        ratio: Share of a batch's rows that the rare classes get together; None for equal shares
            of all classes.
    """

    name: str
    sampler: str
    mixing: str
    alpha: float
    loss: str
    description: str = field(default="", compare=False)
    augment: bool = False
    ratio: float | None = None

    @property
    def takes_ratio(self) -> bool:
        """Whether the sampler balances batches, so that a ratio has an effect."""
        return self.sampler in RATIO_SAMPLERS

    def with_ratio(self, ratio: float | None) -> Strategy:
        """The strategy that gives the rare classes this share of a batch.

        Raises:
            UsageError: It is not between 0 and 1, or the sampler draws other shares.
        """
        if ratio is None:
            return self
        if not 0 < ratio < 1:
            raise UsageError(f"ratio must be above 0 and below 1, got {ratio!r}")
        if not self.takes_ratio:
            raise UsageError(
                f"sampler {self.sampler!r} takes no ratio: leave it out, or choose one of "
                f"{join_names(RATIO_SAMPLERS)}"
            )
        return replace(self, ratio=float(ratio))

    @property
    def has_mixing(self) -> bool:
        """Whether rows are mixed, so that alpha has an effect."""
        return self.mixing != NO_MIXING

    @property
    def has_blended_rows(self) -> bool:
        """Whether training rows are blends of two rows, by mixing or by SMOTE."""
        return self.has_mixing or self.sampler in SMOTE_SAMPLERS

    @property
    def has_own_seeds(self) -> bool:
        """Whether its members have other seeds than those of the other strategies.

        With class weights without effect this is the baseline, and equal seeds would repeat it
        to the last digit; with other seeds it is a second sample of the same strategy.
        """
        return self.loss == INERT

    @property
    def label(self) -> str:
        """Name with alpha, as tables show it, such as ``remix (0.1)``."""
        return f"{self.name} ({self.alpha:g})" if self.has_mixing else self.name


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
    "the loss alone, which aims at equal classes without touching the rows; with the log of the "
    "class counts, as the balanced softmax adds it, the loss is the same.",
    "undersample": "Batches from training rows of which every class is cut to the size of the "
    "smallest, anew for every pass; as many batches an epoch as for the others.",
    "smote-dataset": "The whole training part is brought to equal classes by SMOTE once, before "
    "batches are cut from it; as many batches an epoch as for the others.",
    "focal": "Natural batches; the loss of each class is weighted by N/(K n_c) and, by (1 - p)^2, "
    "less where the row is fitted well.",
    "class-balanced": "Natural batches; the loss of each class is weighted by the inverse of its "
    "effective number of rows, (1 - 0.9999^n_c)/(1 - 0.9999).",
    "remix-chou": "Rebalanced Mixup of Chou et al., another method of that name: natural batches, "
    "rows blended as in MixUp, their labels in favour of a class three times rarer.",
    "balanced-mixup": "Natural batches, each row and its label blended a little with a row of a "
    "class drawn uniformly, at lambda ~ Beta(alpha, 1).",
    "cost-repo": "Class weights handed over so that they never act, as in the authors' "
    "repository: the baseline a second time, with seeds of its own.",
    "smote-repo": "SMOTE in the batch as in the authors' repository: by repetition where a class "
    "has fewer than three rows in the batch, then cut to the batch's size at random.",
    "remix-repo": "ReMix as in the authors' repository: the batch is grown to equal classes, then "
    "drawn from with replacement, so that shares are equal on average only.",
}

STRATEGIES: dict[str, Strategy] = {
    name: Strategy(name, sampler, mixing, alpha, loss, _DESCRIPTIONS[name])
    for name, sampler, mixing, alpha, loss in (
        ("baseline", "natural", "none", 0.0, "cross-entropy"),
        ("cost", "natural", "none", 0.0, "class-weighted"),
        ("smote", "smote", "none", 0.0, "cross-entropy"),
        ("balance", "balanced", "none", 0.0, "cross-entropy"),
        ("mixup", "natural", "beta", PUBLISHED_ALPHA, "cross-entropy"),
        ("remix", "balanced", "beta", PUBLISHED_ALPHA, "cross-entropy"),
        ("logit-adjusted", "natural", "none", 0.0, "logit-adjusted"),
        ("undersample", "undersample", "none", 0.0, "cross-entropy"),
        ("smote-dataset", "smote-dataset", "none", 0.0, "cross-entropy"),
        ("focal", "natural", "none", 0.0, "focal"),
        ("class-balanced", "natural", "none", 0.0, "class-balanced"),
        ("remix-chou", "natural", "remix-chou", PUBLISHED_ALPHA, "cross-entropy"),
        ("balanced-mixup", "natural", "balanced-mixup", PUBLISHED_ALPHA, "cross-entropy"),
        ("cost-repo", "natural", "none", 0.0, INERT),
        ("smote-repo", "smote-repo", "none", 0.0, "cross-entropy"),
        ("remix-repo", "balanced-repo", "beta", PUBLISHED_ALPHA, "cross-entropy"),
    )
}

DEFAULT_STRATEGIES = tuple(STRATEGIES)[:7]
"""Strategies of a study that names none."""

_AUGMENTED = {
    "augment": "Each batch is brought to equal classes by repeating images, each of which is "
    "turned and shifted at random; nothing is mixed.",
    "remix-aug": "Each batch is brought to equal classes, each image is turned and shifted at "
    "random, then it and its label are blended with another one of the batch.",
}

STRATEGIES |= {
    name: replace(STRATEGIES[plain], name=name, description=_AUGMENTED[name], augment=True)
    for name, plain in (("augment", "balance"), ("remix-aug", "remix"))
}


def strategy_names(*, images: bool = False) -> tuple[str, ...]:
    """Names of the built-in strategies, in the order in which reports list them.

    Args:
        images: Whether to include strategies that augment images.
    """
    return tuple(name for name, strategy in STRATEGIES.items() if images or not strategy.augment)


def takes_alpha(name: str) -> bool:
    """Whether a built-in strategy mixes rows and so takes an alpha.

    Raises:
        UsageError: No strategy has this name.
    """
    return look_up("strategy", name, STRATEGIES).has_mixing


def make_strategy(name: str, alpha: float | None = None) -> Strategy:
    """Make a built-in strategy.

    Args:
        name: A key of ``STRATEGIES``.
        alpha: For strategies that mix; 0.1 when None. At alpha 0 ``remix`` is ``balance`` and
            ``mixup`` is ``baseline``, so that a study trains each only once.

    Raises:
        UsageError: No strategy has this name, alpha is out of range, or the strategy takes none.
    """
    strategy = look_up("strategy", name, STRATEGIES)
    if alpha is None:
        return strategy
    if not strategy.has_mixing:
        raise UsageError(
            f"strategy {name!r} takes no alpha (got {alpha!r}): leave alpha out, or choose one of "
            f"{join_names(key for key, value in STRATEGIES.items() if value.has_mixing)}"
        )
    return compose(
        strategy.sampler, strategy.mixing, alpha, strategy.loss, augment=strategy.augment
    )


def compose(
    sampler: str,
    mixing: str = "none",
    alpha: float | None = None,
    loss: str = "cross-entropy",
    *,
    augment: bool = False,
) -> Strategy:
    """Combine a sampler, a mixing and a loss into a strategy.

    Args:
        sampler: A key of ``SAMPLERS``.
        mixing: A key of ``MIXINGS``.
        alpha: For mixings other than ``none``; 0.1 when None. Alpha 0 is ``mixing="none"``.
        loss: A key of ``LOSSES``.
        augment: Whether each drawn row is randomly transformed; for images only.

    Returns:
        The strategy, named as the built-in strategy of the same parts, else by its parts, such as
        ``balanced-dataset+beta-sample``.

    Raises:
        UsageError: An unknown part, alpha out of range, alpha without mixing, SMOTE with mixing.
    """
    look_up("sampler", sampler, SAMPLERS)
    look_up("mixing", mixing, MIXINGS)
    look_up("loss", loss, LOSSES)
    if alpha is not None:
        check_alpha(alpha)
    if mixing == "none" and alpha:
        raise UsageError(
            f"alpha {alpha:g} has no effect with mixing 'none': leave alpha out, or choose "
            f"mixing {join_names(key for key in MIXINGS if key != 'none')}"
        )
    if alpha == 0:
        mixing = "none"
    if mixing == "none":
        alpha = 0.0
    alpha = PUBLISHED_ALPHA if alpha is None else float(alpha)
    if sampler in SMOTE_SAMPLERS and mixing != "none":
        raise UsageError(
            f"sampler {sampler!r} cannot be mixed, its rows are blends of two rows already: use "
            "mixing 'none' (alpha 0) with it, or another sampler"
        )
    for built_in in STRATEGIES.values():
        if (built_in.sampler, built_in.mixing, built_in.loss) == (sampler, mixing, loss) and (
            built_in.augment == augment
        ):
            return replace(built_in, alpha=alpha)
    parts = [sampler, mixing if mixing != "none" else "", loss if loss != "cross-entropy" else ""]
    parts += ["augment"] if augment else []
    mixing_text = f"mixing {mixing}" if mixing != "none" else "no mixing"
    return Strategy(
        "+".join(part for part in parts if part),
        sampler,
        mixing,
        alpha,
        loss,
        f"Put together from sampler {sampler}, {mixing_text} and loss {loss}"
        f"{', on augmented images' if augment else ''}.",
        augment,
    )


def check_alpha(alpha: object) -> None:
    """Check that alpha is a finite number of at least 0.

    Raises:
        UsageError: It is not.
    """
    is_number = isinstance(alpha, int | float | np.integer | np.floating)
    # Python compares an integer of any size with a float.
    if is_number and not isinstance(alpha, bool) and 0 <= alpha <= sys.float_info.max:  # type: ignore[operator]
        return
    raise UsageError(f"alpha must be a finite number of at least 0, got {alpha!r}")
