"""Task: a problem with its folds, ready to train on, and the compiled engines that do it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from remix_study.batches.samplers import DEVICE_SAMPLERS, STACK_SAMPLERS
from remix_study.data.folds import Fold
from remix_study.data.problems import Problem
from remix_study.errors import UsageError
from remix_study.models.augmentation import Augmentation, build_augmentation
from remix_study.models.building import build_network, layer_precision, resolved_options
from remix_study.models.networks import Network
from remix_study.models.size import Layer, NetworkSize, built_size, dense_size
from remix_study.study.configurations import (
    Configuration,
    Parameters,
    augmenting,
    configuration_of,
    model_key,
    program_stack,
)
from remix_study.study.fold_blocks import Blocks, all_folds, by_fold, by_repeat, by_share
from remix_study.study.tables import short_name
from remix_study.studyfile.schema import Model, ProblemSpec, Study
from remix_study.training import stacks
from remix_study.training.encoding import input_shape
from remix_study.training.estimators import fit_estimator
from remix_study.training.members import FoldMembers, make_members
from remix_study.training.stacks import STACKED, can_stack, check_precision, dropout_rate

if TYPE_CHECKING:
    from remix_study.training.engine import Engine
    from remix_study.training.members import OnEpoch, Outcome

Role = Literal["", "references", "search", "inner", "outer", "rare-rows"]
"""References: trials beside a search, of what its space lacks. Search: one that follows a grid.
Inner: a search within an outer fold. Outer: what the inner searches chose, on the outer folds.
Rare rows: the best methods again, with fewer rare rows."""

_NAMED_ROLES = ("references", "search", "rare-rows")


@dataclass(eq=False)
class _Cache:
    """What a task builds once and uses again; a search shares it with its references."""

    members: FoldMembers | None = None
    engines: OrderedDict[str, Engine] = field(default_factory=OrderedDict)
    sizes: dict[str, NetworkSize] = field(default_factory=dict)


@dataclass(eq=False)
class Task:
    """A problem of a study with its folds, ready to train on.

    Attributes:
        study: The study file.
        spec: The problem's entry in it.
        problem: The imbalanced data.
        folds: Repeated cross-validation.
        role: Its part in a search; "" for the problem itself.
        parent: Name of the problem that the part belongs to; "" for the problem itself.
        cores: Cores that training may use on a CPU; 0 for all that the process may use.
    """

    study: Study
    spec: ProblemSpec
    problem: Problem
    folds: tuple[Fold, ...]
    role: Role = ""
    parent: str = ""
    cores: int = 0
    _cache: _Cache = field(default_factory=_Cache)

    @property
    def name(self) -> str:
        """Name of the Optuna study."""
        return self._name_with(short_name(self.problem.name))

    @property
    def whole_name(self) -> str:
        """The name with all of the problem's, however long that is; seeds come from it."""
        return self._name_with(self.problem.name)

    def _name_with(self, problem: str) -> str:
        part = f"/{self.role}" if self.role in _NAMED_ROLES else ""
        return f"{self.study.name}/{problem}{part}"

    @property
    def blocks(self) -> Blocks:
        """Positions of the folds that train together, in the order in which they do."""
        if self.role == "outer":
            return by_fold(self.folds)
        if self.role == "rare-rows":
            return by_share(self.folds)
        return by_repeat(self.folds) if self.study.search.prune else all_folds(self.folds)

    @property
    def folds_per_trial(self) -> int:
        """How many folds a trial trains that is not pruned."""
        return len(self.blocks[0] if self.role in ("outer", "rare-rows") else self.folds)

    @property
    def shares_programs(self) -> bool:
        """Whether several trials may train in one program.

        They may in a grid, where trials are planned and train all folds at once. A search suggests
        a trial from the scores of earlier ones, and the parts of a search have its stack.
        """
        is_grid = self.study.search.algorithm == "grid" and not self.role
        return is_grid and can_stack(self.study.model, self.spec.training)

    @property
    def stack(self) -> int:
        """Networks in one program."""
        members, is_shared = max(map(len, self.blocks)), self.shares_programs
        samplers = self.samplers_on_device
        return program_stack(
            self.study, self.spec.training, members, samplers, is_shared=is_shared
        )

    @property
    def samplers_on_device(self) -> Collection[str]:
        """Samplers that can draw in a compiled program: with nominal features SMOTE cannot."""
        return STACK_SAMPLERS if self.problem.dataset.nominal else DEVICE_SAMPLERS

    @property
    def trials_per_program(self) -> int:
        """How many trials train side by side: as many as the stacks that train at a time hold.

        One where a stack does not hold two: it would be full anyway.
        """
        is_shared = self.spec.training.stack != 0 and self.shares_programs
        if not is_shared or self.stack < 2 * len(self.folds):
            return 1
        return self.stack * stacks.stacks_at_a_time(self.cores) // len(self.folds)

    def configuration(self, parameters: Parameters) -> Configuration:
        """What the parameters of a trial mean here."""
        study = self.study
        return configuration_of(parameters, self.spec.training, study.model, study.estimators)

    @property
    def engines(self) -> list[Engine]:
        """The compiled engines that are kept."""
        return list(self._cache.engines.values())

    @property
    def members(self) -> FoldMembers:
        """One member a fold, made when the first trial trains."""
        if self._cache.members is None:
            self._cache.members = make_members(self.problem, self.folds, self.study.seed)
        return self._cache.members

    def fit(
        self,
        configuration: Configuration,
        on_epoch: OnEpoch | None = None,
        positions: Sequence[int] | None = None,
    ) -> list[Outcome]:
        """Train folds with one configuration.

        Args:
            configuration: What to train.
            on_epoch: Called after every epoch of a stack with its running members.
            positions: Positions of the folds; all of them when None. A fold's outcome does not
                depend on which others train with it.

        Raises:
            UsageError: The model cannot be used, or mixed precision without an accelerator.
        """
        return self._fit([configuration], on_epoch, positions)

    def fit_together(
        self,
        configurations: Sequence[Configuration],
        on_epoch: OnEpoch | None = None,
        positions: Sequence[int] | None = None,
    ) -> list[list[Outcome]]:
        """Train folds as :meth:`fit` does with several configurations of one program."""
        outcomes = self._fit(configurations, on_epoch, positions)
        n = len(self.folds if positions is None else positions)
        return [outcomes[start : start + n] for start in range(0, len(outcomes), n)]

    def _fit(
        self,
        configurations: Sequence[Configuration],
        on_epoch: OnEpoch | None,
        positions: Sequence[int] | None,
    ) -> list[Outcome]:
        first = configurations[0]
        if first.estimator:
            at = range(len(self.folds)) if positions is None else positions
            return fit_estimator(first.estimator, self.members, at, self.cores, on_epoch)
        return self._engine(first.model, first.training.batch_size).fit(
            self.members.members,
            [configuration.strategy for configuration in configurations],
            first.training,
            # The engine may have been built at another rate.
            dropout=dropout_rate(first.model),
            on_epoch=on_epoch,
            places=positions,
            ensemble=first.model.ensemble,
        )

    def network_size(self, model: Model) -> NetworkSize:
        """Layers and parameters of one network; UsageError where it cannot be built."""
        key, shape = model_key(model), input_shape(model.features, self.problem)
        if key not in self._cache.sizes:
            size = (
                dense_size(self._options(model), shape, self.problem.K)
                if model.name == STACKED
                else built_size(self._build_network(model, 1))
            )
            if shape != self.problem.dataset.row_shape:
                encoder = Layer(model.features.numeric, shape, 0)
                size = replace(size, layers=(encoder, *size.layers))
            self._cache.sizes[key] = size
        return self._cache.sizes[key]

    def network_parameters(self, configuration: Configuration) -> int:
        """Trainable parameters of a fold's networks; errors are those of its size."""
        if configuration.estimator:
            return 0
        return self.network_size(configuration.model).parameters * configuration.networks

    def fresh(self) -> Task:
        """The same task with nothing built yet, for other rows or folds."""
        return replace(self, _cache=_Cache())

    def shares_engines(self, other: Task) -> bool:
        """Whether another task trains with the same members and engines."""
        return self._cache is other._cache

    def free(self) -> None:
        """Release members and compiled engines; they are made again when needed."""
        self._cache.engines.clear()
        self._cache.members = None

    def _options(self, model: Model) -> dict[str, Any]:
        """Options of a network: widths given by name follow from the table, encoded or not."""
        shape = self.problem.dataset.row_shape
        return resolved_options(model.name, model.options, shape, self.problem.K)

    def _build_network(self, model: Model, stack: int) -> Network:
        dataset = self.problem.dataset
        try:
            with layer_precision(self.spec.training.precision):
                return build_network(
                    model.name,
                    stack=stack,
                    input_shape=input_shape(model.features, self.problem),
                    n_classes=self.problem.K,
                    options=self._options(model),
                    allow_plugins=self.study.allow_plugins,
                )
        except UsageError as error:
            if not dataset.has_images:
                raise
            # Names which of several folders holds the grey images.
            raise UsageError(f"data set {dataset.name}: {error}") from error

    def _engine(self, model: Model, batch_size: int) -> Engine:
        """The compiled engine for a model and batch size, the last few of which are kept."""
        from remix_study.study.engines import drop_oldest, make_engine

        # Dropout's rate is an input of the program; only whether there is any shapes it.
        rate = dropout_rate(model)
        masked = {} if rate is None else {"dropout": rate > 0}
        # References share the engines of their search, whose strategies may augment.
        is_augmented = bool(augmenting(self.study.search.space))
        key = model_key(model, masked, batch_size, self.stack, is_augmented)
        engines = self._cache.engines
        if key not in engines:
            check_precision(self.spec.training)
            engines[key] = make_engine(
                self.members,
                model,
                self.spec.training,
                self._build_network(model, self.stack),
                stack=self.stack,
                augmentation=self._build_augmentation() if is_augmented else None,
                cores=self.cores,
            )
            drop_oldest(engines)
        engines.move_to_end(key)
        return engines[key]

    def _build_augmentation(self) -> Augmentation:
        named, shape = self.study.augmentation, self.problem.dataset.row_shape
        allow_plugins = self.study.allow_plugins
        return build_augmentation(named.name, shape, named.options, allow_plugins=allow_plugins)
