"""Which networks train in one program, how many of them, and how many programs at a time."""

from __future__ import annotations

from remix_study.batches.losses import FOCAL
from remix_study.batches.strategies import Strategy
from remix_study.errors import UsageError
from remix_study.studyfile.model_options import DEFAULT_DROPOUT
from remix_study.studyfile.schema import Model, Training
from remix_study.training import cores
from remix_study.training.backend import backend

STACKED = "mlp"
"""The network whose members are stacked; others train one at a time."""

# Stacks that train at a time on a CPU.
_MOST_AT_A_TIME = 8


def program_key(strategy: Strategy) -> tuple[bool, bool]:
    """Return which of a network's programs trains a strategy: (focal loss, augmentation).

    All strategies in a stack have the same key.
    """
    return strategy.loss == FOCAL, strategy.augment


def dropout_rate(model: Model) -> float | None:
    """Return the rate of the masks that the stacked network is given; None for other networks."""
    if model.name != STACKED:
        return None
    return float(model.options.get("dropout", DEFAULT_DROPOUT))


def has_accelerator() -> bool:
    """Whether Keras has found something faster than a CPU."""
    return backend().has_accelerator()


def stacks_at_a_time(limit: int = 0) -> int:
    """Return how many stacks train at a time: one on an accelerator; on a CPU one a core, up to 8.

    Args:
        limit: Most cores to use; 0 for all that the process may use.
    """
    return 1 if has_accelerator() else min(cores.allowed(limit), _MOST_AT_A_TIME)


def stack_size(members: int) -> int:
    """Return the members of a stack where the study file leaves it open: an equal share a core.

    Cores of the machine, not those that this process may use: numbers do not depend on how many
    workers share the machine.
    """
    stacks = 1 if has_accelerator() else min(cores.of_machine(), _MOST_AT_A_TIME)
    return -(-members // stacks)


def check_precision(training: Training) -> None:
    """Refuse mixed precision on a CPU, where it would only cost digits.

    Raises:
        UsageError: It is asked for, and Keras runs on a CPU.
    """
    if training.precision == "mixed" and not has_accelerator():
        raise UsageError(
            'training.precision "mixed" is for accelerators, and Keras has found none; leave it '
            'out, or set it to "float32"'
        )
