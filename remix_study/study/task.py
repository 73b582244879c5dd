"""A problem made ready to train on: rows, folds, members, and compiled engines to reuse."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.smote import FeatureRows
from remix_study.batches.training_rows import TrainingRows
from remix_study.data.dataset import Dataset
from remix_study.data.folds import Fold, make_folds
from remix_study.data.images import ImageRows, load_images
from remix_study.data.named_datasets import load_dataset
from remix_study.data.preprocessing import Preprocessing, fit_preprocessing
from remix_study.data.problems import Problem, make_problem
from remix_study.data.redraw import make_redrawn_problem
from remix_study.data.table_file import load_file
from remix_study.errors import DataError, StudyFileError, UsageError
from remix_study.seeds import derive_seed
from remix_study.study import blocks
from remix_study.study.checks import augmenting, check_batch_size, check_kind
from remix_study.study.configurations import Configuration
from remix_study.study.shared_program import stack_of
from remix_study.studyfile.schema import Model, ProblemSpec, Study
from remix_study.training.member import Member
from remix_study.training.stacks import STACKED, check_precision, dropout_rate

if TYPE_CHECKING:
    from remix_study.models.augmentation import Augmentation
    from remix_study.training.engine import Engine
    from remix_study.training.member import OnEpoch, Outcome

Role = Literal["", "references", "inner", "outer"]
"""References: first points beside a space. Inner: a search within an outer fold. Outer: what the
inner searches chose, on the outer folds."""

# Compiled programs kept at once; a search over widths would otherwise collect one for each.
_ENGINES = 3
_LEAK = (
    "the rows come in groups that these splits part, so test rows have close relatives in "
    "training; set cv.grouped = true to keep groups together"
)
# A feature this many spreads away from zero would lose its digits in float32.
_FAR = 1e3


@dataclass(eq=False)
class Task:
    """One problem of a study with everything its trials share.

    Attributes:
        study: The study file.
        spec: The entry of it.
        problem: The imbalanced data.
        folds: Repeated cross-validation.
        role: What part of a search it is; "" for the problem itself.
        cores: Cores that training may use on a CPU; 0 for all that the process may use.
    """

    study: Study
    spec: ProblemSpec
    problem: Problem
    folds: tuple[Fold, ...]
    role: Role = ""
    parent: str = ""
    cores: int = 0
    _engines: OrderedDict[str, Engine] = field(default_factory=OrderedDict)
    _parameters: dict[str, int] = field(default_factory=dict)
    _prepared: tuple[Preprocessing | None, list[Member]] | None = None

    @property
    def name(self) -> str:
        """Name of the Optuna study."""
        part = "/references" if self.role == "references" else ""
        return f"{self.study.name}/{self.problem.name}{part}"

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """Positions of the folds that train together, in the order in which they do."""
        if self.role == "outer":
            return blocks.by_fold(self.folds)
        if self.study.search.prune and self.role != "references":
            return blocks.by_repeat(self.folds)
        return (tuple(range(len(self.folds))),)

    @property
    def stack(self) -> int:
        """Members in one program; a network that knows no member axis trains one at a time."""
        return stack_of(self)

    def fit(
        self,
        setting: Configuration,
        on_epoch: OnEpoch | None = None,
        places: Sequence[int] | None = None,
    ) -> list[Outcome]:
        """Train folds at one point.

        Args:
            setting: What to train.
            on_epoch: Called after every epoch of a stack with its running members.
            places: Positions of the folds; all of them when None. A fold's outcome does not
                depend on which others train with it.

        Raises:
            UsageError: The model cannot be built or does not fit the data, or mixed precision is
                asked for without an accelerator.
        """
        return self._fit([setting], on_epoch, places)

    def fit_together(
        self, settings: Sequence[Configuration], on_epoch: OnEpoch | None = None
    ) -> list[list[Outcome]]:
        """Train all folds at several points, side by side; see :func:`together.alike`.

        Returns:
            The outcomes of each point, fold by fold.
        """
        found, n = self._fit(settings, on_epoch), len(self.folds)
        return [found[start : start + n] for start in range(0, len(found), n)]

    def _fit(
        self,
        settings: Sequence[Configuration],
        on_epoch: OnEpoch | None,
        places: Sequence[int] | None = None,
    ) -> list[Outcome]:
        first = settings[0]
        return self._engine(first.model, first.training.batch_size).fit(
            self._members()[1],
            [setting.strategy for setting in settings],
            first.training,
            # An engine may have been built at another rate.
            dropout=dropout_rate(first.model),
            on_epoch=on_epoch,
            places=places,
        )

    def network_parameters(self, model: Model) -> int:
        """Trainable parameters of one network.

        Raises:
            UsageError: The model cannot be built, or does not fit the data.
        """
        key = _key(model)
        if key not in self._parameters:
            self._parameters[key] = self._network(model, 1).parameters
        return self._parameters[key]

    def fresh(self) -> Task:
        """The same task with nothing compiled or prepared, for other rows or folds."""
        return replace(self, _engines=OrderedDict(), _parameters={}, _prepared=None)

    def free(self) -> None:
        """Let go of compiled programs and members; they are made again when asked for."""
        self._engines.clear()
        self._prepared = None

    def _network(self, model: Model, stack: int) -> Any:
        from remix_study.models.building import build_network, layer_precision

        dataset = self.problem.dataset
        try:
            with layer_precision(self.spec.training.precision):
                return build_network(
                    model.name,
                    stack=stack,
                    input_shape=dataset.row_shape,
                    n_classes=self.problem.K,
                    options=model.options,
                    allow_plugins=self.study.allow_plugins,
                )
        except UsageError as error:
            if not dataset.has_images:
                raise
            # Which of several folders holds the grey images.
            raise UsageError(f"data set {dataset.name}: {error}") from error

    def _engine(self, model: Model, batch_size: int) -> Engine:
        from remix_study.training.engine import Engine

        # Dropout's rate is an input of the program; only whether there is any shapes it.
        rate = dropout_rate(model)
        masked = {} if rate is None else {"dropout": rate > 0}
        augmented = bool(augmenting(self.study.search.space))
        key = _key(model, masked, batch_size, self.stack, augmented)
        if key not in self._engines:
            check_precision(self.spec.training)
            X, fill, centre, scale = self._features()
            self._engines[key] = Engine(
                self._network(model, self.stack),
                X,
                self.problem.y,
                self.problem.K,
                fill,
                centre,
                scale,
                # Convolutions by XLA take a hundred times as long on a CPU, and the layers that
                # augment have no form for it.
                jit=model.name == STACKED,
                augmentation=self._augmentation(),
                cores=self.cores,
            )
            while len(self._engines) > _ENGINES:
                self._engines.popitem(last=False)
        self._engines.move_to_end(key)
        return self._engines[key]

    def _features(self) -> tuple[NDArray[Any], ...]:
        """The problem's rows as the program takes them, with fill, centre and scale."""
        dataset, (prepared, _) = self.problem.dataset, self._members()
        if prepared is None:
            nothing = np.zeros((len(self.folds), 0))
            return dataset.X[self.problem.rows], nothing, nothing, nothing
        origin = far_origin(self.problem.X)
        X = (self.problem.X - origin).astype(np.float32)
        return X, prepared.fill - origin, prepared.centre - origin, prepared.scale

    def _augmentation(self) -> Augmentation | None:
        from remix_study.models.augmentation import build_augmentation

        if not augmenting(self.study.search.space):
            return None
        chosen, shape = self.study.augmentation, self.problem.dataset.row_shape
        return build_augmentation(
            chosen.name, shape, chosen.options, allow_plugins=self.study.allow_plugins
        )

    def _members(self) -> tuple[Preprocessing | None, list[Member]]:
        """Preprocessing (none for images) and members, made when the first trial asks."""
        if self._prepared is None:
            prepared = None
            if not self.problem.dataset.has_images:
                prepared = fit_preprocessing(self.problem.X, [fold.train for fold in self.folds])
            members = [self._member(i, prepared) for i in range(len(self.folds))]
            self._prepared = prepared, members
        return self._prepared

    def _member(self, position: int, prepared: Preprocessing | None) -> Member:
        fold, problem = self.folds[position], self.problem

        @lru_cache(1)
        def features() -> FeatureRows:
            if prepared is None:
                return ImageRows(problem.dataset.X, problem.rows[fold.train])
            return prepared.apply(position, problem.X[fold.train])

        seed = derive_seed(self.study.seed, problem.name, fold.repeat, fold.fold, "member")
        rows = TrainingRows(
            fold.train.astype(np.int32), problem.y[fold.train], problem.K, features
        )
        return Member(seed, rows, fold.validation.astype(np.int32), fold.test.astype(np.int32))


