"""Steps of a network without a member axis, mapped over the members of a stack."""

from __future__ import annotations

from typing import Any

from remix_study.training.adam import AdamState
from remix_study.training.backend import Function
from remix_study.training.problem_rows import Data
from remix_study.training.step import Step, Weights


class MappedStep:
    """Training steps and forward passes of many members, by those of one.

    The functions take and return what those of :class:`Step` do. Values, moments, rates and ``M``
    have a leading member axis; the rows of the problem are shared.

    Args:
        step: Of a network of one member.
        map_members: Maps a function over the first axis of all its arguments.
    """

    def __init__(self, step: Step, map_members: Function) -> None:
        self._step, self._map = step, map_members

    def train(
        self,
        weights: Weights,
        adam: AdamState,
        data: Data,
        inputs: Any,
        plan: Any,
        keys: Any,
        epoch: Any,
        steps: Any,
        running: Any,
        rates: Any,
        dropout: Any,
        losses: Any,
        start: Any,
        stop: Any,
    ) -> tuple[Weights, AdamState, Any]:
        """Take the steps from ``start`` to before ``stop`` of an epoch."""

        def train_one(
            weights: Weights, adam: AdamState, rates: Any, *per_member: Any
        ) -> tuple[Weights, AdamState, Any]:
            alone = map(_stack_of_one, per_member)
            inputs, plan, keys, steps, running, losses = alone
            values = weights, adam, data, inputs, plan, keys, epoch, steps, running, rates, dropout
            weights, adam, losses = self._step.train(*values, losses, start, stop)
            return weights, adam, losses[0]

        mapped = self._map(train_one)
        result: tuple[Weights, AdamState, Any] = mapped(
            weights, adam, rates, inputs, plan, keys, steps, running, losses
        )
        return result

    def forward(
        self, weights: Weights, data: Data, inputs: Any, rows: Any, share: Any
    ) -> tuple[Any, Any]:
        """Return the probabilities of rows (M, R), and their weighted cross-entropy."""

        def forward_one(weights: Weights, *per_member: Any) -> tuple[Any, Any]:
            inputs, rows, share = map(_stack_of_one, per_member)
            probabilities, losses = self._step.forward(weights, data, inputs, rows, share)
            return probabilities[0], losses[0]

        result: tuple[Any, Any] = self._map(forward_one)(weights, inputs, rows, share)
        return result

    def choose(self, improved: Any, new: Weights, old: Weights) -> Weights:
        """Return the new values of members where ``improved`` (M,), else their old ones."""

        def choose_one(improved: Any, new: Weights, old: Weights) -> Weights:
            return self._step.choose(improved[None], new, old)

        chosen: Weights = self._map(choose_one)(improved, new, old)
        return chosen


def _stack_of_one(arrays: Any) -> Any:
    """An array, or a named tuple of arrays or None, with a member axis of one."""
    if isinstance(arrays, tuple):
        return type(arrays)(*map(_stack_of_one, arrays))
    return None if arrays is None else arrays[None]
