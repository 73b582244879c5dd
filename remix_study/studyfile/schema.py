"""What a study is: the frozen objects that a study file becomes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from remix_study.studyfile.search_space import SearchSpace

Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=100)]
Positive = Annotated[int, Meta(ge=1, le=1_000_000)]
NotNegative = Annotated[int, Meta(ge=0, le=1_000_000)]
Rate = Annotated[float, Meta(gt=0, le=10)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Ratio = Annotated[float, Meta(gt=0, le=1)]
Stack = Annotated[int, Meta(ge=0, le=10_000)] | Literal["auto"]
Label = str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

DEFAULT_STORAGE = "sqlite:///remix-study.db"
"""The database that is used unless another is named: a file in the current folder."""

DROPOUT = 0.1
"""Share of units that the built-in network drops unless told otherwise."""

PRESETS: dict[str, dict[str, Any]] = {
    # A look at the answer: small epochs, stopped and restored by the validation part.
    "quick": {
        "epochs": 200,
        "schedule": "constant",
        "stop": "early",
        "start_from_epoch": 20,
        "patience": 20,
    },
    # The authors' training: Adam under Keras' plateau rule on the training loss. They ran 500
    # epochs; a member whose loss no longer moves at the lowest rate is ended.
    "paper": {"epochs": 500, "schedule": "plateau", "stop": "lowest-rate", "patience": 10},
}


class Training(Struct, frozen=True, forbid_unknown_fields=True):
    """How a network is trained.

    Attributes:
        preset: ``quick`` or ``paper``; sets the keys that the file leaves out.
        epochs: Most epochs a member may train.
        batch_size: Rows of a mini-batch.
        learning_rate: Adam's rate at the start.
        schedule: ``constant``, or ``plateau`` on the training loss.
        plateau_factor: What the rate is multiplied by on a plateau.
        plateau_patience: Epochs without gain that make a plateau.
        lowest_rate: The rate the schedule stops at.
        stop: ``early`` (validation loss, best weights kept), ``lowest-rate`` (no relative gain of
            1e-4 in the training loss at the lowest rate) or ``never``.
        start_from_epoch: Epochs that early stopping lets pass before it looks. A network that
            is not rebalanced first learns the prior, and its balanced loss rises meanwhile; it
            would be stopped before it has learned anything else.
        patience: Epochs without gain after which ``stop`` acts.
        monitor: Validation cross-entropy that early stopping watches: ``balanced`` over classes,
            or ``natural``.
        on_nan: What a trial gets when a member diverged: ``fail``, or each metric's ``worst``.
        stack: Networks trained in one program; 0 means that a CPU's cores share the folds of a
            problem, and that an accelerator trains them all at once. Where it holds more than
            one trial of a grid, trials share it; ``auto`` lets as many do so as pay on an
            accelerator, and is 0 on a CPU.
        precision: ``float32``, or ``mixed``: products in bfloat16, for accelerators only.
    """

    preset: Literal["quick", "paper"] = "quick"
    epochs: Positive = 200
    batch_size: Annotated[int, Meta(ge=2, le=1_000_000)] = 64
    learning_rate: Rate = 1e-3
    schedule: Literal["constant", "plateau"] = "constant"
    plateau_factor: Share = 0.2
    plateau_patience: Positive = 5
    lowest_rate: Rate = 1e-5
    stop: Literal["early", "lowest-rate", "never"] = "early"
    start_from_epoch: NotNegative = 20
    patience: Positive = 20
    monitor: Literal["balanced", "natural"] = "balanced"
    on_nan: Literal["fail", "worst"] = "fail"
    stack: Stack = 0
    precision: Literal["float32", "mixed"] = "float32"


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """Which network: ``mlp``, ``cnn`` or a dotted name, and what its builder is given."""

    name: str = "mlp"
    options: dict[str, Any] = {}


class Augmentation(Struct, frozen=True, forbid_unknown_fields=True):
    """What is done to images by strategies that augment.

    ``rotate-shift``, or a dotted name of Keras layers, and what their builder is given.
    """

    name: str = "rotate-shift"
    options: dict[str, Any] = {}


class CrossValidation(Struct, frozen=True, forbid_unknown_fields=True):
    """Repeated stratified k-fold.

    Attributes:
        folds: k.
        repeats: How often, each with its own shuffle.
        validation: Share of each training part held out.
        grouped: Whether rows of a group stay on one side.
        redraw: Whether the rows that make a problem imbalanced are drawn anew for every repeat.
    """

    folds: Annotated[int, Meta(ge=2, le=1000)] = 2
    repeats: Annotated[int, Meta(ge=1, le=1000)] = 10
    validation: Share = 0.3
    grouped: bool = False
    redraw: bool = False


class ProblemSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of ``[[problems]]``: data, which classes are rare, and how rare.

    Data are a known data set, a ``file`` with a table, or ``images``: a folder or an NPZ file.
    With several ratios in ``imbalance`` an entry stands for as many problems.
    """

    dataset: str | None = None
    file: str | None = None
    images: str | None = None
    label: str | None = None
    groups: str | None = None
    drop: tuple[str, ...] = ()
    kind: Literal["binary", "multi-class"] | None = None
    minority: tuple[Label, ...] = ()
    imbalance: tuple[Ratio, ...] = ()
    training: Training = Training()


