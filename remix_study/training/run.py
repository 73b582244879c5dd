"""One stack of members, each under its strategy: the epoch loop around the compiled program."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from remix_study.batches.losses import loss_vectors
from remix_study.batches.plan_summary import PlanSummary
from remix_study.batches.strategies import Strategy
from remix_study.studyfile.schema import Training
from remix_study.training.course import Course
from remix_study.training.engine import Outcome
from remix_study.training.evaluation import RowBlocks, loss_shares
from remix_study.training.feed import ahead, chunk_length, chunks
from remix_study.training.stacks import program_of

if TYPE_CHECKING:
    from remix_study.training.engine import Engine, Member


class Run:
    """The training of one stack.

    Attributes:
        weights: Present weights, at last those that rows were scored with.
    """

    def __init__(
        self,
        engine: Engine,
        members: list[Member],
        positions: list[int],
        strategies: list[Strategy],
        training: Training,
        dropout: float,
        block: int,
        steps: int,
    ) -> None:
        """Take members with their rows of the preprocessing and their strategies.

        All stacks' longest epoch, too: one shape serves them all.
        """
        self._engine, self._members, self._block = engine, members, block
        self._strategies, self._training, self._steps = strategies, training, steps
        self._focal, augments = program_of(strategies[0])
        self._program, self._data = engine.program, engine.data
        self._dropout = self._program.put(dropout, "float32")
        self._stopping = False
        augmentation = engine.augmentation if augments else None
        self._generators = None if augmentation is None else augmentation.generators
        terms = [
            loss_vectors(own.loss, m.training.y, engine.n_classes)
            for m, own in zip(members, strategies, strict=True)
        ]
        self._inputs = self._program.inputs(
            engine.fill[positions],
            engine.centre[positions],
            engine.scale[positions],
            np.stack([weights for weights, _ in terms]),
            np.stack([offset for _, offset in terms]),
        )
        # Made here and not in a thread: a user's model is built anew for each seed.
        self._start = engine.start([m.seed for m in members])
        self.weights: Any = None

    def stop(self) -> None:
        """Train no further chunk; what there is by then is of no use."""
        self._stopping = True

    def train(self, present: int, on_epoch: Callable[[int], None]) -> list[Outcome]:
        """Run epochs until every member has ended, then score rows with the chosen weights."""
        if self._stopping:
            return []
        engine, members, program = self._engine, self._members, self._program
        weights, adam = self._start
        best = weights
        course = Course(self._training, len(members), present)
        watch = self._watch() if course.watches_validation else None
        history: list[tuple[Any, Any, Any]] = []
        held: list[list[PlanSummary]] = [[] for _ in members]
        batch_size, mask_units = self._training.batch_size, sum(engine.network.mask_units)
        shape = (
            len(members),
            chunk_length(self._steps, len(members) * batch_size * mask_units),
            batch_size * mask_units,
        )
        buffers = engine.take_buffers(shape)
        feed = ahead(
            chunks(
                members,
                self._strategies,
                batch_size=batch_size,
                y=engine.y,
                n_classes=engine.n_classes,
                mask_units=mask_units,
                running=course.running,
                longest=self._steps,
                buffers=buffers,
                generators=self._generators,
            )
        )
        total = np.zeros(len(members))
        rates = program.per_member(course.rates)
        with closing(feed):
            for chunk in feed:
                ran = course.running.copy()
                weights, adam, losses = program.train(
                    weights,
                    adam,
                    self._data,
                    self._inputs,
                    chunk.plan,
                    chunk.masks,
                    chunk.takes * ran,
                    rates,
                    self._dropout,
                    chunk.steps,
                    focal=self._focal,
                )
                total += losses
                if self._stopping:
                    break
                if not chunk.epoch_ends:
                    continue
                loss, trained_at = total / chunk.epoch_steps, course.rates.copy()
                monitor = watch.losses(weights, self._data, self._inputs) if watch else None
                improved = course.update(loss, monitor)
                if improved.all():
                    best = weights
                elif improved.any():
                    best = program.choose(improved, weights, best)
                history.append((loss, monitor, trained_at))
                for member in np.flatnonzero(ran):
                    held[member].append(chunk.held[member])
                on_epoch(int(ran.sum()))
                if not course.running.any():
                    break
                rates = program.per_member(course.rates)
                total = np.zeros(len(members))
        # The feed is closed, so nothing draws into them any more.
        engine.give_buffers(buffers)
        if self._stopping:
            return []
        self.weights = best if watch else weights
        return self._outcomes(present, course, history, held)

    def _watch(self) -> RowBlocks:
        rows, y = [m.validation for m in self._members], self._engine.y
        shares = [loss_shares(own, y, self._training.monitor) for own in rows]
        return RowBlocks(self._program, rows, self._block, shares)

    def _outcomes(
        self,
        present: int,
        course: Course,
        history: list[tuple[Any, Any, Any]],
        held: list[list[PlanSummary]],
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
        blocks = RowBlocks(self._program, rows, self._block)
        logits = blocks.logits(self.weights, self._data, self._inputs).astype(np.float64)
        probabilities = softmax(logits, axis=2).astype(np.float32)
        return [p[:size] for p, size in zip(probabilities, blocks.sizes, strict=True)]
