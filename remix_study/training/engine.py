"""Training of all members of a trial: the epoch loop around one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from remix_study.batches.plan import TrainedOn, TrainingRows
from remix_study.batches.strategies import Strategy, loss_vectors
from remix_study.config import Training
from remix_study.models.network import Network
from remix_study.training.course import Course
from remix_study.training.evaluation import RowBlocks, ValidationLoss
from remix_study.training.feed import ahead, chunks

# Rows of a forward pass; bounds the memory of hidden layers.
_BLOCK = 1024

OnEpoch = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Member:
    """One network to train: one fold of one trial.

    Attributes:
        seed: Weights, plans and masks derive from it.
        training: The rows it may learn from.
        validation: (v,) positions of the rows that early stopping and Optuna see.
        test: (t,) positions of the rows that reports see.
    """

    seed: int
    training: TrainingRows
    validation: NDArray[np.int32]
    test: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a member.

    Attributes:
        validation: Probabilities of its validation rows, float32 (v, K).
        test: Probabilities of its test rows, float32 (t, K).
        epochs: Epochs trained.
        stopped: Why it ended.
        failed: Why it is of no use, "" if it is.
        loss: Mean training loss of each epoch.
        monitor: Validation loss of each epoch; empty where nothing watched it.
        rates: Learning rate of each epoch.
        trained_on: What the batches of its epochs held.
    """

    validation: NDArray[np.float32]
    test: NDArray[np.float32]
    epochs: int
    stopped: str
    failed: str
    loss: NDArray[np.float32]
    monitor: NDArray[np.float32]
    rates: NDArray[np.float32]
    trained_on: TrainedOn


