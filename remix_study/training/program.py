"""The compiled functions of a network, its values on the device, and passes over many rows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.losses import RowWeights
from remix_study.batches.plan import StackPlan
from remix_study.batches.random_bits import StepKeys
from remix_study.models.augmentation import Augmentation
from remix_study.models.networks import Network
from remix_study.models.networks import Weights as MemberWeights
from remix_study.training.adam import AdamState
from remix_study.training.backend import Function, backend
from remix_study.training.encoding import Encoder
from remix_study.training.mapped_step import MappedStep
from remix_study.training.problem_rows import Data, Inputs
from remix_study.training.step import Step, Weights

Passes = list[tuple[Any, Any]]
"""Probabilities and losses of the blocks of a forward pass, on the device."""


class Program:
    """Compiled training steps and a compiled forward pass, used for every trial.

    They are compiled once for a network, a batch size, a number of steps and one of rows, and
    once more for the focal loss, for augmentation and for SMOTE-NC if a strategy needs them. A
    program holds no weights: several stacks may train at a time.

    Attributes:
        network: What is trained.
        n_classes: Number of classes K.
        traces: How often each function has been traced, that is compiled, by name.
    """

    def __init__(
        self,
        network: Network,
        *,
        n_classes: int,
        jit: bool,
        augmentation: Augmentation | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        """Trace nothing yet: the first call of each function compiles it."""
        self.network = network
        self.n_classes = n_classes
        self._encoder = encoder
        self._backend = backend()
        self._barrier = self._backend.barrier if jit else list
        self.traces = {"train": 0, "forward": 0, "choose": 0}
        # By loss, by the rows of a blend that are augmented: none, one or two, and by whether
        # plans have neighbours. Each is compiled when it is first called.
        self._train = {
            (focal, uses, votes): self._compiled(self._step(augmentation, focal, uses).train, jit)
            for focal in (False, True)
            for uses in range(3)
            for votes in (False, True)
        }
        step = self._step(augmentation)
        self._forward = self._compiled(step.forward, jit)
        self._choose = self._compiled(step.choose, jit)
        position = {id(v): i for i, v in enumerate(network.train.variables)}
        # The position of each value of ``Weights`` among the network's variables.
        self._trainable = [position[id(v)] for v in network.infer.trainable_variables]
        self._state = [position[id(v)] for v in network.infer.non_trainable_variables]

    def _step(
        self, augmentation: Augmentation | None, focal: bool = False, uses: int = 0
    ) -> Step | MappedStep:
        gather, gradient = self._backend.gather, self._backend.gradient
        is_mapped = self.network.is_mapped
        step = Step(
            replace(self.network, stack=1) if is_mapped else self.network,
            self.n_classes,
            gather,
            gradient,
            augmentation,
            barrier=self._barrier,
            focal=focal,
            uses=uses,
            encoder=self._encoder,
        )
        return MappedStep(step, self._backend.map_members) if is_mapped else step

    def put(self, array: Any, dtype: str) -> Any:
        """Return an array on the device."""
        return self._backend.on_device(np.asarray(array, dtype))

    def argument(self, array: Any, dtype: str) -> Any:
        """Return a small array for one call of a compiled function."""
        return self._backend.argument(np.asarray(array, dtype))

    def share(self, array: Any, dtype: str) -> Any:
        """The same without a copy where there need be none: the array must not change later."""
        return self._backend.shared(np.asarray(array, dtype))

    def inputs(self, *arrays: NDArray[Any]) -> Inputs:
        """Put what differs between members on the device, in the order of :class:`Inputs`."""
        return Inputs(*(self.put(a, "float32") for a in arrays))

    def start(self, members: Sequence[MemberWeights]) -> tuple[Weights, AdamState]:
        """Put the members' first values on the device, with the state of an Adam without steps."""
        has_axis = self.network.has_member_axis
        values = [
            self._backend.on_device(np.stack(variable) if has_axis else variable[0])
            for variable in zip(*members, strict=True)
        ]
        trainable = tuple(values[i] for i in self._trainable)
        moments = tuple(self.put(np.zeros(v.shape), "float32") for v in trainable)
        steps = self._backend.on_device(self.per_member(np.zeros(self.network.stack)))
        weights = Weights(trainable, tuple(values[i] for i in self._state))
        return weights, AdamState(moments, moments, steps)

    def per_member(self, values: NDArray[Any]) -> Any:
        """Put values (M,) on the device in a shape that broadcasts against the variables."""
        if self.network.is_stacked:
            values = values[:, None, None]
        elif not self.network.is_mapped:
            values = values[0]
        return self.argument(values, "float32")

    def train(
        self,
        weights: Weights,
        adam: AdamState,
        data: Data,
        inputs: Inputs,
        plan: StackPlan,
        keys: StepKeys,
        epoch: Any,
        steps: Any,
        running: Any,
        rates: Any,
        dropout: Any,
        losses: Any,
        start: int,
        stop: int,
        *,
        focal: bool,
        uses: int,
    ) -> tuple[Weights, AdamState, Any]:
        """Take some steps of an epoch; see :meth:`Step.train`."""
        weights, adam, losses = self._train[focal, uses, plan.neighbours is not None](
            weights,
            adam,
            data,
            inputs,
            plan,
            keys,
            epoch,
            steps,
            running,
            rates,
            dropout,
            losses,
            self.argument(start, "int32"),
            self.argument(stop, "int32"),
        )
        return weights, adam, losses

    def forward(
        self, weights: Weights, data: Data, inputs: Inputs, rows: Any, share: Any
    ) -> tuple[Any, Any]:
        """Return probabilities and losses, both on the device; see :meth:`Step.forward`."""
        probabilities, losses = self._forward(weights, data, inputs, rows, share)
        return probabilities, losses

    def choose(self, improved: NDArray[np.bool_], new: Weights, old: Weights) -> Weights:
        """Return the new values of the members that improved; see :meth:`Step.choose`."""
        chosen: Weights = self._choose(self.argument(improved, "bool"), new, old)
        return chosen

    def member_weights(self, weights: Weights, member: int) -> MemberWeights:
        """Return the values of one member, in the order of the network's variables."""
        positions = [*self._trainable, *self._state]
        by_position = dict(zip(positions, (*weights.trainable, *weights.state), strict=True))
        values = [np.asarray(by_position[position]) for position in sorted(by_position)]
        return [v[member] for v in values] if self.network.has_member_axis else values

    def _compiled(self, function: Function, jit: bool) -> Function:
        name = function.__name__

        def counted(*arguments: Any) -> Any:
            # Runs when the function is traced, not when the compiled one is called.
            self.traces[name] += 1
            return function(*arguments)

        compiled = self._backend.compiled(counted, xla=jit)
        lock, is_compiled = threading.Lock(), threading.Event()

        def call(*arguments: Any) -> Any:
            if is_compiled.is_set():
                return compiled(*arguments)
            # Stacks start together: each would compile the function, and Keras traces a model in
            # one thread at a time.
            with lock:
                result = compiled(*arguments)
                is_compiled.set()
                return result

        return call


