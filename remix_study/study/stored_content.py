"""What the JSON in columns of the database holds, as far as commands read it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from remix_study.training.untrained import CONSTANT, FIRST_EPOCHS, PRIOR

Count = Annotated[int, msgspec.Meta(ge=0)]
Number = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e300)]
Object = dict[str, Any]


class _ReportKeys(msgspec.Struct, frozen=True):
    costs: dict[str, Number | dict[str, Number]] = {}
    floor: dict[str, Number] = {}
    rope: dict[str, Number] = {}


class _Head(msgspec.Struct):
    seed: int


class _Cv(msgspec.Struct):
    folds: Count
    repeats: Count


class Definition(msgspec.Struct):
    """Sections that every study has, and those that a report reads."""

    study: _Head
    cv: _Cv
    model: Object
    training: Object
    problem: Object
    search: Object
    decision: _ReportKeys = _ReportKeys()


class Settings(Definition, kw_only=True):
    """Sections with the value of every key, by which a study continues."""

    engine_version: Count


class StudyFacts(msgspec.Struct):
    """Facts of a study; those without a default are in every version."""

    dataset: str
    source: str
    licence: str
    citation: str
    kind: str
    imbalance: Number | None
    classes: Annotated[list[str], msgspec.Meta(min_length=2)]
    minority: list[str]
    counts: list[Count]
    notes: list[str]
    n_rows: Count
    n_features: Count
    folds: Count
    repeats: Count
    validation: Number
    early_stopping: bool
    monitor: str
    preset: str | None
    objectives: Annotated[list[str], msgspec.Meta(min_length=1)]
    algorithm: str
    choices: dict[str, list[str]]
    role: Literal["", "references", "search", "inner", "outer", "rare-rows"] | None = ""
    parent: str | None = ""
    split: str = ""
    grown_from: list[int] = []
    whole_name: str = ""
    grouped: bool = False
    redraw: bool = False
    constraints: list[str] = []
    prune: bool = False
    report: _ReportKeys = _ReportKeys()

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.classes) or not set(self.minority) <= set(self.classes):
            raise ValueError("the classes do not fit their counts, or the rare ones are others")


class _StudyFile(msgspec.Struct):
    text: str
    sha256: str


class Manifest(msgspec.Struct):
    """What commands read of an account of how a study was run."""

    study: str
    problem: str
    file: _StudyFile | msgspec.UnsetType = msgspec.UNSET


class RunFacts(msgspec.Struct):
    """How a trial was trained, and why."""

    engine_version: Count = 0
    trials_in_program: Count = 0
    other_workers: Count = 0
    outer_fold: Count = 0
    chosen_by: str = ""
    extends: str = ""
    repeats: list[Count] = []
    rare_share: Number | None = None


class Counts(msgspec.Struct):
    """Rows of each class in the parts of a fold."""

    train: list[Count]
    validation: list[Count]
    test: list[Count]


class TrainedOn(msgspec.Struct):
    """What the batches of a fold held, and why its network did not train."""

    class_shares: list[Number]
    distinct_share: Number
    epochs: Count = 0
    batches: Count = 0
    lacking_shares: list[Number] = []
    smote_share: Number = 0
    training_shares: list[Number] = []
    untrained: Literal["", CONSTANT, PRIOR, FIRST_EPOCHS] = ""  # type: ignore[valid-type]


class _Bins(msgspec.Struct, forbid_unknown_fields=True):
    counts: list[NotNegative]
    forecast: list[Number | None]
    observed: list[Number | None]
    error: Number
    mean_forecast: Number
    share: Number

    def __post_init__(self) -> None:
        if not len(self.counts) == len(self.forecast) == len(self.observed):
            raise ValueError("bins are missing")


class _Form(msgspec.Struct):
    name: Literal["as trained", "equal shares", "natural shares", "threshold"]
    prior: Literal["natural", "equal", "neither"]
    folds: list[tuple[Count, Count]]
    scores: dict[Literal["validation", "test"], dict[str, list[Number | None]]]
    threshold: Number | None = None
    has_floor: bool = True

    def __post_init__(self) -> None:
        validation, test = (self.scores.get(part, {}) for part in ("validation", "test"))
        columns = [*validation.values(), *test.values()]
        is_whole = all(len(values) == len(self.folds) for values in columns)
        if not columns or validation.keys() != test.keys() or not is_whole:
            raise ValueError("scores of the form are missing")


class Summary(msgspec.Struct):
    """What pages compute from probabilities that are left out."""

    reliability: dict[Literal["natural", "balanced", "corrected"], _Bins]
    form: _Form | None = None

    def __post_init__(self) -> None:
        if self.reliability and not {"natural", "balanced"} <= self.reliability.keys():
            raise ValueError("a reliability is missing")


class Distribution(msgspec.Struct):
    """Of a parameter, as Optuna writes it."""

    name: str
    attributes: Object

    def __post_init__(self) -> None:
        if not self.name.endswith("Distribution"):
            raise ValueError(f"{self.name} is no distribution")
