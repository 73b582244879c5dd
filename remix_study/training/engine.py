"""Training of all members of a trial: the epoch loop around one compiled program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.plan_summary import PlanSummary
from remix_study.batches.strategies import Strategy
from remix_study.batches.training_rows import TrainingRows
from remix_study.errors import UsageError
from remix_study.models.augmentation import Augmentation
from remix_study.models.network import Network
from remix_study.seeds import derive
from remix_study.studyfile.schema import Training
from remix_study.training.adam import AdamState
from remix_study.training.program import Program
from remix_study.training.stacks import at_a_time, program_of
from remix_study.training.step import Weights

# Rows of a forward pass; bounds the memory of hidden layers.
_BLOCK = 1024
_IMAGE_BLOCK = 256
# Stacks whose first values are kept between trials.
_STARTS = 8

OnEpoch = Callable[[int], None]
Buffers = tuple[NDArray[np.uint16], NDArray[np.uint16]]
Start = tuple[Weights, AdamState]


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
    trained_on: PlanSummary


@dataclass(eq=False)
class Engine:
    """A compiled program with the rows of a problem on its device.

    Build one for a problem and an architecture, then call :meth:`fit` for every trial: nothing is
    compiled again. Members beyond the network's stack train in further stacks, on a CPU as many
    at a time as it has cores: one program a core waits for no other after every product, as the
    threads of one large product would.

    Attributes:
        network: What is trained.
        X: float32 (n, d), missing values as NaN, or images uint8 (n, height, width, channels).
        y: int32 (n,).
        n_classes: Number of classes K.
        fill: (members, d) what missing values become; d is 0 for images, which are only scaled.
        centre: (members, d) what is subtracted.
        scale: (members, d) what is divided by.
        jit: Whether the program is compiled by XLA.
        augmentation: What strategies that augment do to images.
    """

    network: Network
    X: NDArray[Any]
    y: NDArray[np.int32]
    n_classes: int
    fill: NDArray[Any]
    centre: NDArray[Any]
    scale: NDArray[Any]
    jit: bool = True
    augmentation: Augmentation | None = None
    program: Program = field(init=False)
    data: Any = field(init=False)
    _last: list[Weights] = field(init=False, default_factory=list)
    _spare: list[Buffers] = field(init=False, default_factory=list)
    _starts: dict[tuple[int, ...], Start] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Put the rows on the device; the first trial compiles."""
        self.program = Program(
            self.network, n_classes=self.n_classes, jit=self.jit, augmentation=self.augmentation
        )
        self.data = self.program.data(self.X, self.y)

    def fit(
        self,
        members: Sequence[Member],
        strategy: Strategy | Sequence[Strategy],
        training: Training,
        *,
        dropout: float | None = None,
        on_epoch: OnEpoch | None = None,
        places: Sequence[int] | None = None,
    ) -> list[Outcome]:
        """Train members under one strategy, or under each of several.

        Args:
            members: Folds, in the order of the preprocessing's rows.
            strategy: How batches are drawn, mixed and weighed. Of several, each trains all
                members, and what does not fill a stack shares it with the next.
            training: Epochs, rates and stopping.
            dropout: Share of units dropped; the network's own when None.
            on_epoch: Called after every epoch of a stack with the number of members that ran it,
                never twice at a time.
            places: Positions of the members to train; all of them when None.

        Returns:
            One outcome a trained member, in order, strategy by strategy. An outcome does not
            depend on the others.

        Raises:
            UsageError: The strategy augments, and there is nothing to do so with.
            ValueError: Strategies that one program cannot train.
        """
        from remix_study.training.run import Run

        strategies = (strategy,) if isinstance(strategy, Strategy) else tuple(strategy)
        for one in strategies:
            if one.augment and self.augmentation is None:
                raise UsageError(f'strategy "{one.name}" augments images, and these are rows')
        if len({program_of(one) for one in strategies}) != 1:
            raise ValueError("strategies of several programs cannot share a stack")
        stack = self.network.stack
        most = _BLOCK if self.X.ndim == 2 else _IMAGE_BLOCK
        block = min(most, max(len(m.validation) for m in members))
        steps = max(len(m.training.rows) for m in members) // training.batch_size
        rate = self.network.dropout if dropout is None else dropout
        rows = range(len(members)) if places is None else places
        chosen = [(place, one) for one in strategies for place in rows]
        runs = []
        for start in range(0, len(chosen), stack):
            present = chosen[start : start + stack]
            # A stack that is not full is padded with copies that never run.
            padded = present + [present[0]] * (stack - len(present))
            own = [_drawn_for(members[place], one) for place, one in padded]
            positions, ways = [place for place, _ in padded], [one for _, one in padded]
            runs.append(Run(self, own, positions, ways, training, rate, block, steps))
        lock = threading.Lock()

        def told(ran: int) -> None:
            if on_epoch:
                with lock:
                    on_epoch(ran)

        sizes = [min(stack, len(chosen) - start) for start in range(0, len(chosen), stack)]
        if len(runs) == 1 or at_a_time() == 1:
            outcomes = [run.train(size, told) for run, size in zip(runs, sizes, strict=True)]
        else:
            with ThreadPoolExecutor(at_a_time(), thread_name_prefix="stack") as pool:
                waiting = [
                    pool.submit(run.train, size, told)
                    for run, size in zip(runs, sizes, strict=True)
                ]
                try:
                    # The first to fail is heard at once, wherever it stands.
                    for ended in as_completed(waiting):
                        ended.result()
                    outcomes = [ended.result() for ended in waiting]
                except BaseException:
                    # An interrupt must not wait for the trial's end.
                    for run in runs:
                        run.stop()
                    raise
        self._last = [run.weights for run in runs]
        return [outcome for part in outcomes for outcome in part]

    def member_weights(self, member: int) -> list[NDArray[Any]]:
        """Weights that a member of the last trial was scored with, without a member axis."""
        stack, place = divmod(member, self.network.stack)
        return self.program.member_weights(self._last[stack], place)

    def start(self, seeds: Sequence[int]) -> Start:
        """The first values of a stack, on the device: for the same members the same each trial."""
        key = tuple(seeds)
        if key not in self._starts:
            if len(self._starts) >= _STARTS:
                self._starts.clear()
            self._starts[key] = self.program.start(
                [self.network.initial_weights(seed) for seed in seeds]
            )
        return self._starts[key]

    def take_buffers(self, shape: tuple[int, int, int]) -> Buffers:
        """Two arrays for the masks of a stack, of an earlier trial where there are any.

        Fresh ones cost a second trial more than all else before its first step: tens of
        megabytes that the system hands out page by page.
        """
        # Stacks take theirs at a time.
        with suppress(IndexError):
            while True:
                buffers = self._spare.pop()
                if buffers[0].shape == shape:
                    return buffers
        return np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)

    def give_buffers(self, buffers: Buffers) -> None:
        """Keep them for the next trial; nothing may write to them any more."""
        self._spare.append(buffers)


def _drawn_for(member: Member, strategy: Strategy) -> Member:
    if not strategy.has_own_seeds:
        return member
    return replace(member, seed=derive(member.seed, strategy.loss))
