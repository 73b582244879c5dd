"""How many networks train in one program, and how many programs at a time."""

from __future__ import annotations

from remix_study.batches.losses import FOCAL
from remix_study.batches.strategies import Strategy
from remix_study.errors import UsageError
from remix_study.studyfile.schema import Training
from remix_study.training import cores

# Stacks that train at a time on a CPU.
_MOST_AT_A_TIME = 8


def program_of(strategy: Strategy) -> tuple[bool, bool]:
    """Which of a network's programs trains a strategy; one stack holds strategies of one."""
    return strategy.loss == FOCAL, strategy.augment


def accelerated() -> bool:
    """Whether Keras has found something faster than a CPU."""
    from remix_study.training.program import backend

    return backend().accelerated()


def at_a_time() -> int:
    """Stacks that train at a time: one an accelerator, on a CPU one a core, at most 8."""
    return 1 if accelerated() else min(cores.granted(), _MOST_AT_A_TIME)


def stack_size(members: int) -> int:
    """Members in a stack where the study file leaves it open: all cores get the same share.

    Cores of the machine, not of this process: numbers do not depend on how many workers share it.
    """
    count = 1 if accelerated() else min(cores.present(), _MOST_AT_A_TIME)
    return -(-members // count)


def check_precision(training: Training) -> None:
    """Refuse mixed precision where it would only cost digits.

    Raises:
        UsageError: It is asked for, and Keras runs on a CPU.
    """
    if training.precision == "mixed" and not accelerated():
        raise UsageError(
            'training.precision "mixed" is for accelerators, and Keras has found none; leave it '
            'out, or set it to "float32"'
        )
