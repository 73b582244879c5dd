"""Adam for a stack of members that do not all take every step."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class MemberAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Keras' Adam, with a step counter, a learning rate and an on/off switch for each member.

    A member whose epoch has fewer batches than the longest, or that is frozen, must keep weights
    and moments as they are: a zero gradient would still move it by its momentum. ``active`` is
    set by the training step before ``apply``, 1 for members that take it and 0 for the others,
    in a shape that broadcasts against every variable: (members, 1, 1), or () without a stack.
    """

    def __init__(self, rate: Any, steps: Any) -> None:
        """Take the variables for learning rate and steps, float32 in the shape of ``active``."""
        super().__init__(learning_rate=lambda: rate.value)
        self.member_steps = steps
        self.active: Any = 1.0

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Count the step of each active member, then update."""
        self.member_steps.assign(self.member_steps + self.active)
        return super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Kingma and Ba's update (2015, end of section 2), as Keras writes it, where active."""
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        # A frozen member may hold NaN; 0 * NaN is NaN, so inactive values are chosen, not scaled.
        on = self.active > 0
        steps = ops.maximum(self.member_steps, 1.0)
        power_1 = ops.power(ops.cast(self.beta_1, "float32"), steps)
        power_2 = ops.power(ops.cast(self.beta_2, "float32"), steps)
        rate = learning_rate * ops.sqrt(1 - power_2) / (1 - power_1)
        new_momentum = momentum + (gradient - momentum) * (1 - self.beta_1)
        new_velocity = velocity + (ops.square(gradient) - velocity) * (1 - self.beta_2)
        step = new_momentum * rate / (ops.sqrt(new_velocity) + self.epsilon)
        momentum.assign(ops.where(on, new_momentum, momentum))
        velocity.assign(ops.where(on, new_velocity, velocity))
        variable.assign(ops.where(on, variable - step, variable))
