"""Training of one stack of members, each under its strategy: the epoch loop."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from remix_study.batches.losses import loss_vectors
from remix_study.batches.plan import PlanSummary
from remix_study.batches.strategies import Strategy
from remix_study.studyfile.schema import Training
from remix_study.training.compiled_problem import CompiledProblem, MaskBuffers
from remix_study.training.members import Member, OnEpoch, Outcome
from remix_study.training.prefetch import Chunk, chunk_length, chunks, prefetch
from remix_study.training.program import RowBlocks, loss_shares
from remix_study.training.stacks import program_key
from remix_study.training.stopping import StoppingSchedule


class _Epoch(NamedTuple):
    """Curves of one epoch, each (M,): losses of training and validation, learning rates."""

    loss: NDArray[np.float64]
    monitor: NDArray[np.float64] | None
    rates: NDArray[np.float64]


class StackTrainer:
    """The training of one stack.

    Attributes:
        weights: The weights that rows were scored with; None before training has ended.
    """

    def __init__(
        self,
        problem: CompiledProblem,
        members: list[Member],
        positions: list[int],
        strategies: list[Strategy],
        training: Training,
        *,
        dropout: float,
        block: int,
        steps: int,
    ) -> None:
        """Put on the device what differs between members; train nothing yet.

        Args:
            problem: The compiled program, and the rows.
            members: Whom to train, M.
            positions: The members' rows of the preprocessing.
            strategies: How each is trained; one program must train them all.
            training: Epochs, rates and stopping.
            dropout: Share of units dropped.
            block: Rows of a forward pass.
            steps: Steps of the longest epoch among all stacks: one shape serves them all.
        """
        self._problem, self._members, self._block = problem, members, block
        self._strategies, self._training, self._steps = strategies, training, steps
        self._focal, augments = program_key(strategies[0])
        self._program, self._data = problem.program, problem.data
        self._dropout = self._program.put(dropout, "float32")
        self._is_stopping = False
        augmentation = problem.augmentation if augments else None
        self._generators = None if augmentation is None else augmentation.generators
        terms = [
            loss_vectors(strategy.loss, member.training.y, problem.n_classes)
            for member, strategy in zip(members, strategies, strict=True)
        ]
        self._inputs = self._program.inputs(
            problem.fill[positions],
            problem.centre[positions],
            problem.scale[positions],
            np.stack([weights for weights, _ in terms]),
            np.stack([offset for _, offset in terms]),
        )
        # Made here and not in a thread: a user's model is built anew for each seed.
        self._first_values = problem.first_values([m.seed for m in members])
        self.weights: Any = None

    def stop(self) -> None:
        """Train no further chunk; :meth:`train` then returns no outcomes."""
        self._is_stopping = True

    def train(self, present: int, on_epoch: OnEpoch) -> list[Outcome]:
        """Run epochs until every member has ended, then score rows with the chosen weights.

        Args:
            present: Members that train; the others are padding.
            on_epoch: Called after every epoch with the number of members that ran it.

        Returns:
            One outcome for each present member; none if it was stopped.
        """
        if self._is_stopping:
            return []
        members, program = self._members, self._program
        weights, adam = self._first_values
        best = weights
        schedule = StoppingSchedule(self._training, len(members), present)
        watched = self._watched_rows() if schedule.watches_validation else None
        epochs: list[_Epoch] = []
        trained_on: list[list[PlanSummary]] = [[] for _ in members]
        buffers = self._problem.take_buffers(self._mask_shape())
        total = np.zeros(len(members))
        rates = program.per_member(schedule.rates)
        with closing(self._chunks(schedule.running, buffers)) as source:
            for chunk in source:
                ran = schedule.running.copy()
                weights, adam, losses = program.train(
                    weights,
                    adam,
                    self._data,
                    self._inputs,
                    chunk.plan,
                    chunk.masks,
                    chunk.takes_step * ran,
                    rates,
                    self._dropout,
                    chunk.steps,
                    focal=self._focal,
                )
                total += losses
                if self._is_stopping:
                    break
                if not chunk.ends_epoch:
                    continue
                loss, rates_before = total / chunk.epoch_steps, schedule.rates.copy()
                monitor = watched.losses(weights, self._data, self._inputs) if watched else None
                improved = schedule.update(loss, monitor)
                if improved.all():
                    best = weights
                elif improved.any():
                    best = program.choose(improved, weights, best)
                epochs.append(_Epoch(loss, monitor, rates_before))
                for member in np.flatnonzero(ran):
                    trained_on[member].append(chunk.trained_on[member])
                on_epoch(int(ran.sum()))
                if not schedule.running.any():
                    break
                rates = program.per_member(schedule.rates)
                total = np.zeros(len(members))
        # The source is closed, so nothing draws into them any more.
        self._problem.return_buffers(buffers)
        if self._is_stopping:
            return []
        self.weights = best if watched else weights
        return self._outcomes(present, schedule, epochs, trained_on)

    def _mask_shape(self) -> tuple[int, int, int]:
        """Shape (M, chunk, batch * units) of a chunk's dropout masks."""
        members = len(self._members)
        width = self._training.batch_size * sum(self._problem.network.mask_units)
        return members, chunk_length(self._steps, members * width), width

    def _chunks(self, running: NDArray[np.bool_], buffers: MaskBuffers) -> Generator[Chunk]:
        return prefetch(
            chunks(
                self._members,
                self._strategies,
                batch_size=self._training.batch_size,
                y=self._problem.y,
                n_classes=self._problem.n_classes,
                mask_units=sum(self._problem.network.mask_units),
                running=running,
                longest=self._steps,
                buffers=buffers,
                generators=self._generators,
            )
        )

    def _watched_rows(self) -> RowBlocks:
        rows = [member.validation for member in self._members]
        shares = [loss_shares(r, self._problem.y, self._training.monitor) for r in rows]
        return RowBlocks(self._program, rows, self._block, shares)

    def _outcomes(
        self,
        present: int,
        schedule: StoppingSchedule,
        epochs: list[_Epoch],
        trained_on: list[list[PlanSummary]],
    ) -> list[Outcome]:
        validation = self._probabilities([m.validation for m in self._members])
        test = self._probabilities([m.test for m in self._members])
        outcomes = []
        for member in range(present):
            ran = epochs[: int(schedule.epochs[member])]
            monitor = [epoch.monitor[member] for epoch in ran if epoch.monitor is not None]
            outcomes.append(
                Outcome(
                    validation=validation[member],
                    test=test[member],
                    epochs=len(ran),
                    stopped=schedule.stopped[member],
                    failed=schedule.failed[member],
                    loss=np.array([epoch.loss[member] for epoch in ran], np.float32),
                    monitor=np.array(monitor, np.float32),
                    rates=np.array([epoch.rates[member] for epoch in ran], np.float32),
                    trained_on=reduce(add, trained_on[member]),
                )
            )
        return outcomes

    def _probabilities(self, rows: list[NDArray[np.int32]]) -> list[NDArray[np.float32]]:
        """Probabilities of each member's rows, float32 (rows, K)."""
        blocks = RowBlocks(self._program, rows, self._block)
        logits = blocks.logits(self.weights, self._data, self._inputs).astype(np.float64)
        probabilities = softmax(logits, axis=2).astype(np.float32)
        return [p[:size] for p, size in zip(probabilities, blocks.sizes, strict=True)]