def _key(model: Model, masked: dict[str, bool] | None = None, *more: int) -> str:
    return json.dumps([model.name, model.options | (masked or {}), *more], default=str)


def prepare(study: Study, given: Dataset | None = None, *, cores: int = 0) -> list[Task]:
    """Load the data and make the folds of every problem, before anything is trained.

    Args:
        study: The study file.
        given: Data handed over in Python, for problems that name none.
        cores: Cores that training may use on a CPU; 0 for all that the process may use.

    Raises:
        StudyFileError: A problem names no data, or its batches exceed its training rows.
        DataError: Data that cannot be read, or a class with too few rows.
    """
    tasks: list[Task] = []
    for position, spec in enumerate(study.problems):
        where = f"{study.source}: problems[{position}]"
        try:
            dataset = _dataset(study, spec, given)
            check_kind(study, dataset)
            made = [
                _make(study, spec, dataset, imbalance, cores)
                for imbalance in spec.imbalance or (None,)
            ]
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        except StudyFileError as error:
            raise StudyFileError(f"{where}.{error}") from error
        for task in made:
            if any(other.name == task.name for other in tasks):
                raise StudyFileError(f"{where}: {task.problem.name} stands twice")
            tasks.append(task)
    return tasks


def _make(
    study: Study, spec: ProblemSpec, dataset: Dataset, imbalance: float | None, cores: int
) -> Task:
    make = partial(make_redrawn_problem, repeats=study.cv.repeats)
    problem = (make if study.cv.redraw and imbalance is not None else make_problem)(
        dataset,
        kind=spec.kind,
        minority=tuple(str(label) for label in spec.minority),
        imbalance=imbalance,
        seed=study.seed,
    )
    folds = make_folds(
        problem,
        folds=study.cv.folds,
        repeats=study.cv.repeats,
        validation=study.cv.validation,
        grouped=study.cv.grouped,
        seed=study.seed,
    )
    fewest = min(len(fold.train) for fold in folds)
    check_batch_size(study.search.space, spec.training.batch_size, fewest, problem.name)
    if dataset.groups is not None and not study.cv.grouped:
        problem = replace(problem, notes=(*problem.notes, _LEAK))
    if study.note:
        problem = replace(problem, notes=(*problem.notes, study.note))
    return Task(study, spec, problem, folds, cores=cores)


def _dataset(study: Study, spec: ProblemSpec, given: Dataset | None) -> Dataset:
    if spec.dataset is not None:
        return load_dataset(spec.dataset)
    if spec.file is not None:
        path = study.folder / spec.file
        return load_file(path, label=spec.label or "", groups=spec.groups, drop=spec.drop)
    if spec.images is not None:
        return load_images(study.folder / spec.images)
    if given is None:
        raise StudyFileError("dataset: missing; name a data set, a file or images")
    return given


def far_origin(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """What to subtract from each feature before it becomes float32, 0 for nearly all.

    Standardising undoes any shift, so this changes no result; it only keeps the digits of a
    feature such as a time stamp, whose values lie far from zero and close to each other.
    """
    with np.errstate(invalid="ignore"):
        low, high = np.nanmin(X, axis=0, initial=np.inf), np.nanmax(X, axis=0, initial=-np.inf)
        far = np.maximum(np.abs(low), np.abs(high)) > _FAR * (high - low)
        middle = (low + high) / 2
    return np.where(far & np.isfinite(middle), middle, 0.0)