class RowBlocks:
    """Rows of each member on the device, padded to blocks that a compiled forward pass takes."""

    def __init__(
        self,
        program: Program,
        rows: Sequence[NDArray[np.integer]],
        block: int,
        shares: Sequence[NDArray[np.float64]] | None = None,
    ) -> None:
        """Put the rows on the device, padded with row 0, which is cut off again.

        Args:
            program: The compiled forward pass.
            rows: Positions of each member's rows.
            block: Rows of a forward pass.
            shares: The weight of each row in its member's loss; 0 when None, and for padding.
        """
        self.sizes = [len(r) for r in rows]
        self._program = program
        blocks = max(1, -(-max(self.sizes) // block))
        no_share = program.put(np.zeros((len(rows), block)), "float32")
        self._blocks = []
        for start in range(0, blocks * block, block):
            part = np.zeros((len(rows), block), np.int32)
            weights = np.zeros(part.shape, np.float32)
            for member, size in enumerate(self.sizes):
                end = min(block, max(0, size - start))
                part[member, :end] = rows[member][start : start + end]
                if shares is not None:
                    weights[member, :end] = shares[member][start : start + end]
            share = no_share if shares is None else program.share(weights, "float32")
            self._blocks.append((program.share(part, "int32"), share))

    def probabilities(
        self, weights: Weights, data: Data, inputs: Inputs
    ) -> list[NDArray[np.float32]]:
        """Return the probabilities of each member's rows, float32 (rows, K)."""
        parts = [np.asarray(p) for p, _ in self.passes(weights, data, inputs)]
        padded = np.concatenate(parts, axis=1)
        return [p[:size] for p, size in zip(padded, self.sizes, strict=True)]

    def passes(self, weights: Weights, data: Data, inputs: Inputs) -> Passes:
        """Begin a forward pass of each block; an accelerator returns before it has ended."""
        return [
            self._program.forward(weights, data, inputs, rows, share)
            for rows, share in self._blocks
        ]


def losses_of(passes: Passes) -> NDArray[np.float64]:
    """Return each member's cross-entropy, weighted by the rows' shares, float64 (M,).

    The probabilities stay on the device.
    """
    parts = [np.asarray(loss, np.float64) for _, loss in passes]
    total: NDArray[np.float64] = np.sum(parts, axis=0)
    return total


def loss_shares(
    rows: NDArray[np.integer],
    y: NDArray[np.int32],
    kind: Literal["balanced", "natural"],
    row_weights: RowWeights = None,
) -> NDArray[np.float64]:
    """Return the weight of each row in a member's validation loss, float64; they sum to one.

    "balanced" gives each class that is present the same weight, "natural" each row; the rows of a
    class, or all, share it by ``row_weights`` (n,). The majority decides the natural mean: it
    would stop networks trained on rebalanced batches because their prior has moved, which is what
    those are for.
    """
    weights = np.ones(len(rows)) if row_weights is None else row_weights[rows]
    divisor = weights.sum()
    if kind == "balanced":
        totals = np.bincount(y[rows], weights)
        divisor = np.count_nonzero(totals) * totals[y[rows]]
    shares: NDArray[np.float64] = weights / divisor
    return shares
