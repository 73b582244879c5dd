"""Training of all members of a trial, in stacks that share one compiled program."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from remix_study.batches.strategies import Strategy
from remix_study.errors import UsageError
from remix_study.seeds import derive_seed
from remix_study.studyfile.schema import Training
from remix_study.training.compiled_problem import CompiledProblem
from remix_study.training.members import Member, OnEpoch, Outcome, mean_outcome
from remix_study.training.stack_trainer import StackTrainer
from remix_study.training.stacks import program_key, stacks_at_a_time
from remix_study.training.step import Weights

# Rows of a forward pass; bounds the memory of hidden layers.
_BLOCK = 1024
_IMAGE_BLOCK = 256


@dataclass(eq=False)
class Engine(CompiledProblem):
    """Trains the members of trials with one compiled program.

    Build one for a problem and an architecture, then call :meth:`fit` for every trial: nothing is
    compiled again. Members beyond the network's stack train in further stacks, on a CPU as many
    at a time as it has cores: one program a core waits for no other after every product, as the
    threads of one large product would.

    Attributes:
        cores: Cores that stacks may use on a CPU; 0 for all that the process may use.
    """

    cores: int = 0
    _last_weights: list[Weights] = field(init=False, default_factory=list)

    def fit(
        self,
        members: Sequence[Member],
        strategy: Strategy | Sequence[Strategy],
        training: Training,
        *,
        dropout: float | None = None,
        on_epoch: OnEpoch | None = None,
        places: Sequence[int] | None = None,
        ensemble: int = 1,
    ) -> list[Outcome]:
        """Train members under one strategy, or under each of several.

        Args:
            members: Folds, in the order of the preprocessing's rows.
            strategy: How batches are drawn, mixed and weighted. Each of several strategies trains
                all members, and members that do not fill a stack share it with those of the next.
            training: Epochs, rates and stopping.
            dropout: Share of units dropped; the network's own when None.
            on_epoch: Called after every epoch of a stack with the number of members that ran it,
                by one thread at a time.
            places: Positions of the members to train; all of them when None.
            ensemble: Networks a member, each with a seed of its own, that of the first being the
                member's. They stop by themselves, and their probabilities are averaged.

        Returns:
            One outcome a trained member, in order, strategy by strategy. An outcome does not
            depend on the others.

        Raises:
            UsageError: A strategy augments, and the rows are no images.
            ValueError: Strategies that one program cannot train.
        """
        strategies = (strategy,) if isinstance(strategy, Strategy) else tuple(strategy)
        self._check(strategies)
        stack = self.network.stack
        longest_block = _BLOCK if len(self.data.X.shape) == 2 else _IMAGE_BLOCK
        assert self.padded_size is not None
        block = min(longest_block, self.padded_size(max(len(m.validation) for m in members)))
        longest = self.padded_size(max(len(m.training.rows) for m in members))
        rate = self.network.dropout if dropout is None else dropout
        positions = range(len(members)) if places is None else places
        # The first networks come first: their stacks' rows then serve the others, too.
        runs = [
            (position, s, number)
            for s in strategies
            for number in range(ensemble)
            for position in positions
        ]
        trainers, sizes = [], []
        for start in range(0, len(runs), stack):
            present = runs[start : start + stack]
            # A stack that is not full is padded with copies that never run.
            padded = present + [present[0]] * (stack - len(present))
            trainers.append(
                StackTrainer(
                    self,
                    [
                        _with_seed_for(members[position], s, number)
                        for position, s, number in padded
                    ],
                    [position for position, _, _ in padded],
                    [s for _, s, _ in padded],
                    training,
                    dropout=rate,
                    block=block,
                    longest=longest,
                )
            )
            sizes.append(len(present))
        lock = threading.Lock()

        def report_epoch(ran: int) -> None:
            if on_epoch:
                with lock:
                    on_epoch(ran)

        outcomes = _train(trainers, sizes, report_epoch, stacks_at_a_time(self.cores))
        self._last_weights = [trainer.weights for trainer in trainers]
        n, n_networks = len(positions), len(positions) * ensemble
        return [
            mean_outcome(outcomes[at : start + n_networks : n])
            for start in range(0, len(outcomes), n_networks)
            for at in range(start, start + n)
        ]

    def member_weights(self, member: int) -> list[NDArray[Any]]:
        """Return the weights that a member of the last trial was scored with.

        They have no member axis, in the order of the network's variables. Of an ensemble they are
        those of its first network.
        """
        stack, place = divmod(member, self.network.stack)
        return self.program.member_weights(self._last_weights[stack], place)

    def _check(self, strategies: Sequence[Strategy]) -> None:
        for strategy in strategies:
            if strategy.augment and self.augmentation is None:
                raise UsageError(
                    f'strategy "{strategy.name}" augments images, and these are rows of a table: '
                    "choose a strategy that does not augment"
                )
        if len({program_key(strategy) for strategy in strategies}) != 1:
            raise ValueError("strategies of several programs cannot share a stack")


def _with_seed_for(member: Member, strategy: Strategy, number: int) -> Member:
    """Return the member with the seed that the strategy trains its network of this number from."""
    seed = derive_seed(member.seed, strategy.loss) if strategy.has_own_seeds else member.seed
    return replace(member, seed=derive_seed(seed, "ensemble", number) if number else seed)


def _train(
    trainers: Sequence[StackTrainer], sizes: Sequence[int], on_epoch: OnEpoch, at_a_time: int
) -> list[Outcome]:
    """Train stacks, some at a time; the first failure stops all of them."""
    stacks = list(zip(trainers, sizes, strict=True))
    if len(stacks) == 1 or at_a_time == 1:
        return [outcome for t, size in stacks for outcome in t.train(size, on_epoch)]
    with ThreadPoolExecutor(at_a_time, thread_name_prefix="stack") as pool:
        futures = [pool.submit(t.train, size, on_epoch) for t, size in stacks]
        try:
            # In the order in which they end, so that a failure is raised at once.
            for future in as_completed(futures):
                future.result()
            return [outcome for future in futures for outcome in future.result()]
        except BaseException:
            # An interrupt must not wait for the trial's end.
            for trainer in trainers:
                trainer.stop()
            raise
