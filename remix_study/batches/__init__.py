"""Batch plans and the strategies that make them: plain NumPy, no network needed."""

from remix_study.batches.losses import LOSSES, class_weights, log_prior, loss_vectors
from remix_study.batches.mixing import MIXINGS
from remix_study.batches.plan import (
    BatchPlan,
    StackedPlans,
    TrainedOn,
    TrainingRows,
    check_batch_size,
    plan_epoch,
    stack_plans,
    trained_on,
)
from remix_study.batches.samplers import SAMPLERS
from remix_study.batches.strategies import (
    DEFAULT_ALPHA,
    DEFAULT_STRATEGIES,
    STRATEGIES,
    Strategy,
    compose,
    make_strategy,
    strategy_names,
    takes_alpha,
)

__all__ = [
    "DEFAULT_ALPHA",
    "DEFAULT_STRATEGIES",
    "LOSSES",
    "MIXINGS",
    "SAMPLERS",
    "STRATEGIES",
    "BatchPlan",
    "StackedPlans",
    "Strategy",
    "TrainedOn",
    "TrainingRows",
    "check_batch_size",
    "class_weights",
    "compose",
    "log_prior",
    "loss_vectors",
    "make_strategy",
    "plan_epoch",
    "stack_plans",
    "strategy_names",
    "takes_alpha",
    "trained_on",
]
