"""Adam for a stack of members that do not all take every step, as a pure function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
"""The defaults of Keras' Adam."""


class AdamState(NamedTuple):
    """Moments of each variable, and the steps that each member has taken.

    Attributes:
        momentum: One array a variable.
        velocity: One array a variable.
        steps: float32, in a shape that broadcasts against every variable: (members, 1, 1), or ()
            for a network without a member axis.
    """

    momentum: tuple[Any, ...]
    velocity: tuple[Any, ...]
    steps: Any


def adam_update(
    state: AdamState,
    variables: Any,
    gradients: Any,
    rate: Any,
    active: Any,
    barrier: Callable[[list[Any]], list[Any]] = list,
) -> tuple[AdamState, tuple[Any, ...]]:
    """Return moments and values after Adam's update (Kingma and Ba, 2015, end of section 2).

    Only active members change. A member whose epoch has fewer batches than the longest, or that
    is frozen, must keep weights and moments: with a zero gradient its momentum would still move
    it. The formulas are written as in Keras.

    Args:
        state: Moments and steps so far.
        variables: Present values.
        gradients: Of the loss, one a variable.
        rate: Learning rates in the shape of ``state.steps``.
        active: 1 for members that take the step and 0 for the others, in the same shape.
        barrier: Returns its arguments and keeps a compiler from computing them twice. Without it
            XLA computes the moments again within the kernel of the values, which then needs the
            old moments too: all weights and moments were copied in every step.

    Returns:
        The new moments and the new values.
    """
    # A frozen member may hold NaN; 0 * NaN is NaN, so inactive values are chosen, not scaled.
    is_active = active > 0
    steps = state.steps + active
    step_number = ops.maximum(steps, 1.0)
    power_1 = ops.power(ops.cast(BETA_1, "float32"), step_number)
    power_2 = ops.power(ops.cast(BETA_2, "float32"), step_number)
    corrected_rate = rate * ops.sqrt(1 - power_2) / (1 - power_1)
    moments = []
    for momentum, velocity, gradient in zip(
        state.momentum, state.velocity, gradients, strict=True
    ):
        new_momentum = momentum + (gradient - momentum) * (1 - BETA_1)
        new_velocity = velocity + (ops.square(gradient) - velocity) * (1 - BETA_2)
        moments.append(ops.where(is_active, new_momentum, momentum))
        moments.append(ops.where(is_active, new_velocity, velocity))
    moments = barrier(moments)
    momenta, velocities = tuple(moments[::2]), tuple(moments[1::2])
    values = []
    for value, momentum, velocity in zip(variables, momenta, velocities, strict=True):
        step = momentum * corrected_rate / (ops.sqrt(velocity) + EPSILON)
        values.append(ops.where(is_active, value - step, value))
    return AdamState(momenta, velocities, steps), tuple(values)