class Search(Struct, frozen=True, forbid_unknown_fields=True):
    """How points are chosen.

    Attributes:
        algorithm: A planned ``grid``, or one of Optuna's algorithms.
        trials: How many trials an algorithm has.
        constraints: What a point's validation means must fulfil, such as ``min_recall >= 0.5``
            or ``brier <= 1.1 x baseline``.
        prune: End trials between blocks of folds that are surely behind the best one.
        outer: Folds around the whole search that score what searching this space finds.
        space: What may vary.
    """

    algorithm: Literal["grid", "tpe", "random", "nsga2", "gp", "cmaes", "qmc"] = "grid"
    trials: Positive | None = None
    constraints: tuple[str, ...] = ()
    prune: bool = False
    outer: Annotated[int, Meta(ge=2, le=100)] | None = None
    space: SearchSpace = SearchSpace()


class Study(Struct, frozen=True):
    """A whole study file.

    Attributes:
        name: First half of each Optuna study's name, ``<name>/<problem>``.
        seed: Every random draw derives from it.
        objectives: Metrics that Optuna sees, on validation parts.
        extra_metrics: Metrics stored beside those of every study.
        problems: Data and imbalance.
        cv: Cross-validation.
        model: Network.
        training: Training keys that hold for every problem.
        search: Points.
        text: The file as it was read.
        source: Where it came from, for messages.
        augmentation: What strategies that augment do to images.
        note: A sentence that every output repeats.
        stack: What the command line puts in place of the file's ``training.stack``.
        allow_plugins: Whether code of the user's own, such as a network, may be imported; set by
            the command line, not by the file.
    """

    name: str
    seed: int
    objectives: tuple[str, ...]
    problems: tuple[ProblemSpec, ...]
    cv: CrossValidation
    model: Model
    training: Training
    search: Search
    text: str
    source: str
    extra_metrics: tuple[str, ...] = ()
    augmentation: Augmentation = Augmentation()
    note: str = ""
    stack: Stack | None = None
    allow_plugins: bool = True

    def stacked(self, stack: Stack | None) -> Study:
        """The study with ``training.stack`` replaced in every problem, unless by None."""
        if stack is None:
            return self
        problems = tuple(
            replace(spec, training=replace(spec.training, stack=stack)) for spec in self.problems
        )
        training = replace(self.training, stack=stack)
        return replace(self, problems=problems, training=training, stack=stack)

    def without_plugins(self) -> Study:
        """The study with code of the user's own forbidden."""
        return replace(self, allow_plugins=False)

    @property
    def has_plugins(self) -> bool:
        """Whether the file names a network or an augmentation that may lie beside it."""
        return ":" in self.model.name + self.augmentation.name

    @property
    def sha256(self) -> str:
        """Hash of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Folder that paths in the file are relative to."""
        return Path(self.source).resolve().parent
