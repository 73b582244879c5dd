"""The frozen objects that a study file becomes, with the default of every key."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from remix_study.studyfile.cross_validation import CrossValidation, Share
from remix_study.studyfile.estimators import Estimator
from remix_study.studyfile.features import Features
from remix_study.studyfile.given_split import GivenSplit
from remix_study.studyfile.metric_keys import Decision, OwnMetric, ReportKeys
from remix_study.studyfile.search_space import SearchSpace
from remix_study.studyfile.table_format import ClassChoice, Column, Label, TableFormat

Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=100)]
Positive = Annotated[int, Meta(ge=1, le=1_000_000)]
NotNegative = Annotated[int, Meta(ge=0, le=1_000_000)]
Rate = Annotated[float, Meta(gt=0, le=10)]
Ratio = Annotated[float, Meta(gt=0, le=1)]
Keep = Literal["auto", "all", "16 bits", "none"]
Stack = Annotated[int, Meta(ge=0, le=10_000)] | Literal["auto"]

DEFAULT_STORAGE = "sqlite:///remix-study.db"
"""The database that is used unless another is named: a file in the current folder."""

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {},
    # The authors' training: Adam under Keras' plateau rule on the training loss. They ran 500
    # epochs; here a member also ends when its loss no longer moves at the lowest rate.
    "paper": {
        "epochs": 500,
        "schedule": "plateau",
        "stop": "lowest-rate",
        "start_from_epoch": 20,
        "start_from_step": 0,
        "patience": 10,
    },
}
"""Training keys that a preset sets where the file leaves them out."""


class Training(Struct, frozen=True, forbid_unknown_fields=True):
    """How networks are trained: the keys of ``[training]`` and of a problem.

    Attributes:
        preset: ``quick`` or ``paper``; sets the keys that the file leaves out.
        epochs: Largest number of epochs of a member.
        batch_size: Rows of a mini-batch.
        learning_rate: Adam's learning rate at the start.
        schedule: ``constant``, or ``plateau`` on the training loss.
        plateau_factor: Factor by which the rate is multiplied on a plateau.
        plateau_patience: Epochs without gain that make a plateau.
        lowest_rate: Rate below which the schedule does not go.
        stop: ``early`` (validation loss, best weights kept), ``lowest-rate`` (no relative gain of
            1e-4 in the training loss at the lowest rate) or ``never``.
        start_from_epoch: Epochs after which early stopping compares losses; a file that has this
            key has 0 for ``start_from_step`` unless it says otherwise.
        start_from_step: Steps after which it compares losses, in whole epochs. A network that is
            not rebalanced first learns the class shares, and its balanced loss rises meanwhile;
            stopped then, it would have learned nothing else.
        patience: Epochs without gain after which ``stop`` acts.
        monitor: Validation cross-entropy that early stopping watches: ``balanced`` over classes,
            or ``natural``.
        on_nan: What becomes of a trial in which a member diverged: ``fail``, or ``worst``, each
            metric's worst value for this member.
        stack: Networks trained in one program. 0: a CPU's cores share the folds of a task, and
            an accelerator trains them all at once. Trials of a grid share a program that holds
            several of them; ``auto`` lets as many do so as pay on an accelerator, and is 0 on a
            CPU.
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
    start_from_epoch: NotNegative = 0
    start_from_step: NotNegative = 60
    patience: Positive = 20
    monitor: Literal["balanced", "natural"] = "balanced"
    on_nan: Literal["fail", "worst"] = "fail"
    stack: Stack = 0
    precision: Literal["float32", "mixed"] = "float32"


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """The network, its builder's options, and how features enter it.

    Attributes:
        name: ``mlp`` or ``tabm`` for tables, ``cnn`` for images, or ``package.module:function``.
        options: The other keys of the table.
        ensemble: Networks of a fold, from seeds of their own; their probabilities are averaged.
        features: The table ``[features]``.
        is_hypermodel: Whether the name is KerasTuner's ``build(hp)``; set when data are prepared.
    """

    name: str = "mlp"
    options: dict[str, Any] = {}
    ensemble: Annotated[int, Meta(ge=1, le=100)] = 1
    features: Features = Features()
    is_hypermodel: bool = False


class Augmentation(Struct, frozen=True, forbid_unknown_fields=True):
    """What strategies that augment do to images, and its builder's options.

    Attributes:
        name: ``rotate-shift``, or ``package.module:function`` that builds Keras layers.
        options: The other keys of the table.
    """

    name: str = "rotate-shift"
    options: dict[str, Any] = {}


class ProblemSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of ``[[problems]]``: the data, their rare classes, and how rare those are.

    Attributes:
        dataset: Name of a known data set.
        file: Path of a table.
        files: Paths of tables of the same columns, put below each other.
        images: Path of a folder of images or of an NPZ file.
        sql: URL of a database, ``${NAME}`` in it stands for an environment variable.
        query: Query whose rows are the table.
        label: Column of the table that holds the class, by name or number (-1: the last).
        groups: Column of the table that holds the group of a row.
        weights: Column of the table that says how much each row counts in losses and scores.
        drop: Columns of the table that are left out.
        classes: Classes that are merged or left out.
        kind: ``binary`` (one rare class against the merged rest) or ``multi-class``; left out, one
            class in ``minority`` makes it binary.
        minority: Rare classes.
        imbalance: Ratios of rare rows to keep; each makes a problem of its own.
        search: Whether the search of ``[search.then]`` follows the grid on this problem.
        class_weights: Weights of classes by name, for `cost`; those of other classes are 1.
        table: Keys of this problem that say how its table is written.
        split: Keys of this problem that say how its rows are split.
        training: Training keys of this problem.
    """

    dataset: str | None = None
    file: str | None = None
    files: tuple[str, ...] = ()
    images: str | None = None
    sql: str | None = None
    query: str | None = None
    label: Column | None = None
    groups: Column | None = None
    weights: Column | None = None
    drop: tuple[Column, ...] = ()
    classes: ClassChoice = ClassChoice()
    kind: Literal["binary", "multi-class"] | None = None
    minority: tuple[Label, ...] = ()
    imbalance: tuple[Ratio, ...] = ()
    search: bool = True
    class_weights: dict[str, Annotated[float, Meta(gt=0, le=1e9)]] = {}
    table: TableFormat = TableFormat()
    split: GivenSplit = GivenSplit()
    training: Training = Training()

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of the table, or the images; the test file last."""
        names = (*self.files, self.file, self.images, self.split.test_file)
        return tuple(name for name in names if name is not None)

    @property
    def has_data(self) -> bool:
        """Whether the problem names its data; else they are handed over in Python."""
        return self.dataset is not None or self.sql is not None or bool(self.paths)


class Search(Struct, frozen=True, forbid_unknown_fields=True):
    """How configurations are chosen.

    Attributes:
        algorithm: ``grid`` (all that the space holds), or one of Optuna's algorithms.
        trials: Number of trials of an algorithm, each of another configuration; a finite space
            that holds fewer ends with all of them. A grid has none.
        constraints: What validation means must fulfil, such as ``min_recall >= 0.5`` or
            ``brier <= 1.1 x baseline``.
        prune: Whether a trial ends after a block of folds that puts it behind the best one.
        timeout: Seconds after which a run begins no further trial, counted from its start; a trial
            that has begun is finished, and what is left stays open for the next run.
        outer: Folds around the whole search that score what searching this space finds.
        estimators: Reference estimators, fitted beside what the space holds.
        space: What may vary.
    """

    algorithm: Literal["grid", "tpe", "random", "nsga2", "gp", "cmaes", "qmc"] = "grid"
    trials: Positive | None = None
    constraints: tuple[str, ...] = ()
    prune: bool = False
    timeout: Annotated[float, Meta(gt=0)] | None = None
    outer: Annotated[int, Meta(ge=2, le=100)] | None = None
    estimators: tuple[str, ...] = ()
    space: SearchSpace = SearchSpace()


class Study(Struct, frozen=True):
    """A whole study file.

    Attributes:
        name: First half of each Optuna study's name, ``<name>/<problem>``.
        seed: Seed from which every random draw is derived.
        objectives: Metrics of validation parts that Optuna optimises.
        extra_metrics: Metrics stored beside those of every study.
        problems: Data sets and their imbalance.
        cv: Cross-validation.
        model: Network.
        training: Training keys that hold for every problem.
        search: Configurations.
        then: A search that follows the grid, on the same folds.
        text: Text of the file.
        source: Path of the file; ``study`` for text that is in no file.
        augmentation: What strategies that augment do to images.
        note: A sentence that every output repeats.
        keep: Which probabilities the database keeps: ``auto``, ``all``, ``16 bits`` or ``none``.
        rare_rows: Whether the best methods are trained again with fewer rare rows.
        estimators: Those that ``search.estimators`` names.
        decision, report: What errors cost; regions of practical equivalence.
        metrics: Those of the user's own, by name.
        stack: What the command line puts in place of the file's ``training.stack``.
        cv_keys: Keys of ``[cv]`` that the file has.
        allow_plugins: Whether code of the user's own may be imported, as the command line says.
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
    keep: Keep = "auto"
    rare_rows: bool = False
    estimators: tuple[Estimator, ...] = ()
    decision: Decision = Decision()
    report: ReportKeys = ReportKeys()
    metrics: dict[str, OwnMetric] = {}
    then: Search | None = None
    stack: Stack | None = None
    cv_keys: tuple[str, ...] = ()
    allow_plugins: bool = True

    def with_stack(self, stack: Stack | None) -> Study:
        """Replace ``training.stack`` in every problem; None changes nothing."""
        if stack is None:
            return self
        problems = tuple(
            replace(spec, training=replace(spec.training, stack=stack)) for spec in self.problems
        )
        training = replace(self.training, stack=stack)
        return replace(self, problems=problems, training=training, stack=stack)

    def with_timeout(self, timeout: float | None) -> Study:
        """Replace ``search.timeout``, in seconds; None changes nothing."""
        if timeout is None:
            return self
        return replace(self, search=replace(self.search, timeout=timeout))

    @property
    def following(self) -> Study | None:
        """The study with the search that follows its grid in the grid's place; None without."""
        if self.then is None:
            return None
        return replace(self, search=self.then, then=None, estimators=())

    def without_plugins(self) -> Study:
        """Forbid code of the user's own, such as a network."""
        return replace(self, allow_plugins=False)

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Folder of the file, to which paths in it are relative."""
        return Path(self.source).resolve().parent