@dataclass(eq=False)
class Engine:
    """A compiled program with the rows of a problem on its device.

    Build one for a problem and an architecture, then call :meth:`fit` for every trial: nothing is
    compiled again.

    Attributes:
        network: What is trained.
        X: float32 (n, d), missing values as NaN.
        y: int32 (n,).
        n_classes: Number of classes K.
        fill: (members, d) what missing values become.
        centre: (members, d) what is subtracted.
        scale: (members, d) what is divided by.
        jit: Whether the program is compiled by XLA.
    """

    network: Network
    X: NDArray[np.float32]
    y: NDArray[np.int32]
    n_classes: int
    fill: NDArray[Any]
    centre: NDArray[Any]
    scale: NDArray[Any]
    jit: bool = True
    _program: Any = field(init=False)
    _data: Any = field(init=False)

    def __post_init__(self) -> None:
        """Put the rows on the device; the first trial compiles."""
        from remix_study.training.tensorflow import Program

        self._program = Program(self.network, n_classes=self.n_classes, jit=self.jit)
        self._data = self._program.data(self.X, self.y)

    def fit(
        self,
        members: Sequence[Member],
        strategy: Strategy,
        training: Training,
        *,
        dropout: float | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> list[Outcome]:
        """Train every member under one strategy.

        Args:
            members: Folds, in the order of the preprocessing's rows.
            strategy: How batches are drawn, mixed and weighed.
            training: Epochs, rates and stopping.
            dropout: Share of units dropped; the network's own when None.
            on_epoch: Called after every epoch with the number of members that ran it.

        Returns:
            One outcome a member, in order. An outcome does not depend on the other members.
        """
        self._program.set_dropout(self.network.dropout if dropout is None else dropout)
        stack = self.network.stack
        block = min(_BLOCK, max(len(m.validation) for m in members))
        outcomes: list[Outcome] = []
        for start in range(0, len(members), stack):
            present = list(range(start, min(start + stack, len(members))))
            # A stack that is not full is padded with copies that never run.
            padded = present + [start] * (stack - len(present))
            run = _Run(self, [members[i] for i in padded], padded, strategy, training, block)
            outcomes += run.train(len(present), on_epoch)
        return outcomes


class _Run:
    """One stack of members under one strategy."""

    def __init__(
        self,
        engine: Engine,
        members: list[Member],
        positions: list[int],
        strategy: Strategy,
        training: Training,
        block: int,
    ) -> None:
        self._engine, self._members, self._block = engine, members, block
        self._strategy, self._training = strategy, training
        self._program, self._data = engine._program, engine._data
        terms = [loss_vectors(strategy.loss, m.training.y, engine.n_classes) for m in members]
        self._inputs = self._program.inputs(
            engine.fill[positions],
            engine.centre[positions],
            engine.scale[positions],
            np.stack([weights for weights, _ in terms]),
            np.stack([offset for _, offset in terms]),
        )

    def train(self, present: int, on_epoch: OnEpoch | None) -> list[Outcome]:
        """Run epochs until every member has ended, then score rows with the chosen weights."""
        engine, members, program = self._engine, self._members, self._program
        program.reset([engine.network.initial_weights(m.seed) for m in members])
        course = Course(self._training, len(members), present)
        validation = [m.validation for m in members]
        watch = None
        if course.watches_validation:
            watch = ValidationLoss(validation, engine.y, self._training.monitor, self._block)
        history: list[tuple[Any, Any, Any]] = []
        held: list[list[TrainedOn]] = [[] for _ in members]
        feed = ahead(
            chunks(
                members,
                self._strategy,
                batch_size=self._training.batch_size,
                y=engine.y,
                n_classes=engine.n_classes,
                mask_units=sum(engine.network.mask_units),
                running=course.running,
            )
        )
        total = np.zeros(len(members))
        program.set_rates(course.rates)
        for chunk in feed:
            ran = course.running.copy()
            active = chunk.takes * ran
            total += program.train(
                self._data, self._inputs, chunk.plan, chunk.masks, active, chunk.steps
            )
            if not chunk.epoch_ends:
                continue
            loss, rates = total / chunk.epoch_steps, course.rates.copy()
            monitor = watch(program, self._data, self._inputs) if watch else None
            improved = course.update(loss, monitor)
            if improved.any():
                program.keep_best(improved)
            history.append((loss, monitor, rates))
            for member in np.flatnonzero(ran):
                held[member].append(chunk.held[member])
            if on_epoch:
                on_epoch(int(ran.sum()))
            if not course.running.any():
                break
            program.set_rates(course.rates)
            total = np.zeros(len(members))
        feed.close()
        if watch:
            program.restore_best()
        return self._outcomes(present, course, history, held)

    def _outcomes(
        self,
        present: int,
        course: Course,
        history: list[tuple[Any, Any, Any]],
        held: list[list[TrainedOn]],
    ) -> list[Outcome]:
        validation = self._probabilities([m.validation for m in self._members])
        test = self._probabilities([m.test for m in self._members])
        loss, monitor, rates = zip(*history, strict=True)
        outcomes = []
        for member in range(present):
            epochs = int(course.epochs[member])
            watched = [m[member] for m in monitor[:epochs] if m is not None]
            outcomes.append(
                Outcome(
                    validation=validation[member],
                    test=test[member],
                    epochs=epochs,
                    stopped=course.stopped[member],
                    failed=course.failed[member],
                    loss=np.array([v[member] for v in loss[:epochs]], np.float32),
                    monitor=np.array(watched, np.float32),
                    rates=np.array([v[member] for v in rates[:epochs]], np.float32),
                    trained_on=reduce(add, held[member]),
                )
            )
        return outcomes

    def _probabilities(self, rows: list[NDArray[np.int32]]) -> list[NDArray[np.float32]]:
        blocks = RowBlocks(rows, self._block)
        logits = blocks.logits(self._program, self._data, self._inputs).astype(np.float64)
        probabilities = softmax(logits, axis=2).astype(np.float32)
        return [p[:size] for p, size in zip(probabilities, blocks.sizes, strict=True)]
