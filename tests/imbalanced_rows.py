"""Imbalanced rows of three classes to draw batches from, and plans over them."""

from __future__ import annotations

import numpy as np

from remix_study.batches.mixing import MIXINGS
from remix_study.batches.plan import BatchPlan, StackPlanner, plan_epoch
from remix_study.batches.samplers import SAMPLERS, SMOTE_SAMPLERS
from remix_study.batches.strategies import STRATEGIES, Strategy, compose, make_strategy
from remix_study.batches.training_rows import TrainingRows

SIGNIFICANCE = 1e-4
"""Level of tests of distributions. Seeds are fixed: such a test fails always or never."""

COUNTS = (90, 20, 7)
LABELS = np.random.default_rng(1).permutation(np.repeat(np.arange(3), COUNTS)).astype(np.int32)
FEATURES = np.random.default_rng(2).normal(size=(len(LABELS), 3)) + LABELS[:, None]
FEATURES = FEATURES.astype(np.float32)

COMBINATIONS = [
    compose(sampler, mixing, 0.3 if mixing != "none" else None)
    for sampler in SAMPLERS
    for mixing in MIXINGS
    if sampler not in SMOTE_SAMPLERS or mixing == "none"
]
"""Every sampler with every mixing that it can be combined with."""


def combination_name(strategy: Strategy) -> str:
    """Name of a test parameter."""
    return f"{strategy.sampler}-{strategy.mixing}"


def training_rows(y=LABELS, features=None) -> TrainingRows:
    """Rows with these labels; features of other labels than ``LABELS`` are noise by default."""
    y = np.asarray(y, np.int32)
    if features is None:
        noise = np.random.default_rng(0).normal(size=(len(y), 3)).astype("f4")
        features = FEATURES if y is LABELS else noise
    rows = np.arange(len(y), dtype=np.int32)
    return TrainingRows(rows, y, int(y.max()) + 1, lambda: features)


def plan(strategy, training=None, batch_size=24, epoch=0, *, alpha=None, seed=11) -> BatchPlan:
    """Plan an epoch of a strategy, given as such, by its name or by the name of a sampler."""
    strategy = _strategy_of(strategy, alpha)
    training = training_rows() if training is None else training
    return plan_epoch(strategy, training, batch_size=batch_size, seed=seed, epoch=epoch)


def plans(
    strategy, epochs, training=None, batch_size=24, *, alpha=None, seed=11
) -> list[BatchPlan]:
    """The same of so many epochs, drawn together, which takes little longer than one of them."""
    training = training_rows() if training is None else training
    strategies = [_strategy_of(strategy, alpha)]
    planner = StackPlanner(strategies, [training], [seed], batch_size=batch_size)
    planned = planner.plan_epochs(range(epochs))
    return [_plan_of(planned, epoch) for epoch in range(epochs)]


def _plan_of(planned, epoch) -> BatchPlan:
    return BatchPlan(*planned.map(lambda array: array[epoch]))


def _strategy_of(strategy, alpha) -> Strategy:
    if not isinstance(strategy, str):
        return strategy
    return make_strategy(strategy, alpha) if strategy in STRATEGIES else compose(strategy)
