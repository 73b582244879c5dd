"""Training of one stack of members, each under its strategy: the epoch loop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.losses import loss_vectors
from remix_study.batches.plan import StackPlanner
from remix_study.batches.plan_summary import StackSummary
from remix_study.batches.random_bits import StepKeys, step_keys
from remix_study.batches.samplers import SMOTE_SAMPLERS
from remix_study.batches.stack_draws import stack_rows
from remix_study.batches.strategies import Strategy
from remix_study.batches.training_rows import TrainingRows
from remix_study.studyfile.schema import Training
from remix_study.training.compiled_problem import CompiledProblem
from remix_study.training.epoch_plans import (
    EpochPlan,
    can_draw_on_device,
    device_plans,
    host_plans,
    prefetch,
)
from remix_study.training.epoch_records import Epoch, EpochRecords
from remix_study.training.members import Member, OnEpoch, Outcome
from remix_study.training.program import RowBlocks, loss_shares, losses_of
from remix_study.training.stacks import has_accelerator, program_key
from remix_study.training.step import Weights
from remix_study.training.stopping import StoppingSchedule

# Rows of a stack's epoch up to which the next one's plan is drawn while it trains. With more on a
# CPU the stacks keep all cores busy, and two plans may take as much memory as the table.
_MOST_ROWS_AHEAD = 1 << 18

T = TypeVar("T")


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
        longest: int,
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
            longest: Rows of the longest training part among all stacks: one shape serves them
                all.
        """
        self._problem, self._members, self._training = problem, members, training
        self._focal, augments = program_key(strategies[0])
        self._program, self._data = problem.program, problem.data
        self._dropout = self._program.put(dropout, "float32")
        self._is_stopping = False
        augmentation = problem.augmentation if augments else None
        is_blended = any(strategy.has_blended_rows for strategy in strategies)
        self._uses = 0 if augmentation is None else 1 + is_blended
        training_rows = [member.training for member in members]
        self._planner = StackPlanner(
            strategies,
            training_rows,
            [member.seed for member in members],
            batch_size=training.batch_size,
            rows=self._reuse(
                "training", training_rows, lambda: stack_rows(training_rows, longest), longest
            ),
        )
        # The device draws them while it trains.
        self._plans_ahead = bool(problem.draws_on_device) and can_draw_on_device(self._planner)
        monitor, y, row_weights = training.monitor, problem.y, problem.row_weights
        validation = [member.validation for member in members]
        self._validation = self._reuse(
            "validation",
            validation,
            lambda: RowBlocks(
                self._program,
                validation,
                block,
                [loss_shares(rows, y, monitor, row_weights) for rows in validation],
            ),
            (block, monitor),
        )
        test = [member.test for member in members]
        self._test = self._reuse(
            "test", test, lambda: RowBlocks(self._program, test, block), block
        )
        terms = [
            _loss_terms(problem, member.training, strategy.loss)
            for member, strategy in zip(members, strategies, strict=True)
        ]
        encoding: list[NDArray[Any]] = []
        if encoder := problem.encoder:
            blends_raw = np.array([strategy.sampler in SMOTE_SAMPLERS for strategy in strategies])
            encoding = [encoder.lower[positions], encoder.inverse[positions], blends_raw]
        self._inputs = self._program.inputs(
            problem.fill[positions],
            problem.centre[positions],
            problem.scale[positions],
            np.stack([weights for weights, _ in terms]),
            np.stack([offset for _, offset in terms]),
            *encoding,
        )
        # Made here and not in a thread: a user's model is built anew for each seed.
        self._first_values = problem.first_values([m.seed for m in members])
        self.weights: Any = None

    def stop(self) -> None:
        """Take no further steps; :meth:`train` then returns no outcomes."""
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
        best, ended = weights, None
        schedule = StoppingSchedule(self._training, self._planner.steps, present)
        watched = self._validation if schedule.watches_validation else None
        steps = self._planner.steps
        keys = step_keys([member.seed for member in members])
        keys = StepKeys(*(program.put(part, "uint32") for part in keys))
        summary = StackSummary(
            steps,
            self._training.batch_size,
            self._problem.n_classes,
            has_weights=self._problem.row_weights is not None,
        )
        records = EpochRecords(summary)
        rates, steps_on_device = program.per_member(schedule.rates), program.put(steps, "int32")
        no_loss = program.put(np.zeros(len(members)), "float32")

        def record(ended: Epoch) -> Weights:
            """Add an epoch to the records; return the best weights."""
            records.add(ended)
            on_epoch(int(ended.ran.sum()))
            if ended.improved.all():
                return ended.weights
            if ended.improved.any():
                return program.choose(ended.improved, ended.weights, best)
            return best

        with closing(self._plans(schedule.running)) as plans:
            planned: EpochPlan | None = None
            while schedule.running.any():
                planned = planned or next(plans)
                ran = schedule.running.copy()
                running = program.argument(ran, "float32")
                epoch = program.argument([planned.epoch], "uint32")
                losses, passes, longest = no_loss, [], int(steps.max())
                upcoming = None
                for start, stop in self._problem.pace.calls(longest):
                    weights, adam, losses = program.train(
                        weights,
                        adam,
                        self._data,
                        self._inputs,
                        planned.plan,
                        keys,
                        epoch,
                        steps_on_device,
                        running,
                        rates,
                        self._dropout,
                        losses,
                        start,
                        stop,
                        focal=self._focal,
                        uses=self._uses,
                    )
                    if self._plans_ahead and stop == longest:
                        # The device trains until the host waits for it.
                        if watched:
                            passes = watched.passes(weights, self._data, self._inputs)
                        if ended:
                            best, ended = record(ended), None
                        upcoming = next(plans)
                    loss = _wait_for(losses) / steps
                    if self._is_stopping:
                        return []
                rates_before = schedule.rates.copy()
                if watched and not passes:
                    passes = watched.passes(weights, self._data, self._inputs)
                monitor = losses_of(passes) if watched else None
                improved = schedule.update(loss, monitor)
                ended = Epoch(loss, monitor, rates_before, ran, improved, planned.counts, weights)
                if not self._plans_ahead:
                    best, ended = record(ended), None
                if (schedule.rates != rates_before).any():
                    rates = program.per_member(schedule.rates)
                # No other is held while the next one is drawn.
                planned = upcoming
        if ended:
            best = record(ended)
        self.weights = best if watched else weights
        arguments = self.weights, self._data, self._inputs
        validation = self._validation.probabilities(*arguments)
        test = self._test.probabilities(*arguments)
        return records.outcomes(present, schedule, validation, test)

    def _plans(self, running: NDArray[np.bool_]) -> Generator[EpochPlan]:
        problem, planner = self._problem, self._planner
        if self._plans_ahead:
            rows = self._data.y, problem.n_classes, self._data.weights
            return device_plans(planner, *rows, jit=problem.jit)
        rows = problem.y, problem.n_classes, problem.row_weights
        plans = host_plans(planner, running, *rows)
        is_large = planner.rows.rows.size > _MOST_ROWS_AHEAD and not has_accelerator()
        return plans if is_large else prefetch(plans)

    def _reuse(self, kind: str, rows: list[Any], make: Callable[[], T], shape: Any) -> T:
        """Return what was made of the members' rows in an earlier trial, else make it now."""
        key = (kind, shape, *map(id, rows))
        # The rows are kept with it: another array must not come to have the same identity.
        return self._problem.reuse(key, lambda: (make(), rows))[0]


def _wait_for(losses: Any) -> NDArray[np.float64]:
    """The losses of a training call, when it has ended."""
    return np.asarray(losses, np.float64)


def _loss_terms(
    problem: CompiledProblem, rows: TrainingRows, loss: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the factor and the offset (K,) of each class in the loss of a member's rows.

    The factors bring the weights of its training rows to a mean of 1.
    """
    if problem.row_weights is None:
        return loss_vectors(loss, rows.y, problem.n_classes, None, problem.class_weights)
    weights = problem.row_weights[rows.rows]
    factors, offset = loss_vectors(loss, rows.y, problem.n_classes, weights, problem.class_weights)
    return (factors / weights.mean()).astype(np.float32), offset
